# A host of its own for a case: namespaces for network, mounts and processes, with a neighbour on its LAN that stands for
# the rest of the world, and a Docker engine if one is wanted. Sourced by scripts/why-table; nothing of it survives the script.
# shellcheck shell=bash

stage=$(realpath "${BASH_SOURCE[0]%/*}")

# host_up ENGINE FOLDER: makes it; ENGINE is none, or docker and further flags of dockerd. False if it cannot be made, and
# FOLDER/why says why. The numbers of its first process and of the neighbour's are left in HOST and NEIGHBOUR.
host_up() {
    local engine=$1 folder=$2 up
    mkdir -p "$folder"
    : >"$folder/why"
    HOST_FOLDER=$folder HOST_HOLD='' NEIGHBOUR_HOLD=''
    mkfifo "$folder/up"
    # Opened for both, so that no reader waits for a writer.
    exec {up}<>"$folder/up"
    # The first process inside reads from a pipe of ours: when we end, it does, and the kernel ends all others inside.
    exec {HOST_HOLD}> >(exec_inside "$stage/host-init.sh" "$engine" "$folder" >>"$folder/log" 2>&1)
    HOST_OUTER=$!
    exec {NEIGHBOUR_HOLD}> >(exec_inside "$stage/neighbour-init.sh" "$folder" >>"$folder/log" 2>&1)
    NEIGHBOUR_OUTER=$!
    if ! { told 20 && told 20; }; then
        echo "network namespaces cannot be made here" >"$folder/why"
        host_down
        return 1
    fi
    HOST=$(pgrep -P "$HOST_OUTER") NEIGHBOUR=$(pgrep -P "$NEIGHBOUR_OUTER")
    nsenter --net="/proc/$HOST/ns/net" ip link add lan0 address 02:00:00:00:00:01 type veth \
        peer name lan0 address 02:00:00:00:00:02 netns "$NEIGHBOUR"
    if ! { told 20 && told 60; }; then
        [[ -s $folder/why ]] || tail -n 3 "$folder/log" >"$folder/why"
        host_down
        return 1
    fi
    for _ in {1..50}; do
        [[ $(inside_host ip -br link show lan0) != *" UP "* ]] || break
        sleep 0.05
    done
}

# told SECONDS: one of the two inside got one step further.
told() { local word; read -r -t "$1" -u "$up" word && [[ $word != failed ]]; }

exec_inside() {
    exec unshare --net --mount --pid --uts --fork --kill-child --mount-proc --propagation private bash "$@"
}

# inside_host COMMAND…: runs it there; file descriptor 9 is the neighbour's network.
inside_host() {
    nsenter --target "$HOST" --net --mount --pid --uts -- "$@" 9<"/proc/$NEIGHBOUR/ns/net"
}

# Ends it with all that runs inside, and removes the cgroups of its containers.
host_down() {
    [[ -n ${HOST_HOLD:-} ]] || return 0
    local id
    exec {HOST_HOLD}>&- {NEIGHBOUR_HOLD}>&-
    HOST_HOLD=
    kill -KILL "$HOST_OUTER" "$NEIGHBOUR_OUTER" 2>/dev/null || true
    wait "$HOST_OUTER" "$NEIGHBOUR_OUTER" 2>/dev/null || true
    if [[ -s $HOST_FOLDER/containers ]]; then
        while read -r id; do
            find /sys/fs/cgroup -depth -type d -path "*/$id*" -exec rmdir {} + 2>/dev/null || true
        done <"$HOST_FOLDER/containers"
        find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
    fi
}
