#!/usr/bin/env bash
# Makes container images of programs that are installed on this machine, for when the official images cannot be pulled.
# An image contains the programs and the libraries that they need, nothing else.
#
#   scripts/container-image.sh valkey [TAG]   server, command line client, and the tools that docker-compose.yml uses;
#                                             TAG defaults to latchkey-valkey:local
#   scripts/container-image.sh node [TAG]     Node, for the image of Dockerfile; TAG defaults to latchkey-node:local
#
# Needs a Docker daemon that is running. Prints the tag. Run a server from it as from the official image:
#   docker run --rm -p 127.0.0.1:6379:6379 latchkey-valkey:local valkey-server --protected-mode no
set -euo pipefail

kind=${1:-}
tag=${2:-latchkey-$kind:local}
case $kind in
  valkey)
    programs=("${LATCHKEY_VALKEY_BIN:-valkey-server}" valkey-cli sh mkdir grep sleep)
    settings=('ENV PATH=/usr/bin' 'WORKDIR /data' 'VOLUME /data' 'EXPOSE 6379'
      'CMD ["valkey-server", "--protected-mode", "no"]')
    ;;
  node)
    programs=(node)
    settings=('ENV PATH=/usr/bin' 'CMD ["node"]')
    ;;
  *)
    echo "container-image: write container-image.sh valkey or container-image.sh node" >&2
    exit 2
    ;;
esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/bin" "$root/data" "$root/tmp"
ln -s usr/bin "$root/bin"
chmod 1777 "$root/tmp" "$root/data" # a new volume has the mode of the folder in the image

for program in "${programs[@]}"; do
  path=$(command -v "$program") || {
    echo "container-image: no $program on PATH. Install it; a server can be named in LATCHKEY_VALKEY_BIN." >&2
    exit 7
  }
  name=$(basename "$program")
  [ "$program" != "${LATCHKEY_VALKEY_BIN:-}" ] || name=valkey-server
  cp -L "$path" "$root/usr/bin/$name"
  # Each library at the very path where the loader will look for it.
  for library in $(ldd "$path" | grep -o '/[^ ):]*'); do
    [ "$library" != "$path" ] || continue
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
done

changes=()
for setting in "${settings[@]}"; do changes+=(--change "$setting"); done
tar --create --owner=0 --group=0 --directory "$root" . | docker import "${changes[@]}" - "$tag" >/dev/null
echo "$tag"
