#!/usr/bin/env bash
# What graph parallelism sends beside the pipeline, as the ledger counts it: medians over seeds. Documented in
# docs/parallelism.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The build made last, unless --bin says another (the later one wins).
exec python3 "$root/scripts/compare_traffic.py" --bin "$(newest_laminar_train)" "$@"
