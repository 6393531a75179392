#!/usr/bin/env python3
"""Loads the journals of searches in Optuna, compares them with their results, and goes on with copies of them in Optuna.

    python3 -m venv venv && venv/bin/pip install optuna
    metadrift tune space.toml --out runs/search
    venv/bin/python scripts/optuna_check.py runs/search

With `--watch SECONDS` the journal is loaded again and again for so long, while searches write it. Exit code 1 if anything is
not so.
"""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

STATES = {
    "finished": [TrialState.COMPLETE],
    "stopped": [TrialState.PRUNED],
    "failed": [TrialState.FAIL],
    "open": [TrialState.RUNNING, TrialState.WAITING],  # of another program
}


def storage(journal):
    return JournalStorage(JournalFileBackend(str(journal)))


def opened(journal):
    """The study of a journal."""
    store = storage(journal)
    (name,) = [study.study_name for study in store.get_all_studies()]
    return optuna.load_study(study_name=name, storage=store)


def toml(value):
    """A value of Optuna as the results have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value.startswith("[") else f'"{value}"'
    return value


def same(told, value):
    """True if the text of a setting is the value."""
    return told == toml(value) if isinstance(value, (bool, str)) else float(told) == float(value)


def compare(study, results):
    """Differences between a study and the results of its search."""
    faults = []
    if len(study.trials) != len(results["trials"]):
        return [f"{len(study.trials)} trials in Optuna, {len(results['trials'])} in the results"]
    metrics = [sought["metric"] for sought in results["objectives"]]
    if study.metric_names != metrics:
        faults.append(f"metrics are {study.metric_names}, not {metrics}")
    for trial, told in zip(study.trials, results["trials"]):
        where = f"trial {trial.number}"
        if trial.number != told["number"] or trial.state not in STATES[told["state"]]:
            faults.append(f"{where}: state {trial.state.name}, not {told['state']}")
        settings = told["settings"]
        if trial.params.keys() != settings.keys() or not all(same(settings[k], v) for k, v in trial.params.items()):
            faults.append(f"{where}: parameters {trial.params}, not {settings}")
        if trial.state == TrialState.COMPLETE and trial.values != told["scores"][-1]:
            faults.append(f"{where}: values {trial.values}, not {told['scores'][-1]}")
        if len(metrics) == 1 and "worker" in trial.user_attrs:
            on_the_way = {rung: score[0] for rung, score in zip(results["rungs"], told["scores"])}
            if trial.intermediate_values != on_the_way:
                faults.append(f"{where}: {trial.intermediate_values} on the way, not {on_the_way}")
    best = [study.best_trial.number] if len(metrics) == 1 else sorted(trial.number for trial in study.best_trials)
    if best != sorted(results["best"]) and study.trials[best[0]].values != study.trials[results["best"][0]].values:
        faults.append(f"the best are {best}, not {results['best']}")
    return faults


def go_on(journal):
    """Differences after three trials of Optuna's own sampler behind a copy of the journal."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "journal.log")
        shutil.copy(journal, copy)
        study = opened(copy)
        before = len(study.trials)
        space = next(trial.distributions for trial in study.trials if trial.state == TrialState.COMPLETE)
        for _ in range(3):
            trial = study.ask(space)
            study.tell(trial, [0.0] * len(study.directions))
        states = [trial.state for trial in opened(copy).trials[before:]]
        return [] if states == [TrialState.COMPLETE] * 3 else [f"Optuna's own trials are {states}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="+", type=pathlib.Path)
    parser.add_argument("--watch", type=float, default=0.0, metavar="SECONDS")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"optuna {optuna.__version__}")
    failed = False
    for search in asked.searches:
        journal = search / "journal.log"
        until, loaded = time.monotonic() + asked.watch, 0
        while time.monotonic() < until:
            opened(journal).get_trials()
            loaded += 1
            time.sleep(0.05)
        study = opened(journal)
        faults = compare(study, json.loads((search / "results.json").read_text())) + go_on(journal)
        watched = f", loaded {loaded} times on the way" if asked.watch else ""
        print(f"{search}: {study.study_name}, {len(study.trials)} trials{watched}: {'; '.join(faults) or 'agrees'}")
        failed |= bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
