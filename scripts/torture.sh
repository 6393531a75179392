#!/bin/sh
# The tests of recovery, at full length: 1,000 kills, 500 file operations that fail, and 10,000 mutations each of
# configuration, run configuration, checkpoint and manifest. `scripts/torture.sh 0.1` does a tenth of each. Minutes.
set -eu
cd "$(dirname "$0")/.."
share=${1:-1}
part() { awk -v n="$1" -v share="$share" 'BEGIN { printf "%d", n * share }'; }
METADRIFT_KILLS=$(part 1000) METADRIFT_ERRORS=$(part 500) METADRIFT_MUTATIONS=$(part 10000)
export METADRIFT_KILLS METADRIFT_ERRORS METADRIFT_MUTATIONS
echo "[torture] $METADRIFT_KILLS kills, $METADRIFT_ERRORS errors, $METADRIFT_MUTATIONS mutations each" >&2
exec cargo test --locked --test program -- --nocapture torture:: damage:: mutated_config:: checkpoint_crash::
