#!/usr/bin/env bash
# A program at the container's cable (XDP) drops everything that comes from it.
# code: xdp-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
mkdir -p /run/bpf
mount -t bpf bpf /run/bpf || cannot "there is no file system for BPF"
# Two instructions, loaded and pinned by bpf(2): r0 = XDP_DROP; exit.
perl -e '
    my ($code, $licence, $path) = (pack("CCsl CCsl", 0xb7, 0, 0, 1, 0x95, 0, 0, 0), "GPL\0", "/run/bpf/drop\0");
    my $load = pack "LLQQLLQLL", 6, 2, unpack("Q", pack "P", $code), unpack("Q", pack "P", $licence), 0, 0, 0, 0, 0;
    my $fd = syscall 321, 5, $load . "\0" x 80, 128;
    exit 1 if $fd < 0;
    my $pin = pack "QL", unpack("Q", pack "P", $path), $fd;
    exit(syscall(321, 6, $pin . "\0" x 100, 112) < 0 ? 1 : 0)' || cannot "this kernel does not let us load an XDP program"
ip link set dev vweb xdpgeneric pinned /run/bpf/drop || cannot "this kernel does not take an XDP program here"
fails fetch host http://10.77.0.2/
why --names XDP web:80
