#!/usr/bin/env bash
# Installs what the tests need, builds with warnings as errors, checks the formatting, and runs every test.
# The last line is the result: "N passed, N failed, N skipped". Logs and XML results are left in artifacts/tests.
#   ./test.sh                 everything
#   ./test.sh Engine.Tests    only the named test projects
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
configuration=Release
results=artifacts/tests
mkdir -p "$results"

# Debian keeps the server's programs out of the way.
for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
need() { command -v "$1" >/dev/null 2>&1; }

# Real clients and servers the tests drive. Without root, what is missing makes its tests report themselves as skipped.
missing=()
need node || missing+=(nodejs)
need npm || missing+=(npm)
need chromium || missing+=(chromium)
need initdb || missing+=(postgresql)
need ip || missing+=(iproute2)
if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]] && need apt-get; then
    echo "Installing ${missing[*]}"
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}") \
      >"$results/apt.log" 2>&1 || { tail -n 20 "$results/apt.log"; echo "Could not install ${missing[*]}; the tests that need them will be skipped."; }
    for folder in /usr/lib/postgresql/*/bin; do [[ -d $folder ]] && PATH=$PATH:$folder; done
  else
    echo "Not root, so ${missing[*]} cannot be installed; the tests that need them will be skipped."
  fi
fi

passed=0 failed=0 skipped=0
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  ((failed == 0)) || exit 1
  exit 0
}

echo "Building"
if ! dotnet build SlmPlatform.sln -c $configuration -warnaserror -v quiet --nologo >"$results/build.log" 2>&1; then
  grep -E 'error|warning' "$results/build.log" | sort -u | head -n 50
  failed=1
  finish
fi

echo "Checking the formatting"
if ! dotnet format whitespace . --folder --verify-no-changes --exclude ./artifacts >"$results/format.log" 2>&1; then
  head -n 30 "$results/format.log"
  echo "The formatting differs: run dotnet format SlmPlatform.sln"
  failed=$((failed + 1))
fi

if (($#)); then projects=("$@"); else
  projects=()
  for project in tests/*/*.csproj; do
    name=$(basename "$project" .csproj)
    [[ $name == *Benchmarks ]] || projects+=("$name")
  done
fi

for name in "${projects[@]}"; do
  echo "Testing $name"
  log="$results/$name.log"
  "tests/$name/bin/$configuration/net10.0/Slm.$name" -noColor -noLogo -result-xml "$results/$name.xml" >"$log" 2>&1
  code=$?
  summary=$(grep -Eo 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -n 1)
  if [[ -z $summary ]]; then
    # The runner itself died.
    tail -n 40 "$log"
    failed=$((failed + 1))
    continue
  fi
  read -r total errors bad skip < <(sed -E 's/[^0-9]+/ /g' <<<"$summary")
  passed=$((passed + total - bad - skip)) failed=$((failed + bad + errors)) skipped=$((skipped + skip))
  grep -E '\[SKIP\]' -A 1 "$log" || true
  if ((bad + errors)) || ((code)); then
    grep -E '\[FAIL\]' -A 25 "$log" | head -n 200
    ((bad + errors)) || failed=$((failed + 1))
  fi
  echo "  $summary"
done
finish
