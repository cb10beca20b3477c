# What both ends of a case know: the addresses of the LAN: those kept for documentation (RFC 5737, RFC 3849). Sourced.
# shellcheck shell=bash disable=SC2034
LAN=198.51.100.1 LAN6=2001:db8:5::1
NEIGHBOUR_ADDRESS=198.51.100.2 NEIGHBOUR6=2001:db8:5::2
DNS=198.51.100.53
# A machine further away, named far.example, with a page of a few bytes and one of 100 kB.
FAR=203.0.113.80

# lab_podman FOLDER WORDS…: podman with everything it writes below FOLDER.
lab_podman() {
    local data=$1/data
    shift
    CONTAINERS_CONF=$data/containers.conf podman --root "$data/root" --runroot "$data/run" --tmpdir "$data/tmp" \
        --network-config-dir "$data/networks" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file "$@"
}
