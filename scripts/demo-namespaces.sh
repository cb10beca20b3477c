# The demo's stage without an engine: two network namespaces on a bridge, all made here. perl, which every Debian has,
# serves the page.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

web_ns=$name-web client_ns=$name-client
web=netns=$web_ns client=netns=$client_ns
net=198.18.77 # kept for tests between machines (RFC 2544), so that nobody's own is hidden
published=$net.2:80
server_pid=

bridged_through_iptables() { [[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null) == 1 ]]; }

take_down() {
    [[ -z $server_pid ]] || kill "$server_pid"
    ip netns delete "$web_ns"
    ip netns delete "$client_ns"
    ip link delete "$bridge"
    ! bridged_through_iptables || iptables --delete FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
}

# attach NAMESPACE HOST-END ADDRESS
attach() {
    ip netns add "$1"
    ip link add "$2" type veth peer name eth0 netns "$1"
    ip link set "$2" master "$bridge" up
    ip -n "$1" addr add "$3/24" dev eth0
    ip -n "$1" link set eth0 up
}

say "making two namespaces and a bridge between them"
ip link add "$bridge" type bridge || fail "this machine does not let us make interfaces"
ip addr add "$net.1/24" dev "$bridge"
ip link set "$bridge" up
! bridged_through_iptables || iptables --insert FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
attach "$web_ns" "${bridge}w" "$net.2"
attach "$client_ns" "${bridge}c" "$net.3"

mkfifo "$work/serving"
ip netns exec "$web_ns" perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "port 80: $!";
    open my $ready, ">", $ARGV[0]; print $ready "serving\n"; close $ready;
    while (my $peer = $listener->accept) {
        while (<$peer>) { last if /^\r?$/ }
        print $peer "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello from $ARGV[1]\n";
        close $peer;
    }' "$work/serving" "$web_ns" &
server_pid=$!
timeout 10 head -n 1 "$work/serving" >/dev/null || fail "the web server did not start"

ask() { ip netns exec "$client_ns" bash -c "$(declare -f fetch); fetch $published"; }
