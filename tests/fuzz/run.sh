#!/usr/bin/env bash
# Builds every fuzz target and runs each for the given number of seconds, one after the other:
#   tests/fuzz/run.sh SECONDS [TARGET...]
# A crash, a leak, an input that takes over 10 s or an allocation over the limit fails the run; the
# input that caused it is then named. What was learned stays in build/fuzz/corpus for the next run.
# Seeds come from make_seeds, from tests/fuzz/seeds/TARGET and, for templates, from shared data.
set -euo pipefail

seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")/../.."

[[ -f build/fuzz/build.ninja ]] || cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_targets

programs=build/fuzz/tests/fuzz
artifacts=build/fuzz/artifacts
corpus=build/fuzz/corpus
logs=build/fuzz/logs
mkdir -p "$artifacts" "$corpus" "$logs"
"$programs/make_seeds" "$corpus/seeds"

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/*_fuzz.cc; do
    targets+=("$(basename "$source" .cc)")
  done
fi

failures=0
for target in "${targets[@]}"; do
  learned=$corpus/$target
  folders=("$learned")
  mkdir -p "$learned"
  for seeds in "$corpus/seeds/$target" "tests/fuzz/seeds/$target"; do
    [[ -d $seeds ]] && folders+=("$seeds")
  done
  if [[ $target == chat_template_fuzz && -d ../shared/data/chat_templates ]]; then
    folders+=(../shared/data/chat_templates)
  fi
  options=()
  dictionary=tests/fuzz/dictionaries/$target.dict
  [[ -f $dictionary ]] && options+=("-dict=$dictionary")
  log=$logs/$target.log
  verdict=ok
  if ! "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=256 -max_len=16384 -use_value_profile=1 -print_final_stats=1 \
    -artifact_prefix="$artifacts/$target-" "${options[@]}" "${folders[@]}" >"$log" 2>&1; then
    verdict="FAILED, see $log: $(grep -o 'Test unit written to .*' "$log" | tail -1)"
    failures=$((failures + 1))
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
  edges=$(grep -o 'cov: [0-9]*' "$log" | tail -1 || true)
  printf '%-22s %6s s  %10s runs  %-12s peak %s MB  %s\n' "$target" "$seconds" "${runs:-?}" \
    "${edges:-cov: ?}" "${peak:-?}" "$verdict"
done
exit $((failures > 0))
