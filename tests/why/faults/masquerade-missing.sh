#!/usr/bin/env bash
# The rule that hides containers behind the host's address is gone: answers find no way back.
# code: masquerade-missing
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch web "http://$FAR/"
keep_rules
iptables -t nat -F POSTROUTING
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
