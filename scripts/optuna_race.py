#!/usr/bin/env python3
"""Searches the same space by `metadrift tune` and by Optuna's TPE, with the same trials, and compares the best values.

    python3 -m venv venv && venv/bin/pip install optuna
    venv/bin/python scripts/optuna_race.py target/release/metadrift runs/race

Four keys of pendulum-flip, 60 trials of 20 short iterations each, seeds 0 to 4 of the samplers, no pruning: half an hour on two
cores.
Optuna asks for a trial, starts `metadrift train` with its settings, and reads the value from `metrics.csv`. A search that is in
the folder already is not made again.
"""
import argparse
import concurrent.futures
import csv
import json
import pathlib
import statistics
import subprocess

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

PRESET, METRIC = "pendulum-flip", "return/post"
SETS = ["iterations=20", "rollout.num_tasks=10"]
RATES = {"maml.inner_lr": (0.01, 1.0), "ppo.outer_lr": (1e-4, 1e-2)}
NUMBERS = {"ppo.clip_eps": (0.1, 0.4)}
COUNTS = {"ppo.outer_epochs": (1, 10)}


def ours(program, folder, seed, trials):
    """The values of all trials of `metadrift tune`, in their order."""
    space = [f'"{key}" = {{ low = {low}, high = {high}, log = true }}' for key, (low, high) in RATES.items()]
    space += [f'"{key}" = {{ low = {low}, high = {high} }}' for key, (low, high) in {**NUMBERS, **COUNTS}.items()]
    objective = f'[{{ metric = "{METRIC}", direction = "maximize" }}]'
    text = (f'[tune]\nname = "race-{seed}"\nbase = "{PRESET}"\nset = {json.dumps(SETS)}\ntrials = {trials}\n'
            f'seed = {seed}\nobjectives = {objective}\n\n[tune.space]\n' + "\n".join(space) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "space.toml").write_text(text)
    subprocess.run([program, "tune", folder / "space.toml", "--out", folder / "search", "--jobs", "1", "-q"], check=True,
                   stdout=subprocess.DEVNULL)
    found = json.loads((folder / "search/results.json").read_text())["trials"]
    return [trial["scores"][-1][0] for trial in found if trial["state"] == "finished"]


def optunas(program, folder, seed, trials):
    """The same of Optuna."""
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(study_name="race", storage=storage, load_if_exists=True, direction="maximize",
                                sampler=optuna.samplers.TPESampler(seed=seed))

    def value(trial):
        settings = {key: trial.suggest_float(key, low, high, log=True) for key, (low, high) in RATES.items()}
        settings |= {key: trial.suggest_float(key, low, high) for key, (low, high) in NUMBERS.items()}
        settings |= {key: trial.suggest_int(key, low, high) for key, (low, high) in COUNTS.items()}
        run = folder / f"{trial.number:04}"
        sets = [part for one in [*SETS, *(f"{k}={v}" for k, v in settings.items())] for part in ("--set", one)]
        subprocess.run([program, "train", PRESET, "--run-dir", run, "--no-evaluate", "-q", *sets], check=True,
                       stdout=subprocess.DEVNULL)
        with (run / "metrics.csv").open() as file:
            return float(list(csv.DictReader(file))[-1][METRIC])

    # a training that collapses ends with an exit code of its own, and its trial fails, as in `tune`
    study.optimize(value, n_trials=trials - len(study.trials), catch=(subprocess.CalledProcessError,))
    return [trial.value for trial in study.trials if trial.value is not None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    systems = {"tune": ours, "optuna": optunas}
    pairs = [(name, seed) for seed in args.seeds for name in systems]

    def search(pair):
        name, seed = pair
        values = systems[name](args.program.resolve(), args.out / f"{name}-{seed}", seed, args.trials)
        print(f"{name:6} seed {seed}: best {max(values):.1f} of {len(values)}, of the first third {max(values[:args.trials // 3]):.1f}",
              flush=True)
        return max(values)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        best = dict(zip(pairs, pool.map(search, pairs)))
    medians = {name: statistics.median(best[name, seed] for seed in args.seeds) for name in systems}
    for name, median in medians.items():
        values = sorted(best[name, seed] for seed in args.seeds)
        print(f"{name:6} median of the best {median:.1f} ({values[0]:.1f} to {values[-1]:.1f})")
    print(f"tune differs from Optuna by {100 * (medians['tune'] / medians['optuna'] - 1):+.1f} %")


if __name__ == "__main__":
    main()
