#!/usr/bin/env bash
# Compares the engine with llama.cpp (npm: node-llama-cpp): the same noise models, the same number of threads and tokens, one
# engine at a time, alternating; medians. Ratios come first in the table.
#
#   chrt -r 5 tests/Benchmarks/compare.sh
#
# Real-time priority (as root) keeps the peer's two spinning threads from meeting on one core; without it, leave out chrt.
#
#   SLM_BENCH_CACHE    folder of the peer and the models (about 3 GB); default ~/.cache/slm-bench
#   SLM_BENCH_THREADS  threads of both engines; default 2
#   SLM_BENCH_ROUNDS   rounds; default 5
#   SLM_BENCH_SIZES    default "15M 135M 1.1B"; "" for none
#   SLM_BENCH_TYPES    default "Q4_0 Q8_0 Q4_K_M"
#   SLM_BENCH_FILES    GGUF files to measure as well, absolute paths; default none
#   SLM_BENCH_FLASH    the peer's settings of flash attention, of which the better counts; default "on off"
#   SLM_BENCH_LONG     also decode after so many tokens (a multiple of 512); default 0: no
#   SLM_BENCH_AVX2     1: both engines without AVX-512
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}
mkdir -p "$cache/peer" "$cache/models"

cp "$here"/Peer/package.json "$here"/Peer/peer.mjs "$cache/peer/"
if [ ! -d "$cache/peer/node_modules/node-llama-cpp" ]; then
  (cd "$cache/peer" && npm install --no-audit --no-fund --ignore-scripts >&2)
fi
if [ "${SLM_BENCH_AVX2:-0}" = 1 ]; then
  # The peer picks the best of its backends; without the newer ones that is AVX2.
  if [ ! -d "$cache/peer-avx2" ]; then
    cp -rl "$cache/peer" "$cache/peer-avx2"
    for name in zen4 icelake cannonlake cascadelake cooperlake skylakex sapphirerapids alderlake; do
      rm -f "$cache/peer-avx2/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-cpu-$name.so"
    done
  fi
  cp --remove-destination "$here/Peer/peer.mjs" "$cache/peer-avx2/"
  export SLM_BENCH_PEER=peer-avx2 SLM_KERNELS=avx2
fi

dotnet build "$here" -c Release -v q --nologo >&2
node "$here/Peer/compare.mjs" "$here/bin/Release/net10.0/Slm.Benchmarks" "$cache"
