"""Means of the meta-gradient estimators by enumeration of all data sets: the reference for `metadrift estimators`.

Plain Python, independent of the Rust code: data sets are ordered tuples of trajectories, derivatives of the policy are
written out, and exact meta-gradients are complex-step derivatives of the enumerated return. Run it to print the table that
tests/data/estimators.json holds:

    python3 scripts/estimators_reference.py > tests/data/estimators.json
"""

import cmath
import itertools
import json
import sys

# a trajectory: probability of its noise, and steps (state, action, reward)
ARMS = [(1.0, [(0, 0, 0.0)]), (1.0, [(0, 1, 1.0)])]
STATES = []
for actions in itertools.product((0, 1), repeat=3):
    state, steps = 0, []
    for action in actions:
        steps.append((state, action, (0.0, 1.0)[action] if state == 0 else (2.0, 0.0)[action]))
        state = action
    STATES.append((1.0, steps))
# two instruments that pay the same, one of which adds noise; then two arms
INSTRUMENTS = [(1.0, [(0, 1, 0.0), (1, arm, float(arm))]) for arm in (0, 1)]
INSTRUMENTS += [(0.5, [(0, 0, 0.0), (1, arm, arm + noise)]) for arm in (0, 1) for noise in (-2.0, 2.0)]
PROBLEMS = {
    "p1": (ARMS, [0.3], 2.0),
    "p2": (STATES, [0.2, -0.4], 0.5),
    "p3": (INSTRUMENTS, [0.0, 0.5], 1.0),
}
ESTIMATORS = {
    # name: (second derivatives, sampling term, baseline of the sampling term)
    "first-order": ("none", False, False),
    "score": ("score", False, False),
    "lvc": (0.0, False, False),
    "dice": (1.0, False, False),
    "loaded-dice": (0.9, False, False),
    "score-sampling": ("score", True, False),
    "score-sampling-loo": ("score", True, True),
    "lvc-sampling": (0.0, True, False),
    "dice-sampling": (1.0, True, False),
}


def sigma(x):
    return 1.0 / (1.0 + cmath.exp(-x))


def probability(theta, trajectory):
    chance, steps = trajectory
    for state, action, _ in steps:
        chance *= sigma(theta[state]) if action else 1.0 - sigma(theta[state])
    return chance


def to_go(steps):
    return [sum(reward for _, _, reward in steps[t:]) for t in range(len(steps))]


def value(problem, theta):
    return sum(probability(theta, t) * sum(r for _, _, r in t[1]) for t in problem[0])


def score(theta, trajectory):
    """Gradients of the log-probabilities of the steps."""
    rows = []
    for state, action, _ in trajectory[1]:
        row = [0.0] * len(theta)
        row[state] = action - sigma(theta[state])
        rows.append(row)
    return rows


def weighted(rows, weights, size):
    return [sum(w * row[i] for w, row in zip(weights, rows)) for i in range(size)]


def inner_gradient(theta, data):
    total = [0.0] * len(theta)
    for trajectory in data:
        step = weighted(score(theta, trajectory), to_go(trajectory[1]), len(theta))
        total = [a + b / len(data) for a, b in zip(total, step)]
    return total


def hessian(theta, data, kind):
    """The matrix that the estimator takes for the second derivative of the inner objective."""
    n = len(theta)
    matrix = [[0.0] * n for _ in range(n)]
    if kind == "none":
        return matrix
    for trajectory in data:
        rows = score(theta, trajectory)
        for t, ((state, _, _), reward) in enumerate(zip(trajectory[1], to_go(trajectory[1]))):
            p = sigma(theta[state])
            matrix[state][state] -= reward * p * (1.0 - p) / len(data)
            if kind == "score":
                continue
            earlier = [sum(kind ** (t - u) * rows[u][i] for u in range(t)) for i in range(n)]
            for i in range(n):
                for j in range(n):
                    meet = rows[t][i] * rows[t][j] + rows[t][i] * earlier[j] + earlier[i] * rows[t][j]
                    matrix[i][j] += reward * meet / len(data)
    return matrix


def value_gradient(problem, theta):
    total = [0.0] * len(theta)
    for trajectory in problem[0]:
        step = weighted(score(theta, trajectory), to_go(trajectory[1]), len(theta))
        total = [a + probability(theta, trajectory) * b for a, b in zip(total, step)]
    return total


def data_sets(problem, theta, episodes):
    for data in itertools.product(problem[0], repeat=episodes):
        chance = 1.0
        for trajectory in data:
            chance *= probability(theta, trajectory)
        yield chance, data


def step(problem, theta, data):
    return [t + problem[2] * g for t, g in zip(theta, inner_gradient(theta, data))]


def expected(problem, theta, steps, episodes):
    """J_N: the expected return after `steps` steps on `episodes` episodes each."""
    if steps == 0:
        return value(problem, theta)
    return sum(
        chance * expected(problem, step(problem, theta, data), steps - 1, episodes)
        for chance, data in data_sets(problem, theta, episodes)
    )


def limit(problem, theta, steps):
    """J_inf: the return after `steps` steps along the exact gradient."""
    for _ in range(steps):
        theta = [t + problem[2] * g for t, g in zip(theta, value_gradient(problem, theta))]
    return value(problem, theta)


def derivative(function, theta):
    moved = lambda i: [t + (1e-30j if i == j else 0.0) for j, t in enumerate(theta)]
    return [function(moved(i)).imag / 1e-30 for i in range(len(theta))]


def mean(problem, steps, episodes, estimator):
    kind, sampling, centred = estimator
    baseline = expected(problem, problem[1], steps, episodes) if centred else 0.0
    total = [0.0] * len(problem[1])

    def walk(theta, chance, path):
        nonlocal total
        if len(path) < steps:
            for p, data in data_sets(problem, theta, episodes):
                walk(step(problem, theta, data), chance * p, path + [(theta, data)])
            return
        v = value_gradient(problem, theta)
        earned = value(problem, theta) - baseline
        for at, data in reversed(path):
            matrix = hessian(at, data, kind)
            v = [v[i] + problem[2] * sum(matrix[i][j] * v[j] for j in range(len(v))) for i in range(len(v))]
            if sampling:
                for trajectory in data:
                    rows = score(at, trajectory)
                    v = [a + earned * sum(row[i] for row in rows) for i, a in enumerate(v)]
        total = [a + (chance * b).real for a, b in zip(total, v)]

    walk(problem[1], 1.0, [])
    return total


def main():
    cases = [("p1", 1, n) for n in (1, 2, 5)] + [("p2", 1, n) for n in (1, 2, 4)] + [("p3", 1, n) for n in (1, 2)]
    cases += [("p1", 2, 2), ("p1", 3, 2), ("p2", 2, 1), ("p2", 3, 1), ("p2", 2, 2), ("p3", 2, 1)]
    table = []
    for name, steps, episodes in cases:
        problem = PROBLEMS[name]
        row = {
            "problem": name,
            "inner_steps": steps,
            "episodes": episodes,
            "J_N": derivative(lambda t: expected(problem, t, steps, episodes), problem[1]),
            "J_inf": derivative(lambda t: limit(problem, t, steps), problem[1]),
        }
        row["mean"] = {key: mean(problem, steps, episodes, kind) for key, kind in ESTIMATORS.items()}
        table.append(row)
        print(name, steps, episodes, file=sys.stderr)
    print("[\n" + ",\n".join(json.dumps(row) for row in table) + "\n]")


if __name__ == "__main__":
    main()
