#!/usr/bin/env bash
# The router's experiment from nothing: corpus, three models, thresholds fitted on tune.jsonl, figures on test.jsonl. About half an hour on two cores.
#   tests/RouterBenchmarks/run.sh            everything
#   tests/RouterBenchmarks/run.sh measure    with the models that artifacts/router holds already
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/RouterBenchmarks work=artifacts/router configuration=Release
trainer=services/Training/bin/$configuration/net10.0/slm-train
slm=services/Cli/bin/$configuration/net10.0/slm
mkdir -p $work/models
if [[ ${1:-} != measure ]]; then
  dotnet build SlmPlatform.sln -c $configuration -v quiet --nologo
  $here/bin/$configuration/net10.0/Slm.RouterBenchmarks corpus $work $work/suites 120000
  for size in small medium large; do
    $trainer pretrain --config $here/models/calls-$size.yaml --output $work/$size --json >$work/$size.log
  done
fi
for size in small medium large; do cp $work/$size/calls-$size.gguf $work/models/; done
rm -rf $work/data && mkdir -p $work/data
AppHost/bin/$configuration/net10.0/Slm.AppHost --Slm:Http=http://127.0.0.1:18080 --Slm:Grpc=http://127.0.0.1:18081 \
  --Slm:Models=$PWD/$work/models --Slm:Data=$PWD/$work/data --Slm:Router:Policies=$PWD/$here >$work/platform.log 2>&1 &
platform=$!
trap 'kill $platform' EXIT
until curl -sf http://127.0.0.1:18080/health >/dev/null; do kill -0 $platform; sleep 1; done
platform_at=http://127.0.0.1:18081
$slm route check $here/policy.yaml --endpoint $platform_at
$slm route tune --policy $here/policy.yaml --suite $work/suites/tune.jsonl --target-risk 0.05 --output $work/tuned.yaml --endpoint $platform_at | tee $work/tune.txt
$slm route eval --policy $work/tuned.yaml --suite $work/suites/test.jsonl --all-stages --plots $work/plots --rows $work/rows.jsonl --endpoint $platform_at | tee $work/eval.txt
