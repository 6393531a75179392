#!/bin/sh
# Trains a preset with several seeds, evaluates each on held-out tasks, and prints the rows of the README's table.
#   scripts/reproduce.sh PRESET [SEED...]        e.g. scripts/reproduce.sh cartpole-flip 0 1 2
# Runs go to runs/reproduce/PRESET-SEED (OUT=DIR elsewhere); one that is there already is only evaluated again.
set -eu
cd "$(dirname "$0")/.."
preset=${1:?usage: scripts/reproduce.sh PRESET [SEED...]}
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
