#!/usr/bin/env bash
# The pauses of streams under faults, as the tests of tests/Cluster.Tests see them: a line a fault.
#   tests/ClusterBenchmarks/pauses.sh [CLASS …]    default FailureTests FaultTests PartitionTests
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
classes=("$@")
((${#classes[@]})) || classes=(FailureTests FaultTests PartitionTests)
arguments=()
for name in "${classes[@]}"; do arguments+=(-class "*$name"); done
"$here/../Cluster.Tests/bin/Release/net10.0/Slm.Cluster.Tests" -noColor -noLogo -showLiveOutput "${arguments[@]}" | grep -iE 'pause|FAIL|Total:'
