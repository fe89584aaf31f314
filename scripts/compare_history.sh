#!/usr/bin/env bash
# Trains exactly and with history on the same splits and seeds, and prints the paired differences of accuracy.
# Documented in docs/history.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The build made last, unless --bin says another (the later one wins).
exec python3 "$root/scripts/compare_history.py" --bin "$(newest_laminar_train)" --out "$root/out/history" "$@"
