#!/usr/bin/env bash
# Epochs of R-MAT graphs of growing size beside the machine's limits, and on one thread beside several. Documented in
# docs/benchmarking.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The build made last, unless --bin says another (the later one wins).
exec python3 "$root/scripts/bench_scaling.py" --bin "$(dirname "$(newest_laminar_train)")" --out "$root/out/bench_scaling" "$@"
