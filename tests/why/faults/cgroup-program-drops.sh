#!/usr/bin/env bash
# A program at the container's group of processes drops all that leaves it.
# code: lost-on-the-way
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

need bpftool findmnt
container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
unified=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
group=$unified$(sed -n 's/^0:://p' "/proc/$(pid_of web)/cgroup")
# Docker gives a container no group of its own where it lives on version 1.
if [[ ${group%/} == "$unified" || $(wc -l <"$group/cgroup.procs") -gt 3 ]]; then
    group=$unified/why-$RANDOM
    mkdir "$group"
    later rmdir "$group"
    later sh -c "cat $group/cgroup.procs | while read p; do echo \$p >$unified/cgroup.procs; done"
    pid_of web >"$group/cgroup.procs"
fi
mkdir -p /run/bpf
mount -t bpf bpf /run/bpf || cannot "there is no file system for BPF"
later umount /run/bpf
# Two instructions of a program for cgroups: r0 = 0 (drop); exit.
perl -e '
    my ($code, $licence, $path) = (pack("CCsl CCsl", 0xb7, 0, 0, 0, 0x95, 0, 0, 0), "GPL\0", "/run/bpf/cdrop\0");
    my $load = pack "LLQQLLQLL", 8, 2, unpack("Q", pack "P", $code), unpack("Q", pack "P", $licence), 0, 0, 0, 0, 0;
    my $fd = syscall 321, 5, $load . "\0" x 80, 128;
    exit 1 if $fd < 0;
    my $pin = pack "QL", unpack("Q", pack "P", $path), $fd;
    exit(syscall(321, 6, $pin . "\0" x 100, 112) < 0 ? 1 : 0)' || cannot "this kernel does not let us load a program for cgroups"
bpftool cgroup attach "$group" cgroup_inet_egress pinned /run/bpf/cdrop || cannot "this kernel does not take it"
later bpftool cgroup detach "$group" cgroup_inet_egress pinned /run/bpf/cdrop
fails fetch host "http://$(address_of web)/"
why web:80
