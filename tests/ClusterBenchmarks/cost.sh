#!/usr/bin/env bash
# What it costs to spread a model over silos, in turns, medians.
#   tests/ClusterBenchmarks/cost.sh [WHAT] [ARGUMENTS]
#   cost.sh stages [MODELS] [ROUNDS] [THREADS]           one process, two and four stages; default 135M,1.1B, 5 and 2
#   cost.sh experts [ROUNDS] [THREADS]                   experts in one place, in two and four groups
#   cost.sh prompt [MODELS] [ROUNDS] [THREADS]           time to the first token behind 2,048
#   cost.sh delay [MODELS] [MILLISECONDS] [ROUNDS] [THREADS]   silos 0.2, 1 and 5 ms apart; needs root and /dev/net/tun
#   SLM_BENCH_CACHE    folder of the noise models; default ~/.cache/slm-bench
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
dotnet build "$here" -c Release -v q --nologo -warnaserror >&2
run=("$here/bin/Release/net10.0/Slm.ClusterBenchmarks")
models="${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}/models"
what=${1:-stages}
shift || true
case $what in
    stages) exec "${run[@]}" cost "$models" "${1:-135M,1.1B}" "${@:2}" ;;
    experts) exec "${run[@]}" experts "$models" "$@" ;;
    prompt) exec "${run[@]}" prompt "$models" "${1:-135M,1.1B}" "${@:2}" ;;
    delay) exec "${run[@]}" delay "$models" "${1:-135M,1.1B}" "${2:-0.2,1,5}" "${@:3}" ;;
    *) echo "cost.sh: '$what' is not known; give stages, experts, prompt or delay" >&2; exit 2 ;;
esac
