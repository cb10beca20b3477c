#!/usr/bin/env bash
# A side container that serves in the namespace of another, as in a pod.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container pod --publish 8080:80 -- "${idle[@]}"
container side --network container:pod
works fetch host http://127.0.0.1:8080/
works fetch pod http://127.0.0.1/
why :8080
why pod:80
why side:80
why 127.0.0.1:80 --from pod
