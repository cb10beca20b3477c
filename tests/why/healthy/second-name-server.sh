#!/usr/bin/env bash
# The first name server is silent, the second one answers.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later at outside nft delete table ip silent
later at outside ip addr delete 198.51.100.54/24 dev lan0
at outside ip addr add 198.51.100.54/24 dev lan0
at outside nft 'add table ip silent; add chain ip silent incoming { type filter hook input priority 0; }; add rule ip silent incoming ip daddr 198.51.100.54 drop'
container api --dns 198.51.100.54 --dns "$DNS" --dns-opt timeout:1 -- "${idle[@]}"
PATIENCE=4 works fetch api http://far.example/
why far.example:80 --from api
