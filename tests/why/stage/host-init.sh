#!/usr/bin/env bash
# The first process of a case's host: makes it what a plain Linux host with Docker is, then waits until nobody holds it.
# Called by host.sh in namespaces of its own.
set -euo pipefail
engine=$1 folder=$2
. "${0%/*}/net.sh"

fail() { echo "$*" >"$folder/why"; echo failed >"$folder/up"; exit 1; }

# Others' namespaces and containers, copied with the mounts, would be seen and kept alive.
awk '$3 ~ /^(nsfs|overlay|fuse)/ && $2 != "/" { print $2 }' /proc/self/mounts | xargs --no-run-if-empty umount --lazy 2>/dev/null || true
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /run/cgroup /run/etc
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount --lazy /run/cgroup
hostname why-host
printf 'nameserver %s\n' "$DNS" >/run/etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost\n' >/run/etc/hosts
for file in resolv.conf hosts; do
    mount --bind "/run/etc/$file" "$(realpath "/etc/$file")"
done

# What a namespace inherits differs from machine to machine (net.core.devconf_inherit_init_net).
ip link set lo up
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv6.conf.all.forwarding=0 net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
    [[ ! -e $file ]] || echo 0 >"$file"
done
echo here >"$folder/up"
until ip link show lan0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lan0 addrgenmode none
ip addr add "$LAN/24" dev lan0
ip addr add "$LAN6/64" dev lan0 nodad
ip link set lan0 up
ip route add default via "$NEIGHBOUR_ADDRESS"
ip -6 route add default via "$NEIGHBOUR6"

if [[ $engine == podman ]]; then
    command -v podman >/dev/null || fail "podman is not installed"
    mkdir -p "$folder/data" /run/podman
    mount -t tmpfs tmpfs "$folder/data"
    # A plain user's hard limits suffice, where Podman's defaults may be forbidden.
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' >"$folder/data/containers.conf"
    lab_podman "$folder" import "$folder/../image.tar" why:lab >/dev/null || fail "podman cannot import the image"
    lab_podman "$folder" run --rm --network none why:lab true || fail "podman cannot run anything here"
    lab_podman "$folder" system service --time=0 unix:///run/podman/podman.sock >/dev/null 2>&1 &
    until [[ -S /run/podman/podman.sock ]]; do sleep 0.1; done
elif [[ $engine != none ]]; then
    command -v dockerd >/dev/null || fail "dockerd is not installed"
    read -ra flags <<<"${engine#docker}"
    echo '{}' >"$folder/daemon.json"
    mkdir -p "$folder/data"
    mount -t tmpfs tmpfs "$folder/data"
    launch() {
        dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --storage-driver "$1" "${flags[@]}" \
            >>"$folder/engine" 2>&1 </dev/null &
        pid=$!
        for _ in {1..200}; do
            [[ -S /run/docker.sock ]] && docker version >/dev/null 2>&1 && return 0
            kill -0 "$pid" 2>/dev/null || return 1
            sleep 0.1
        done
        return 1
    }
    # overlay2 does not work on every file system, vfs does.
    launch overlay2 || launch vfs || fail "no Docker engine runs here: $(tail -n 1 "$folder/engine")"
    docker import "$folder/../image.tar" why:lab >/dev/null || fail "the image cannot be imported"
fi

echo ready >"$folder/up"
# Whatever it inherits is reaped.
exec env --ignore-signal=CHLD cat >/dev/null
