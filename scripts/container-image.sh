#!/usr/bin/env bash
# Makes a container image of the valkey-server installed on this machine, for where the official one cannot be
# pulled: server, command line client and the libraries they need, nothing else.
#
#   scripts/container-image.sh [TAG]        TAG defaults to latchkey-valkey:local
#
# Needs a Docker daemon that is running. Prints the tag. Run a server from it as from the official image:
#   docker run --rm -p 127.0.0.1:6379:6379 latchkey-valkey:local valkey-server --protected-mode no
set -euo pipefail

tag=${1:-latchkey-valkey:local}
server=${LATCHKEY_VALKEY_BIN:-$(command -v valkey-server)} || {
  echo "container-image: no valkey-server on PATH. Install one, or name it in LATCHKEY_VALKEY_BIN." >&2
  exit 7
}
client=$(command -v valkey-cli) || {
  echo "container-image: no valkey-cli on PATH; the image's health check needs it." >&2
  exit 7
}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/bin" "$root/data" "$root/tmp"
chmod 1777 "$root/tmp"
cp -L "$server" "$root/usr/bin/valkey-server"
cp -L "$client" "$root/usr/bin/valkey-cli"

# Each library at the very path where the loader will look for it.
for library in $(ldd "$server" "$client" | grep -o '/[^ ):]*' | sort -u); do
  case $library in "$server" | "$client") continue ;; esac
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

tar --create --owner=0 --group=0 --directory "$root" . |
  docker import --change 'ENV PATH=/usr/bin' --change 'WORKDIR /data' --change 'VOLUME /data' \
    --change 'EXPOSE 6379' --change 'CMD ["valkey-server", "--protected-mode", "no"]' - "$tag" >/dev/null
echo "$tag"
