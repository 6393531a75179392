#!/bin/sh
# Builds the project of examples/own_environment as a user outside this repository would, and uses the whole program on
# its environment. Arguments go to cargo build: `scripts/example.sh --features torch`.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
# programs of an outside project do not know the place of libtorch
LD_LIBRARY_PATH=${LIBTORCH:-$root/.libtorch/torch}/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
# without optimisation our crates take a third of the time, and the trainings below are tiny
set -- --config profile.dev.opt-level=0 "$@"
for crate in metadrift metadrift-agents metadrift-envs metadrift-random metadrift-runtime; do
    set -- --config "profile.dev.package.$crate.opt-level=0" "$@"
done
cargo build --locked --manifest-path examples/own_environment/Cargo.toml "$@"
program=$CARGO_TARGET_DIR/debug/own-environment
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp examples/own_environment/integrator.toml "$place"
cd "$place"
small="--set rollout.num_tasks=4 --set rollout.num_envs=4 --set evaluation.tasks=4"
"$program" train integrator.toml --run-dir run --iterations 2 $small -q --no-evaluate
"$program" resume run --iterations 3 -q >resumed
grep -q 'policy after iteration 3' resumed
"$program" evaluate run --split ood --format json >evaluated
grep -q '"preset": "integrator"' evaluated
"$program" env list >listed
grep -q '^double-integrator' listed
"$program" env check double-integrator >checked
"$program" tasks describe integrator.toml >described
"$program" tasks audit integrator.toml --tasks 4 --lanes 2 --rounds 1 >audited 2>&1
"$program" record integrator.toml --run run --out film.gif >recorded
test -s film.gif
"$program" bench --only env-step --format json >measured
grep -q '"bench":"env_step","env":"double-integrator","n":1024' measured
echo "[example] train, resume, evaluate, env, tasks, record and bench work on an environment of one's own" >&2
