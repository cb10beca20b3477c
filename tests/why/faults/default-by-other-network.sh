#!/usr/bin/env bash
# A container is on two networks, and leaves by the one whose addresses nothing hides.
# code: masquerade-missing
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network aone --opt com.docker.network.bridge.enable_ip_masquerade=false
network btwo
container web --network btwo
works fetch web "http://$FAR/"
docker network connect aone web
gateway=$(docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' aone)
inside web ip route replace default via "$gateway"
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
