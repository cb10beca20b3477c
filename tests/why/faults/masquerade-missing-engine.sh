#!/usr/bin/env bash
# The engine makes no rules, and so containers find no way out.
# code: masquerade-missing
# engine: docker --iptables=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
