#!/usr/bin/env bash
# Two containers with the same hardware and IP addresses, each on a bridge of its own and alone.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge one 10.77.1.1/24
bridge two 10.77.2.1/24
namespace web one 10.77.1.2/24
namespace other two 10.77.2.2/24
ip -n web link set eth0 down
ip -n web link set eth0 address 02:00:00:00:0b:0b up
ip -n other link set eth0 down
ip -n other link set eth0 address 02:00:00:00:0b:0b up
works fetch host http://10.77.1.2/
works fetch host http://10.77.2.2/
why web:80
why other:80
