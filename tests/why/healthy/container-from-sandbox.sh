#!/usr/bin/env bash
# A container of Docker's, asked by a sandbox of pcapsule whose packets reach it masqueraded; with bridge netfilter.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
sandbox client -- "${idle[@]}"
sysctl --quiet --write net.bridge.bridge-nf-call-iptables=1
web=$(address_of web)
works fetch client "http://$web/"
why web:80 --from client
why web:80 --from client --no-probe
