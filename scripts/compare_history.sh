#!/usr/bin/env bash
# Trains exactly and with history on the same splits and seeds, and prints the paired differences of accuracy.
# Documented in docs/history.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The build made last, unless --bin says another (the later one wins).
newest=$(find "$root"/build -path '*/bin/laminar-train' -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -1 | cut -d' ' -f2)
exec python3 "$root/scripts/compare_history.py" --bin "${newest:-laminar-train}" --out "$root/out/history" "$@"
