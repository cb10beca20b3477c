#!/usr/bin/env bash
# Another machine's firewall drops what it is sent, which nothing on this host shows.
# code: lost-on-the-way|no-answer
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web
works fetch web "http://$FAR/"
at outside nft -f - <<'RULES'
table ip away {
    chain incoming { type filter hook input priority filter; tcp dport 80 drop; }
}
RULES
fails fetch web "http://$FAR/"
why --names lan0 "$FAR:80" --from web
