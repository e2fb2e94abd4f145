#!/usr/bin/env bash
# Errors of quantized tensors, this engine's over those of the peer's library (npm: node-llama-cpp), type by type:
#
#   tests/Benchmarks/quantization.sh [MODEL.gguf]    F32, F16 or BF16; without it generated tensors alone
#
#   SLM_BENCH_CACHE    folder of the peer; default ~/.cache/slm-bench
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}
mkdir -p "$cache/peer"
cp "$here"/Peer/package.json "$cache/peer/"
if [ ! -d "$cache/peer/node_modules/node-llama-cpp" ]; then
  (cd "$cache/peer" && npm install --no-audit --no-fund --ignore-scripts >&2)
fi
libraries="$cache/peer/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
LD_LIBRARY_PATH="$libraries" dotnet run --project "$here" -c Release -- quantization "$libraries/libggml-base.so" "$@"
