# What each case stands on. A case is a script that sets something up by these words, proves by a plain tool that the
# connection really fails or works, and asks `why`. Its head says which:
#
#   # code: CODE[|CODE…]   the first finding that is right (faults only)
#   # engine: none | docker [flags of dockerd] | podman
#
# Run as it is, a case gets a host of its own (scripts/why-table) and prints its rows; no case touches the real host.
# shellcheck shell=bash
set -euo pipefail

if [[ -z ${WHY_FOLDER:-} ]]; then
    here=$(realpath "${BASH_SOURCE[0]%/*}")
    exec "$here/../../scripts/why-table" --case "$(realpath "$0")" "$@"
fi

. "${BASH_SOURCE[0]%/*}/stage/net.sh"
case_path=$(realpath "$0")
case_name=$(basename "$case_path" .sh)
case_kind=$(basename "$(dirname "$case_path")")
expected=$(sed -n 's/^# code: //p' "$case_path" | head -n 1)
undo=()
questions=0
image=why:lab
export DOCKER_HOST=unix:///run/docker.sock

# --- what is undone at the end, in reverse

# later COMMAND…: to be run at the end.
later() { undo+=("$(printf '%q ' "$@")"); }

finish() {
    local status=$? step
    set +e
    for ((step = ${#undo[@]} - 1; step >= 0; step--)); do
        eval "${undo[step]}" >/dev/null 2>&1
    done
    if ((status == 0 && questions == 0)); then
        row_failed "it asks nothing"
    elif ((status != 0 && status != 70 && status != 77)); then
        row_failed "the script ended with $status, at line ${failed_line:-?}"
    fi
}
trap 'failed_line=$LINENO' ERR
trap finish EXIT
trap 'exit 130' INT TERM

row() { jq -cn --arg kind "$case_kind" --arg case "$case_name" --arg engine "$WHY_ENGINE" --arg expected "$expected" "$@" >>"$WHY_ROWS"; }
row_failed() { row --arg error "$1" '{kind: $kind, case: $case, engine: $engine, expected: $expected, error: $error, ok: false}'; }

# unreal WORDS…: the set-up is not what it says; the row says why.
unreal() { row_failed "not set up: $*"; exit 70; }
# cannot WORDS…: it cannot be set up on this machine.
cannot() {
    row --arg reason "$*" '{kind: $kind, case: $case, engine: $engine, expected: $expected, skipped: $reason}'
    exit 77
}
need() { local tool; for tool in "$@"; do command -v "$tool" >/dev/null || cannot "$tool is not installed"; done; }

# --- proofs

# works COMMAND…: it must succeed, within five seconds.
works() { eventually "$@" || unreal "it should work: $*"; }

# fails COMMAND…: it must fail as a connection does; a tool that is missing is no proof.
fails() {
    local status=0
    "$@" >"$WHY_FOLDER/said" 2>&1 || status=$?
    case $status in
        0) unreal "it should fail: $*" ;;
        # curl(1): no such name, no connection, timeout, empty reply, reset while sending or receiving, IPv6 too
        6 | 7 | 28 | 52 | 55 | 56) proof+="${proof:+, }$* ends with $status" ;;
        *) unreal "it fails with $status for another reason: $* ($(tail -n 1 "$WHY_FOLDER/said"))" ;;
    esac
}
proof=

# eventually COMMAND…: until it succeeds, for five seconds.
eventually() {
    local deadline=$((SECONDS + 5))
    until "$@" >"$WHY_FOLDER/said" 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# fetch FROM URL [OPTIONS…]: a page, from host, outside or a container; the exit status is curl's.
fetch() {
    local from=$1 url=$2
    shift 2
    set -- curl --globoff --silent --show-error --noproxy '*' --max-time "${PATIENCE:-1.5}" --output /dev/null "$@" "$url"
    at "$from" "$@"
}

# at PLACE COMMAND…: runs it on the host, outside, or as the container would.
at() {
    local through
    way_to "$1"
    shift
    "${through[@]}" "$@"
}

# way_to PLACE: the words in `through` that run a command there.
way_to() {
    case $1 in
        host) through=(env) ;;
        outside) through=(nsenter --net=/proc/self/fd/9 --) ;;
        *)
            case $(kind_of "$1") in
                docker) through=(docker exec "$1") ;;
                podman) through=(lab_podman "$WHY_FOLDER" exec "$1") ;;
                sandbox) through=("$PCAPSULE" run --quiet --net "container:$1" --) ;;
                netns) through=(ip netns exec "$1") ;;
            esac
            ;;
    esac
}

# --- containers

declare -A kinds=()
kind_of() { echo "${kinds[$1]:?no such container in this case: $1}"; }

# container NAME [OPTIONS of docker run…] [-- COMMAND…]: started; the command is a web server if none is given.
container() {
    local name=$1
    shift
    kinds[$name]=docker
    later docker rm --force --volumes "$name"
    split "$@"
    docker run --detach --name "$name" --volume /usr:/usr:ro --stop-timeout 1 "${options[@]}" "$image" "${command[@]}" \
        >"$WHY_FOLDER/id" 2>"$WHY_FOLDER/said" || { local status=$?; docker_ids; cat "$WHY_FOLDER/said" >&2; return "$status"; }
    cat "$WHY_FOLDER/id" >>"$WHY_FOLDER/containers"
}
# pod_container NAME [OPTIONS of podman run…] [-- COMMAND…]: the same of Podman.
pod_container() {
    local name=$1
    shift
    kinds[$name]=podman
    later lab_podman "$WHY_FOLDER" rm --force --time 0 "$name"
    split "$@"
    lab_podman "$WHY_FOLDER" run --detach --name "$name" --volume /usr:/usr:ro "${options[@]}" "$image" "${command[@]}" \
        >>"$WHY_FOLDER/containers"
}

docker_ids() { docker ps --all --quiet --no-trunc >>"$WHY_FOLDER/containers"; }

# split [OPTIONS…] [-- COMMAND…]: into options and command.
split() {
    options=() command=(httpd -f -p 80 -h /www)
    while (($#)); do
        if [[ $1 == -- ]]; then
            shift
            command=("$@")
            return
        fi
        options+=("$1")
        shift
    done
}

# network NAME [OPTIONS of docker network create…]: its bridge has the same name.
network() {
    local name=$1
    shift
    later docker network rm "$name"
    docker network create --opt "com.docker.network.bridge.name=$name" "$@" "$name" >/dev/null
}

# sandbox NAME [OPTIONS of pcapsule net up…] [-- COMMAND…]: one that stays, and a command in it.
sandbox() {
    local name=$1
    shift
    kinds[$name]=sandbox
    split "$@"
    local_httpd
    pcapsule net up --quiet --name "$name" "${options[@]}"
    later pcapsule net down "$name"
    launch "$name" "${command[@]}"
}

# namespace NAME BRIDGE ADDRESS/LENGTH [-- COMMAND…]: made by hand, its cable NAME on the host and eth0 inside; the default
# route goes by the first address of the network.
namespace() {
    local name=$1 bridge=$2 address=$3
    shift 3
    kinds[$name]=netns
    ip netns add "$name"
    later ip netns delete "$name"
    ip link add "v$name" type veth peer name eth0 netns "$name"
    later ip link delete "v$name"
    ip link set "v$name" master "$bridge" up
    ip -n "$name" link set lo up
    ip -n "$name" addr add "$address" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" route add default via "${address%.*}.1"
    split "$@"
    local_httpd
    launch "$name" "${command[@]}"
}

# keep_rules: puts the rules of iptables back at the end, as they are now.
keep_rules() {
    iptables-save >"$WHY_FOLDER/rules"
    later iptables-restore "$WHY_FOLDER/rules"
}

# bridge NAME ADDRESS/LENGTH: on the host.
bridge() {
    ip link add "$1" type bridge
    later ip link delete "$1"
    ip addr add "$2" dev "$1"
    ip link set "$1" up
}

# bridge_nf 0|1: whether frames that a bridge passes on go through iptables.
bridge_nf() {
    local file=/proc/sys/net/bridge/bridge-nf-call-iptables
    [[ -e $file ]] || cannot "br_netfilter is not loaded"
    later sysctl -qw "net.bridge.bridge-nf-call-iptables=$(cat $file)"
    echo "$1" >$file
}

# vpn NAME: an interface of the host as of a VPN, behind which nobody answers.
vpn() {
    ip tuntap add "$1" mode tun 2>/dev/null || ip link add "$1" type veth peer name "$1-far"
    later ip link delete "$1"
    ip link set "$1" up
}

# launch PLACE COMMAND…: in the background, until the end of the case.
launch() {
    local through
    way_to "$1"
    shift
    "${through[@]}" "$@" >>"$WHY_FOLDER/launched" 2>&1 </dev/null &
    launched=$!
    later kill -KILL "$launched"
}

# serves NAME PORT [tcp|udp]: waits until something listens there.
serves() { eventually listens "$@" || unreal "nothing listens on port $2 of $1: $(tail -n 1 "$WHY_FOLDER/launched" 2>&1)"; }
listens() {
    local flags=-Hltn
    [[ ${3:-tcp} == tcp ]] || flags=-Hlun
    if [[ $1 == host ]]; then ss "$flags" "sport = :$2" | grep -q .; else inside "$1" ss "$flags" "sport = :$2" | grep -q .; fi
}

# local_httpd: the web server of `command` for a place without Docker's image.
local_httpd() { [[ ${command[0]} != httpd ]] || command=(busybox "${command[@]:0:4}" -h "$(pages)"); }

# pages: a folder for web servers outside of Docker's image.
pages() {
    mkdir -p /run/www
    echo "from the host" >/run/www/index.html
    [[ -s /run/www/big ]] || head -c 100000 /dev/zero | tr '\0' x >/run/www/big
    echo /run/www
}

# inside NAME COMMAND…: a tool of the host in the container's network.
inside() {
    local name=$1
    shift
    nsenter --net="$(net_of "$name")" -- "$@" 9<&-
}

net_of() {
    case $(kind_of "$1") in
        docker) echo "/proc/$(docker inspect --format '{{.State.Pid}}' "$1")/ns/net" ;;
        podman) echo "/proc/$(lab_podman "$WHY_FOLDER" inspect --format '{{.State.Pid}}' "$1")/ns/net" ;;
        sandbox) echo "/proc/$(pcapsule net ls --json | jq ".sandboxes[] | select(.name == \"$1\").process")/ns/net" ;;
        netns) echo "/run/netns/$1" ;;
    esac
}

# pid_of NAME: the first process of a Docker container.
pid_of() { docker inspect --format '{{.State.Pid}}' "$1"; }

# address_of NAME [INTERFACE]; address6_of NAME [INTERFACE]
address_of() { inside "$1" ip -j -4 addr show dev "${2:-eth0}" | jq -r '.[0].addr_info[0].local'; }
address6_of() { inside "$1" ip -j -6 addr show dev "${2:-eth0}" | jq -r '[.[0].addr_info[] | select(.scope == "global")][0].local'; }

# cable_of NAME [INTERFACE]: the host's end.
cable_of() {
    local index
    index=$(inside "$1" ip -j -d link show dev "${2:-eth0}" | jq '.[0].link_index')
    ip -j link | jq -r ".[] | select(.ifindex == $index).ifname"
}

pcapsule() { "$PCAPSULE" "$@" 9<&-; }

# shellcheck disable=SC2034 # for cases
# idle: the words of a container that listens to nothing.
idle=(sleep 1000)

# --- the question

# why [--code CODES] [--names PATTERN]… ARGUMENTS…: asks it and writes down what it found. In a fault the first finding must
# be one of CODES, and its words and evidence must match each PATTERN (regular expression); in a healthy set-up there may be none.
why() {
    local patterns=() wanted=$expected status=0 started
    while :; do
        case $1 in
            --code) wanted=$2; shift 2 ;;
            --names) patterns+=("$2"); shift 2 ;;
            *) break ;;
        esac
    done
    questions=$((questions + 1))
    if [[ ${WHY_PROVE:-} ]]; then
        row --arg question "why $*" --arg proof "$proof" \
            '{kind: $kind, case: $case, engine: $engine, question: $question, expected: $expected, proof: $proof, ok: true}'
        return
    fi
    started=$(date +%s%N)
    timeout --kill-after=1 20 "$PCAPSULE" why "$@" --json >"$WHY_FOLDER/answer" 2>"$WHY_FOLDER/said" 9<&- || status=$?
    local took=$((($(date +%s%N) - started) / 1000000))
    [[ -z ${WHY_SHOW:-} ]] || timeout 20 "$PCAPSULE" why "$@" >&2 9<&- || true
    jq -e .schema "$WHY_FOLDER/answer" >/dev/null 2>&1 || echo null >"$WHY_FOLDER/answer"
    local all
    printf -v all '%s\n' "${patterns[@]}"
    row --arg question "why $*" --arg wanted "$wanted" --argjson status "$status" --argjson took "$took" --arg patterns "$all" \
        --arg said "$(tail -n 3 "$WHY_FOLDER/said")" --slurpfile answer "$WHY_FOLDER/answer" '
        $answer[0] as $a | ($a.findings // [] | map(select(.certainty != "not-checked"))) as $found
        | ($found[0] // {}) as $first
        | ([$first.sentence, $first.evidence] | tostring) as $words
        | ($patterns | split("\n") | map(select(. != "" and (. as $p | $words | test($p) | not)))) as $missing
        | (if $a == null then "no answer, exit \($status): \($said)"
           elif $kind == "healthy" then (if $status != 0 or ($a.healthy | not) or $found != [] then "a false finding" else null end)
           elif ($first.code | IN($wanted | split("|")[])) | not then "another finding"
           elif $status != 1 or $a.healthy then "exit \($status), healthy \($a.healthy)"
           elif $missing != [] then "it does not name \($missing | join(", "))"
           else null end) as $error
        | {kind: $kind, case: $case, engine: $engine, question: $question, expected: $wanted, status: $status, milliseconds: $took,
           first: $first.code, certainty: $first.certainty, sentence: $first.sentence, repair: $first.repair, codes: ($found | map(.code)),
           error: $error, ok: ($error == null)}'
}

# heals COMMAND…: the command that `why` told last, run on the host, must make it succeed.
heals() {
    [[ -z ${WHY_PROVE:-} ]] || return 0
    local repair
    repair=$(jq -r '.findings[0].repair // ""' "$WHY_FOLDER/answer")
    if timeout 20 bash -c "$repair" >"$WHY_FOLDER/repaired" 2>&1 9<&- && eventually "$@"; then
        row --arg question "repair: $repair" '{kind: $kind, case: $case, engine: $engine, question: $question, expected: $expected, repaired: true, ok: true}'
    else
        row --arg question "repair: $repair" --arg said "$(tail -n 1 "$WHY_FOLDER/repaired")" \
            '{kind: $kind, case: $case, engine: $engine, question: $question, expected: $expected, error: "the repair does not help \($said)", ok: false}'
    fi
}
