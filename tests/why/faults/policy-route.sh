#!/usr/bin/env bash
# A rule of policy routing sends what is for the containers into a table that leads nowhere.
# code: policy-route|route-blackhole
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch host http://127.0.0.1:8080/
ip route add blackhole default table 77
ip rule add to "$(address_of web)" lookup 77 priority 100
fails fetch host http://127.0.0.1:8080/
why --names 77 :8080
heals fetch host http://127.0.0.1:8080/
