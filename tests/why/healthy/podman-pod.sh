#!/usr/bin/env bash
# A pod of Podman's: one container serves, another asks it on 127.0.0.1.
# engine: podman
. "${BASH_SOURCE%/*}/../lab.sh"

later lab_podman "$WHY_FOLDER" pod rm --force --time 0 shop
lab_podman "$WHY_FOLDER" pod create --name shop --infra-image "$image" --infra-command "sleep 1000" --publish 8080:80 >/dev/null || cannot "Podman cannot make a pod here"
pod_container web --pod shop
pod_container api --pod shop -- "${idle[@]}"
works fetch api http://127.0.0.1/
works fetch host http://127.0.0.1:8080/
why :8080
why 127.0.0.1:80 --from api
