#!/usr/bin/env bash
# Random load and random faults on four silos; every answer is checked against an undisturbed one. Ends with 1 if any was wrong.
#   tests/ClusterBenchmarks/soak.sh [MINUTES] [SEED]     default 20 minutes, seed 1
# Partitions are among the faults where network namespaces are permitted (root, iproute2). It needs PostgreSQL's programs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
dotnet build "$here" -c Release -v q --nologo -warnaserror >&2
exec "$here/bin/Release/net10.0/Slm.ClusterBenchmarks" soak "${1:-20}" "${2:-1}"
