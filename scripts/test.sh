#!/usr/bin/env bash
# Installs the dependencies, builds, and runs every test.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/test.sh [--preset NAME] [--jobs N] [CTEST OPTIONS...]

  --preset NAME   a preset of CMakePresets.json: release (default), dev, asan, tsan, minimal; built in build/NAME
  --jobs N        parallel compilers and tests (default: one a processor)

Other options go to ctest, e.g. -R core. Tests on real graphs read the folder in LAMINAR_TEST_DATA; unset, they say that
they were skipped.
TEXT
}

preset=release
jobs=$(default_jobs)
ctest_options=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --preset | --jobs)
      [[ $# -ge 2 ]] || { usage >&2; exit 2; }
      if [[ $1 == --preset ]]; then preset=$2; else jobs=$2; fi
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    *) ctest_options+=("$1"); shift ;;
  esac
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "--jobs $jobs: expected a number of at least 1"

cd "$root"
scripts/install_dependencies.sh
configure_and_build "$preset" "$jobs"
if [[ -n ${LAMINAR_TEST_DATA:-} ]]; then
  [[ -d $LAMINAR_TEST_DATA ]] || fail "LAMINAR_TEST_DATA=$LAMINAR_TEST_DATA: there is no such folder"
  LAMINAR_TEST_DATA=$(cd "$LAMINAR_TEST_DATA" && pwd)
  export LAMINAR_TEST_DATA
fi
# Sanitizers: a request for too much memory must fail as it does without them, and reports need a stack.
export ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS:-}
export LSAN_OPTIONS=suppressions=$root/tests/support/leaks_of_libraries.txt:${LSAN_OPTIONS:-}
export TSAN_OPTIONS=allocator_may_return_null=1:${TSAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
exec ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --timeout 600 --parallel "$jobs" \
  ${ctest_options[@]+"${ctest_options[@]}"}
