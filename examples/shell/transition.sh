#!/usr/bin/env bash
# Moves one entity to another state, with valkey-cli alone.
#
#   latchkey apply && latchkey create a1
#   examples/shell/transition.sh a1 running ACTOR ann REASON "by hand"
#
# Words after the state are the options of lua/README.md. Pass OP and SEEN to be able to repeat a call. VALKEY_URL,
# LATCHKEY_NAMESPACE and LATCHKEY_MACHINE are those of the command line. Prints outcome, document and position.
# Exit status: 0 applied (now or before), 1 rejected or invalid.
set -euo pipefail

id=${1:?usage: transition.sh ID STATE [OPTION...]}
namespace=${LATCHKEY_NAMESPACE:-latchkey}
machine=${LATCHKEY_MACHINE:-agent}
script=$(dirname "$0")/../../dist/lua/transition.lua

# -e: without it valkey-cli ends with 0 on an error of the server.
cli() { valkey-cli -e --no-auth-warning -u "${VALKEY_URL:-valkey://localhost:6379}" "$@"; }

# CRC16/XMODEM, which says in which partition an id lives.
crc16() {
  local crc=0 byte bit
  for byte in $(printf %s "$1" | od -An -v -tu1); do
    crc=$((crc ^ byte << 8))
    for bit in {1..8}; do crc=$(((crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff)); done
  done
  echo "$crc"
}

partitions=$(cli HGET "{$namespace}:meta" partitions)
prefix="{$namespace:$(($(crc16 "$id") % ${partitions:-1}))}:$machine"
sha1=$(cli -x SCRIPT LOAD < "$script")
reply=$(cli EVALSHA "$sha1" 6 \
  "$prefix:id:$id" "$prefix:log:$id" "$prefix:machine" "$prefix:index" "$prefix:due" "$prefix:events" "$@")
echo "$reply"
[[ ${reply%%$'\n'*} =~ ^(OK|REPLAYED)$ ]]
