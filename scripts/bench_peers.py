"""Times metadrift and peers alternately and prints ratios; called by bench_peers.sh."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "metadrift")
ENVS = {"cartpole": "CartPole-v1", "pendulum": "Pendulum-v1"}


def rows(command, core_list, cwd=None):
    """The JSON lines that a command prints on these cores."""
    done = subprocess.run(["taskset", "-c", core_list, *command], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"[peers] failed: {' '.join(command)}: {last}", file=sys.stderr)
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ours(part):
    """(name of the figure, value) of `metadrift bench`, one core but for meta-iterations."""
    cores = "0,1" if part == "meta-iteration" else "0"
    for row in rows([PROGRAM, "bench", "--only", part, "--format", "json"], cores):
        yield (row["bench"], row["env"], row["n"], row["variant"]), row["value"]


def solve(env, seed):
    """Seconds from process start to solved by plain PPO, and those of training alone; none if it was not solved."""
    preset = f"{env}-ppo"
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            ["taskset", "-c", "0", PROGRAM, "train", preset, "--seed", str(seed), "--actors", "1", "--no-evaluate",
             "--quiet", "--run-dir", os.path.join(folder, "run")],
            capture_output=True, text=True,
        )
        whole = time.perf_counter() - began
    solved = re.search(r"solved after \d+ steps, ([0-9.]+) s", done.stderr)
    if not solved:
        print(f"[peers] {preset}, seed {seed}: not solved", file=sys.stderr)
    return (whole, float(solved[1])) if solved else None


class Table:
    """Figures by (quantity, system), and the better of two."""

    def __init__(self):
        self.values = {}

    def add(self, what, who, value):
        self.values.setdefault((what, who), []).append(value)

    def show(self):
        print(f"{'what':44} {'who':44} {'median':>10} {'min':>10} {'max':>10} {'ratio':>7}")
        for (what, who), values in self.values.items():
            own = self.values.get((what, "metadrift"))
            ratio = ""
            if own and who != "metadrift":
                faster_is_less = what.endswith(" s")
                pair = (statistics.median(values), statistics.median(own))
                ratio = f"{pair[0] / pair[1] if faster_is_less else pair[1] / pair[0]:.2f}"
            numbers = [statistics.median(values), min(values), max(values)]
            print(f"{what:44} {who:44} " + " ".join(f"{short(x):>10}" for x in numbers) + f" {ratio:>7}")


def short(x):
    return f"{x / 1e6:.2f} M" if x >= 1e6 else f"{x:.4g}"


def step(table, peers, _round):
    names = {("env_step", env, 1024, "nominal"): gym for env, gym in ENVS.items()}
    for figure, value in ours("env-step"):
        if figure in names:
            table.add(f"{names[figure]} 1024 lanes, 1 core, steps/s", "metadrift", value)
    programs = [("vj", ["a_jax.py"]), ("vt", ["a_gymnasium.py", "vector"])]
    for row in peers.run(programs, "0"):
        if row["n"] == 1024:
            table.add(f"{row['env']} 1024 lanes, 1 core, steps/s", row["peer"], row["median"])


def policy(table, peers, _round):
    for (_, _, n, variant), value in ours("policy"):
        if variant == "forward":
            table.add(f"policy, batch {n}, 1 core, samples/s", "metadrift", value)
    programs = [("vj", ["d_infer.py", "jax"]), ("vt", ["d_infer.py", "torch"]), ("vt", ["d_infer.py", "numpy"])]
    for row in peers.run(programs, "0"):
        table.add(f"policy, batch {row['n']}, 1 core, samples/s", row["peer"], row["median"])


def meta(table, peers, _round):
    parts = {"total": "meta_iter_s", "rollout": "rollout_s", "outer": "outer_s"}
    for (bench, env, _, variant), value in ours("meta-iteration"):
        backend, _, part = variant.partition("-")
        if bench == "meta_iteration" and part in parts:
            who = "metadrift" if backend == "native" else "metadrift, libtorch backend"
            table.add(f"{ENVS[env]} meta-iteration, 2 cores, {part}, s", who, value)
    for gym in ENVS.values():
        programs = [("vj", ["c_jax.py", gym, "5", "shard"]), ("vt", ["c_torch.py", gym, "5", "batched", "numpy"])]
        for row in peers.run(programs, "0,1"):
            for part, key in parts.items():
                table.add(f"{gym} meta-iteration, 2 cores, {part}, s", row["peer"], row[key])


def ppo(table, peers, round_):
    for env, gym in ENVS.items():
        for (whole, training) in filter(None, [solve(env, round_)]):
            table.add(f"{gym} solved by PPO, 1 core, with start, s", "metadrift", whole)
            table.add(f"{gym} solved by PPO, training only, s", "metadrift", training)
        for row in peers.run([("vj", ["b_jax.py", gym, str(round_)]), ("vt", ["b_cleanrl.py", gym, str(round_)])], "0"):
            if row["solved"]:
                whole = row["wall_s"] + row.get("compile_s", 0.0)
                table.add(f"{gym} solved by PPO, 1 core, with start, s", row["peer"], whole)
                table.add(f"{gym} solved by PPO, training only, s", row["peer"], row["wall_s"])


class Peers:
    def __init__(self, folder):
        self.folder = folder
        for venv in ("vj", "vt"):
            if not os.path.exists(self.python(venv)):
                print(f"[peers] no virtualenv {venv} in {folder}: its peers are left out", file=sys.stderr)

    def python(self, venv):
        return os.path.join(self.folder, venv, "bin", "python")

    def run(self, programs, core_list):
        for venv, command in programs:
            there = os.path.exists(os.path.join(self.folder, command[0])) and os.path.exists(self.python(venv))
            if there:
                print(f"[peers] {' '.join(command)}", file=sys.stderr)
                yield from rows([self.python(venv), *command], core_list, cwd=self.folder)


PARTS = {"step": step, "policy": policy, "meta": meta, "ppo": ppo}


def main():
    folder, *rest = sys.argv[1:]
    rounds = int(rest[0]) if rest else 3
    wrong = [part for part in rest[1:] if part not in PARTS]
    if wrong:
        sys.exit(f"bench_peers: no part {wrong[0]}; there are {', '.join(PARTS)}")
    table, peers = Table(), Peers(folder)
    for round_ in range(rounds):
        for part in rest[1:] or PARTS:
            print(f"[peers] round {round_ + 1} of {rounds}: {part}", file=sys.stderr)
            PARTS[part](table, peers, round_)
    table.show()


if __name__ == "__main__":
    main()
