"""Trains and evaluates whatever a table of results needs, and writes the table into docs/results.md; those of the quick study and
its figures go into README.md and docs.

    scripts/reproduce.sh                                   everything, about two hours on two cores
    scripts/reproduce.sh --only sinusoid                   one table
    scripts/reproduce.sh --only recipes --seeds 0 1 2      with these seeds
    scripts/reproduce.sh --only entities --data DIR        with the folder of the data sets
    scripts/reproduce.sh --list                            the names of the tables

Runs go to runs/reproduce (--out DIR elsewhere); one that is finished there is only evaluated again. Seconds are those of the
training alone, on whatever the machine did beside it.
"""

import argparse
import json
import pathlib
import re
import sys

from reproduce_studies import ROOT, program, readme, section

RESULTS = ROOT / "docs" / "results.md"
RECIPES = "promp maml-ppo trpo-maml vpg-maml e-maml dice-maml fomaml meta-sgd learned-step anil cavia cvar-maml".split()
# Settings of plain PPO on pendulums, those of the preset pendulum-dr.
PENDULUM = "ppo.gamma=0.95 ppo.gae_lambda=0.95 ppo.outer_epochs=8 ppo_learner.minibatch=512 ppo_learner.anneal=true".split()
MASS = 'task={env="pendulum",vary={mass={law="uniform",low=0.5,high=2.0}}}'
# Advantages of a short horizon, from which pendulum-flip learns in half as many iterations.
SHORT = ["--set", "ppo.gamma=0.95", "--set", "ppo.gae_lambda=0.95", "--set"]


def learners(preset, names):
    """A run of `preset` for each learner or recipe, by name."""
    return {name: [preset, "--learner", name] for name in names}


def scratch(arguments, steps):
    """The adaptation of the untrained network: arguments of `train` and of `evaluate`."""
    return [*arguments, "--iterations", "1"], ["--checkpoint", "0", "--adapt-steps", str(steps)]


def classes(preset, kind, iterations):
    """Learners of classes on `preset` with 1 and 5 examples of each; the nearest mean of the inputs is a column. In that many
    iterations prototypes see as many tasks as MAML."""
    rows = {}
    for shots in (1, 5):
        train = [preset, "--set", f"examples.support={5 * shots}"]
        rows[f"{shots} {kind} each, maml"] = train
        rows[f"{shots} {kind} each, prototypes"] = [*train, "--learner", "prototypes", "--iterations", str(iterations)]
        rows[f"{shots} {kind} each, from scratch"] = scratch(train, 100)
    return rows


def baselines(preset, gains):
    """Learners that a meta-learner is measured against. The oracle's observation has the values of all channels; a specialist
    is trained on the task with that gain of the actuator alone, or on the environment as it is."""
    plain = [preset, "--learner", "ppo"]
    rows = {
        "maml": [preset],
        "plain PPO on all tasks": plain,
        "oracle": [*plain, "--set", "task.notify.level=value"],
    }
    for gain in gains:
        name = f"specialist, gain {gain}" if len(gains) > 1 else "specialist"
        rows[name] = [*plain, "--set", "task.vary={}", "--set", f"task.base.actuator_gain={gain}"]
    rows["from scratch, 50 steps"] = scratch([preset], 50)
    return {f"{preset}, {name}": row for name, row in rows.items()}


def few(episodes, tasks):
    """Settings of an adaptation to so few episodes, on more tasks at a time."""
    return ["--set", f"rollout.num_envs={episodes}", "--set", f"rollout.num_tasks={tasks}"]


def published(preset, *sets):
    """Plain PPO on a benchmark with further settings: observations normalised on cart-poles; on pendulums their own, also with
    a window of four transitions, and adaptive control."""
    with_sets = lambda learner, pairs: [preset, "--learner", learner, *(word for pair in pairs for word in ("--set", pair))]
    if not preset.startswith("pendulum"):
        return {f"{preset}, ppo": with_sets("ppo", [*sets, "policy.normalize_obs=true"])}
    name = f"{preset}, mass 0.5 to 2" if sets else preset
    return {
        f"{name}, ppo": with_sets("ppo", [*sets, *PENDULUM]),
        f"{name}, ppo with window": with_sets("ppo", [*sets, *PENDULUM, "policy.window=4"]),
        f"{name}, adaptive control": with_sets("adaptive-control", sets),
    }


# Name of a table: its title, its kind, and for each of its rows the arguments of `train`, or those and further ones of `evaluate`.
TABLES = {
    "flip": ("Presets that flip a sign", "control", {p: [p] for p in ("cartpole-flip", "pendulum-flip")}),
    "recipes": ("Recipes on cartpole-flip", "control", learners("cartpole-flip", RECIPES)),
    "fine-tuning": (
        "Plain PPO that is fine-tuned: all parameters, the last layer, the biases, products of low rank",
        "control",
        {
            f"{preset}, {subset}": [preset, "--learner", "ppo", "--set", f"maml.adapts={subset}"]
            for preset in ("cartpole-flip", "pendulum-flip")
            for subset in ("all", "head", "biases", "low-rank")
        },
    ),
    "baselines": (
        "Baselines: before and after adaptation by one gradient step, or as many as the row says",
        "control",
        baselines("cartpole-flip", ["1.0", "-1.0"])
        | baselines("pendulum-flip", ["1.0", "-1.0"])
        | baselines("cartpole-physics", ["1.0"]),
    ),
    "chains": (
        "Chains of tasks: phases of a life whose actuator is inverted between any two",
        "phases",
        {
            "continual": ["cartpole-alternate"],
            "maml": ["cartpole-alternate", "--learner", "maml", "--set", "maml.learn_inner_lr=true"],
        },
    ),
    "benchmarks": (
        "Published benchmarks that need no adaptation",
        "success",
        published("cartpole-packer")
        | published("pendulum-packer")
        | published("cartpole-cadm-moderate")
        | published("pendulum-cadm-moderate")
        | published("pendulum-nominal", MASS),
    ),
    "fast": (
        "Training that ends at a return",
        "control",
        {
            "cartpole-flip, at 490": ["cartpole-flip", "--set", "maml.stop_at_return=490"],
            "pendulum-flip, at -200": ["pendulum-flip", *SHORT, "ppo.outer_lr=2e-3", "--set", "maml.stop_at_return=-200"],
        },
    ),
    "few-episodes": (
        "Adaptation to one episode, and to four",
        "control",
        {
            "cartpole-flip, 1": ["cartpole-flip", *few(1, 200), "--iterations", 100],
            "pendulum-flip, 4": ["pendulum-flip", *few(4, 100), *SHORT, "ppo.outer_lr=1e-3", "--iterations", 400],
        },
    ),
    "navigation": ("Navigation to a hidden goal", "control", learners("navigation", ["promp", "meta-sgd", "cavia"])),
    "sinusoid": ("Sine waves", "examples", learners("sinusoid", ["maml", "fomaml", "meta-sgd", "learned-step", "cavia", "reptile"])),
    "omniglot": (
        "Characters of alphabets never trained on, 5 ways",
        "data",
        classes("omniglot", "drawings", 1500),
    ),
    "entities": (
        "Named entities of domains never trained on, 5 ways",
        "data",
        classes("entities", "mentions", 400),
    ),
    "optimizer": (
        "Learned optimiser of plain PPO: mean return over the budget of training, on held-out dynamics",
        "optimizer",
        {
            "cartpole-physics, in-dist": ["cartpole-physics", "--split", "in-dist", "--seeds", 400],
            "cartpole-physics, ood": ["cartpole-physics", "--split", "ood", "--seeds", 400],
            "pendulum-physics, ood": ["pendulum-physics", "--ppo", "pendulum-ppo", "--split", "ood", "--seeds", 60],
        },
    ),
    "estimators": ("Estimators of the meta-gradient, by enumeration", "estimators", {"p1": [], "p2": []}),
    "lives": ("Methods in lives whose world switches", "study", {}),
    "bounds": ("One policy for all tasks against one for each", "study", {}),
    "quick-study": ("README: methods of the quick study", "readme", {}),
    "adaptation-figure": ("docs/adaptation.svg: adaptation curves of the quick study", "readme", {}),
    "life-figure": ("docs/life.svg: a life in a world that turns around", "readme", {}),
}


# Text below a table.
NOTES = {
    "benchmarks": """Published at best: Packer et al. (2018) 100 % and 93.6 % on the cart-pole, 99.9 % and 90.3 % on the pendulum; Lee et al.
(2020), ood, 187.3 of 200 on the cart-pole and -594 on the pendulum. `scripts/pendulum_optimum.py` computes the most that any policy
can have: with a mass of 0.5 to 2 a mean of about -163.""",
}


def trained(run, arguments, seed):
    """Trains the run unless it is finished; its environment steps and seconds of training."""
    kept = run.parent / f"{run.name}.json"
    if not kept.exists():
        output = program("train", *arguments, "--seed", seed, "--run-dir", run, "--format", "json", "--no-evaluate", "-q")
        kept.write_text(output)
    outcome = json.loads(kept.read_text())
    return outcome["env_steps"], outcome["seconds"]


def evaluated(run, split, more):
    """The evaluation of the run on held-out tasks of a split, with further arguments."""
    return json.loads(program("evaluate", run, "--split", split, "--format", "json", *more))


def interval(summary, digits):
    """Mean and 95 % interval."""
    low, high = summary["ci95"]
    return f"{summary['mean']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def control(run, cost, more):
    """Cells of a row: steps, seconds, returns of the most likely actions before and after one step, or the last of `more`."""
    curves = [evaluated(run, split, more)["curve"] for split in ("in-dist", "ood")]
    steps, seconds = cost
    after = -1 if more else 1
    returns = [interval(curve[k]["deterministic"], 1) for curve in curves for k in (0, after)]
    return [f"{steps / 1e6:.2f}", f"{seconds:.0f}", *returns]


def examples(run, cost, data, more):
    """Cells of a row: seconds, and accuracy, or loss where there are no classes, after 0, 1, 3 and 10 steps, as far as they are
    taken, and with classes after 100."""
    found = evaluated(run, "ood" if data else "in-dist", [*more, *(["--data", data] if data else [])])
    key = "accuracy" if "accuracy" in found["curve"][0] else "loss"
    base = found.get("nearest_mean")
    base = base["mean"] if isinstance(base, dict) else base
    curve = {point["adapt_steps"]: interval(point[key], 3) for point in found["curve"]}
    cells = [curve.get(k, "") for k in ((0, 1, 3, 10, 100) if data else (0, 1, 3, 10))]
    return [f"{cost[1]:.0f}", "" if base is None else f"{base:.3f}", *cells]


def phases(run, cost, _more):
    """Cells of a row: returns of the most likely actions in five phases, and the least after the first outside."""
    returns = [[point["deterministic"]["mean"] for point in evaluated(run, split, ["--adapt-steps", 4])["curve"]]
               for split in ("in-dist", "ood")]
    cells = [f"{value:.1f}" for value in (*returns[0], min(returns[1][1:]))]
    return [f"{cost[0] / 1e6:.2f}", f"{cost[1]:.0f}", *cells]


def success(run, cost, _more):
    """Cells of a row: returns of the most likely actions without adaptation, and the share of episodes that succeed."""
    points = [evaluated(run, split, ["--adapt-steps", 0])["curve"][0] for split in ("in-dist", "ood")]
    shares = [f"{100 * point['success']:.1f} %" if "success" in point else "" for point in points]
    cells = [cell for point, share in zip(points, shares) for cell in (interval(point["deterministic"], 1), share)]
    return [f"{cost[0] / 1e6:.2f}", f"{cost[1]:.0f}", *cells]


EPISODES = {"control": control, "phases": phases, "success": success}
HEADS = {
    "optimizer": ["held-out dynamics", "optimiser", "trainings of its search", "mean return", "rule minus it"],
    "phases": ["", "seed", "M steps", "s", "phase 0", "1", "2", "3", "4", "ood, least of 1 to 4"],
    "success": ["", "seed", "M steps", "s", "in-dist", "success", "ood", "success"],
    "control": ["", "seed", "M steps", "s", "in-dist, before", "after 1 step", "ood, before", "after 1 step"],
    "examples": ["", "seed", "s", "nearest mean", "before", "1 step", "3 steps", "10 steps"],
    "estimators": ["problem", "steps", "estimator", "target", "relative error", "sd"],
}
HEADS["data"] = [*HEADS["examples"], "100 steps"]


def estimators(problem):
    """Rows of all estimators on a problem, for one to three inner steps of one episode."""
    for inner in (1, 2, 3):
        asked = ["--problem", problem, "--inner-steps", inner, "--episodes", 1, "--mode", "enumeration"]
        for line in program("estimators", *asked, "--format", "json").splitlines():
            found = json.loads(line)
            spread = "" if found.get("sd") is None else f"{found['sd']:.3f}"
            yield [problem, str(inner), found["estimator"], found["target"], f"{found['rel_error']:.4f}", spread]


def optimizers(out, label, arguments):
    """Rows of the optimisers on the trainings of an evaluation; the rule is evolved, and Adam tuned, where they are missing."""
    rule, adam = out / "rule.safetensors", out / "adam.json"
    if not rule.exists():
        program("optimizer", "train", "cartpole-physics", "--out", rule, "--seed", 1)
    if not adam.exists():
        search = ["--candidates", 512, "--draws", 16]
        program("optimizer", "tune", "cartpole-physics", "--out", adam, "--seed", 1, *search)
    found = json.loads(program("optimizer", "evaluate", rule, *arguments, "--adam", adam, "--format", "json"))
    for optimizer in found["optimizers"]:
        less = optimizer.get("rule_minus_this")
        yield [label, optimizer["name"], str(optimizer["trainings"]), interval(optimizer, 1), "" if less is None else interval(less, 1)]


def table(name, options):
    """The section of a table, as Markdown."""
    title, kind, runs = TABLES[name]
    rows = []
    for label, arguments in runs.items():
        train, more = arguments if isinstance(arguments, tuple) else (arguments, [])
        if kind == "estimators":
            rows.extend(estimators(label))
            continue
        if kind == "optimizer":
            options.out.mkdir(parents=True, exist_ok=True)
            rows.extend(optimizers(options.out.resolve(), label, arguments))
            continue
        data = None
        if kind == "data":
            data = options.data.resolve() / ("omniglot" if name == "omniglot" else "")
        for seed in options.seeds:
            folder = re.sub(r"[^a-z0-9]+", "-", f"{name}-{label}").strip("-")
            run = options.out.resolve() / f"{folder}-{seed}"
            run.parent.mkdir(parents=True, exist_ok=True)
            print(f"reproduce: {name}: {label}, seed {seed}", file=sys.stderr)
            cost = trained(run, train + (["--data", str(data)] if data else []), seed)
            cells = EPISODES[kind](run, cost, more) if kind in EPISODES else examples(run, cost, data, more)
            rows.append([label, str(seed), *cells])
    head = HEADS[kind]
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    note = ["", NOTES[name]] if name in NOTES else []
    return "\n".join([f"## {title}", "", f"`scripts/reproduce.sh --only {name}`", "", *lines, *note]) + "\n"


START = """# Results

Each table is written by the command above it: seeds, environment steps, seconds of training, and means over held-out tasks with
their 95 % intervals. Returns are those of the most likely actions.
"""


def write(sections):
    """Puts the sections into the document in place of older ones, in the order of the tables."""
    text = RESULTS.read_text() if RESULTS.exists() else START
    start, *known = re.split(r"(?m)^(?=## )", text)
    known = {re.search(r"--only ([a-z-]+)", section)[1]: section.strip() + "\n" for section in known}
    known |= sections
    RESULTS.write_text("\n".join([START, *(known[name] for name in TABLES if name in known)]))


def main():
    """Reproduces the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, metavar="NAME", help="one table")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", type=pathlib.Path, help="folder with the data: Omniglot's in omniglot, those of entities beside it")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "reproduce", help="folder of the runs")
    parser.add_argument("--list", action="store_true", help="list the tables")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name:18} {title}" for name, (title, _, _) in TABLES.items()))
        return
    names = [options.only] if options.only else list(TABLES)
    without = [name for name in names if TABLES[name][1] == "data" and not options.data]
    if without:
        parser.error(f"{', '.join(without)}: the data are not part of metadrift; name their folder with --data (docs/few-shot.md)")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        if TABLES[name][1] == "readme":
            readme(name, options)
        else:
            title, kind, _ = TABLES[name]
            write({name: section(name, title, options) if kind == "study" else table(name, options)})
        print(f"reproduce: {name} is done", file=sys.stderr)


if __name__ == "__main__":
    main()
