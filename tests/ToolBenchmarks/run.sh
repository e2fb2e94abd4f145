#!/usr/bin/env bash
# The set of function calls: asks the shipped model all 400 cases, with calls enforced while they are written and without.
#   tests/ToolBenchmarks/run.sh           with the shipped model
#   tests/ToolBenchmarks/run.sh train     makes the model again first: about fifteen minutes on two cores
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/ToolBenchmarks work=artifacts/tools configuration=Release
benchmark=$here/bin/$configuration/net10.0/Slm.ToolBenchmarks
mkdir -p $work
dotnet build SlmPlatform.sln -c $configuration -v quiet --nologo
if [[ ${1:-} == train ]]; then
  $benchmark corpus $work/train.txt infra/models/stories-tools.jinja 60000
  services/Training/bin/$configuration/net10.0/slm-train pretrain --config infra/models/stories-tools.yaml --output $work/run
  cp $work/run/stories-tools.* infra/models/
fi
rm -rf $work/data && mkdir -p $work/data
AppHost/bin/$configuration/net10.0/Slm.AppHost --Slm:Http=http://127.0.0.1:18080 --Slm:Grpc=http://127.0.0.1:18081 --Slm:Data=$PWD/$work/data >$work/platform.log 2>&1 &
platform=$!
trap 'kill $platform' EXIT
until curl -sf http://127.0.0.1:18080/health >/dev/null; do kill -0 $platform; sleep 1; done
$benchmark measure $here/suite.jsonl stories-tools http://127.0.0.1:18080 http://127.0.0.1:18081 $here/plot.svg
