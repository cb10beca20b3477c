#!/usr/bin/env bash
# Two hand-made bridges with a firewall between them, each whole in itself.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge one 10.77.1.1/24
bridge two 10.77.2.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web one 10.77.1.2/24
namespace api one 10.77.1.3/24 -- "${idle[@]}"
namespace far two 10.77.2.2/24
iptables -A FORWARD -i one -o two -j DROP
iptables -A FORWARD -i two -o one -j DROP
works fetch api http://10.77.1.2/
works fetch host http://10.77.2.2/
why web:80 --from api
why far:80
