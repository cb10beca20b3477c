# The demo's stage with a Docker engine: two containers of an image made here, on a network of their own.
# shellcheck shell=bash disable=SC2034,SC2154

install busybox=busybox-static
image=$name:busybox
web=$name-web client=$name-client

take_down() {
    docker rm --force "$web" "$client"
    docker network rm "$name"
    docker rmi "$image"
}

say "making an image of busybox alone, and two containers of it: nothing is downloaded"
mkdir -p "$work/root/bin" "$work/root/www"
cp "$(command -v busybox)" "$work/root/bin/busybox"
for applet in $(busybox --list); do
    [[ $applet == busybox ]] || ln -s busybox "$work/root/bin/$applet"
done
echo "hello from $web" >"$work/root/www/index.html"
tar --create --directory "$work/root" . | docker import - "$image" >/dev/null
docker network create --opt "com.docker.network.bridge.name=$bridge" "$name" >/dev/null
docker run --detach --name "$web" --network "$name" --network-alias web --publish 127.0.0.1::80 "$image" \
    httpd -f -p 80 -h /www >/dev/null
docker run --detach --name "$client" --network "$name" "$image" sleep 3600 >/dev/null
published=$(docker port "$web" 80 | head -n 1)

ask() { docker exec "$client" wget -q -O - http://web/; }
