#!/usr/bin/env bash
# What it costs to spread a model over silos: one process, two and four stages, in turns, medians.
#   tests/ClusterBenchmarks/cost.sh [MODELS] [ROUNDS] [THREADS]    default 135M,1.1B, 5 and 2
#   SLM_BENCH_CACHE    folder of the noise models; default ~/.cache/slm-bench
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
dotnet build "$here" -c Release -v q --nologo -warnaserror >&2
exec "$here/bin/Release/net10.0/Slm.ClusterBenchmarks" cost "${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}/models" "${1:-135M,1.1B}" "${2:-5}" "${3:-2}"
