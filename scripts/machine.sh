# What the scripts need of a machine: packages, an engine, and a look at what is there. Sourced, not run.
# shellcheck shell=bash

# styled SGR TEXT: in that style where stderr is a terminal and NO_COLOR is unset (ECMA-48, SGR).
styled() { if [[ -t 2 && -z ${NO_COLOR:-} ]]; then printf '\033[%sm%s\033[0m\n' "$1" "$2" >&2; else printf '%s\n' "$2" >&2; fi; }
say() { styled 1 "== $*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# install WHAT=PACKAGE…: installs the packages of what is missing. WHAT is a command, or a path that exists.
install() {
    local pair missing=()
    for pair in "$@"; do
        [[ -e ${pair%%=*} ]] || command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    [[ $EUID == 0 ]] || fail "these packages are missing: ${missing[*]} (sudo apt-get install ${missing[*]})"
    command -v apt-get >/dev/null || fail "these packages are missing, and there is no apt-get: ${missing[*]}"
    say "installing ${missing[*]}"
    # What apt says goes to a file, shown if it fails.
    local log
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        fail "apt-get could not install ${missing[*]}"
    fi
    rm -f "$log"
}

# Everything that building takes.
install_build_needs() {
    install cc=build-essential pkg-config=pkg-config /usr/include/pcap/pcap.h=libpcap-dev
}

engine_answers() { command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1; }

# start_engine FOLDER: a Docker engine for the time of this script, its files below FOLDER. False if it cannot run here.
start_engine() {
    ENGINE_FOLDER=$1
    command -v dockerd >/dev/null || return 1
    mkdir -p "$ENGINE_FOLDER"
    remember_network
    local driver
    # overlay2 does not work on every file system, vfs does.
    for driver in overlay2 vfs; do
        launch_engine "$driver" && return 0
        stop_engine
    done
    return 1
}

launch_engine() {
    # A configuration of our own: flags may not repeat what the machine's says.
    echo '{}' >"$ENGINE_FOLDER/daemon.json"
    dockerd --config-file "$ENGINE_FOLDER/daemon.json" --data-root "$ENGINE_FOLDER/data" --exec-root "$ENGINE_FOLDER/exec" --pidfile "$ENGINE_FOLDER/pid" \
        --storage-driver "$1" >"$ENGINE_FOLDER/log" 2>&1 &
    ENGINE_PID=$!
    local _
    for _ in {1..100}; do
        engine_answers && return 0
        kill -0 "$ENGINE_PID" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

# Stops the engine that start_engine started, if any, and takes back what it did to the host's network.
stop_engine() {
    [[ -n ${ENGINE_PID:-} ]] || return 0
    kill "$ENGINE_PID" 2>/dev/null || true
    wait "$ENGINE_PID" 2>/dev/null || true
    ENGINE_PID=
    # The engine leaves its mounts, which keep its folder from being removed.
    awk -v below="$ENGINE_FOLDER/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort --reverse |
        xargs --no-run-if-empty umount --lazy || true
    restore_network
}

remember_network() {
    iptables-save >"$ENGINE_FOLDER/iptables" 2>/dev/null || true
    ip6tables-save >"$ENGINE_FOLDER/ip6tables" 2>/dev/null || true
    cat /proc/sys/net/ipv4/ip_forward >"$ENGINE_FOLDER/ip_forward"
    HAD_DOCKER0=$(ip link show docker0 2>/dev/null || true)
}

restore_network() {
    local tool
    for tool in iptables ip6tables; do
        "$tool" --policy FORWARD ACCEPT 2>/dev/null || true
        for table in filter nat; do
            "$tool" -t "$table" --flush 2>/dev/null || true
            "$tool" -t "$table" --delete-chain 2>/dev/null || true
        done
        "$tool-restore" <"$ENGINE_FOLDER/$tool" 2>/dev/null || true
    done
    cat "$ENGINE_FOLDER/ip_forward" >/proc/sys/net/ipv4/ip_forward 2>/dev/null || true
    [[ -n $HAD_DOCKER0 ]] || ip link delete docker0 2>/dev/null || true
}

# What a run must leave as it found it, a line each.
inventory() {
    ip netns list 2>/dev/null | sed 's/ (id.*//; s/^/namespace /'
    ip -o link 2>/dev/null | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/'
    if engine_answers; then
        docker ps --all --format 'container {{.Names}}'
        docker images --format 'image {{.Repository}}:{{.Tag}} {{.ID}}'
        docker network ls --format 'network {{.Name}}'
    fi
}
