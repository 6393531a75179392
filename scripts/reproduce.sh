#!/bin/sh
# Reproduces results: whole tables, or rows of one preset.
#   scripts/reproduce.sh [--only NAME] [--seeds N...] [--data DIR]    writes docs/results.md, or its part of README.md (--help, --list)
#   scripts/reproduce.sh PRESET [SEED...]    prints the rows of the README's table, e.g. cartpole-flip 0 1 2
# Runs go to runs/reproduce (--out DIR, or OUT=DIR for a preset, elsewhere); one that is there already is only evaluated again.
set -eu
cd "$(dirname "$0")/.."
case ${1-} in '' | -*) exec python3 scripts/reproduce.py "$@" ;; esac
preset=$1
shift
[ $# -gt 0 ] || set -- 0 1 2
out=${OUT:-runs/reproduce}

for seed; do
    run=$out/$preset-$seed
    [ -d "$run" ] || ./x train "$preset" --seed "$seed" --run-dir "$run" >/dev/null
    for split in in-dist ood; do
        ./x evaluate "$run" --split $split --adapt-steps 3 --format json --out "$run/eval/$split.json" >/dev/null
    done
done
for seed; do
    python3 scripts/summary.py "$out/$preset-$seed"
done
