#!/usr/bin/env bash
# Experts read from disk (--expert-memory) against all of them in memory, and against llama.cpp with a mapped model, each run
# limited to 1 GiB by a cgroup, page cache included. The model is noise of the dimensions of SmallThinker-4B-A0.6B in Q4_0 whose
# routers prefer experts by a Zipf law. Needs root (or a writable memory cgroup), a C compiler, 2.4 GB of disk for each exponent.
#
#   tests/Benchmarks/experts.sh
#
#   SLM_BENCH_CACHE      folder of the peer and the models; default ~/.cache/slm-bench
#   SLM_BENCH_THREADS    threads of both engines; default 2
#   SLM_BENCH_ROUNDS     rounds; default 3
#   SLM_BENCH_EXPONENTS  exponents of the Zipf law; default "1.0 1.5"
#   SLM_BENCH_MEMORY     memory for experts in MiB; default "512 640"
#   SLM_BENCH_LIMIT      limit of a process in MiB; default 1024
#   SLM_BENCH_PREFIX     before every command, such as "chrt -r 5"; default nothing
#   SLM_BENCH_READAHEAD  also runs the mapped peer with this read-ahead of the disk in KiB, and restores the disk's own; default none
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}
mkdir -p "$cache/peer" "$cache/models"
cp "$here"/Peer/package.json "$here"/Peer/experts.mjs "$cache/peer/"
if [ ! -d "$cache/peer/node_modules/node-llama-cpp" ]; then
  (cd "$cache/peer" && npm install --no-audit --no-fund --ignore-scripts >&2)
fi
cc -O2 -shared -fPIC -o "$cache/no-repack.so" "$here/Peer/no-repack.c" -ldl
dotnet build "$here" -c Release -v q --nologo >&2
node "$here/Peer/experts-compare.mjs" "$here/bin/Release/net10.0/Slm.Benchmarks" "$cache" "$here/Peer/limited.sh"
