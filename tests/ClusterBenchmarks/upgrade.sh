#!/usr/bin/env bash
# A rolling upgrade, under streams, from a past commit's silos to this checkout's: every answer must be what it was.
#   tests/ClusterBenchmarks/upgrade.sh [COMMIT]    default: the newest commit with other contracts between silos than this checkout
# The past version is built once, in artifacts/versions/COMMIT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
changed() { git -C "$root" log -1 --first-parent --format=%H -- contracts/Grains contracts/protos; }
commit=$(git -C "$root" rev-parse --verify "${1:-$(changed)~1}^{commit}")
past="$root/artifacts/versions/$commit"
program="$past/services/Inference/bin/Release/net10.0"
if [[ ! -x $program/Slm.Inference ]]; then
    mkdir -p "$past"
    git -C "$root" archive "$commit" | tar -x -C "$past"
    dotnet build "$past/services/Inference" -c Release -v q --nologo --disable-build-servers
fi
dotnet build "$root/tests/Cluster.Tests" -c Release -v q --nologo
echo "from $(git -C "$root" log -1 --format='%h, %ad: %s' --date=iso "$commit")"
SLM_PAST_SILO=$program "$root/tests/Cluster.Tests/bin/Release/net10.0/Slm.Cluster.Tests" -noColor -noLogo -showLiveOutput -explicit only -method '*From_a_past_version*'
