#!/usr/bin/env bash
# limited.sh MIB FILE COMMAND…: runs a command in a memory cgroup (v1 or v2) of its own, page cache included. Pages of the file that
# other processes have in the cache would not count, so they are dropped first.
set -euo pipefail
mib=$1 file=$2
shift 2
dd if="$file" iflag=nocache count=0 status=none
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/slm-bench.$$ limit=memory.max
else
  group=/sys/fs/cgroup/memory/slm-bench.$$ limit=memory.limit_in_bytes
fi
mkdir "$group"
trap 'rmdir "$group"' EXIT
echo $((mib << 20)) > "$group/$limit"
[ ! -e "$group/memory.swap.max" ] || echo 0 > "$group/memory.swap.max"
bash -c 'echo $$ > "$0/cgroup.procs"; exec timeout 300 "$@"' "$group" "$@"
