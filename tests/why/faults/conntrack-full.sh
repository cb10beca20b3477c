#!/usr/bin/env bash
# The table of connections is full.
# code: conntrack-full
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

limit=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
((limit <= 600000)) || cannot "the table takes $limit connections, too many to fill here"
sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/"
awk -v limit="$limit" 'BEGIN { for (i = 0; i < limit + 100; i++)
    printf "-I -p tcp -s 10.%d.%d.%d -d 192.0.2.1 --sport 4242 --dport 80 --state ESTABLISHED -u ASSURED,SEEN_REPLY -t 3600\n",
        i / 62500, i / 250 % 250, i % 250 + 1 }' >"$WHY_FOLDER/flows"
conntrack --load-file "$WHY_FOLDER/flows" >"$WHY_FOLDER/loaded" 2>&1 || true
rm "$WHY_FOLDER/flows"
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
