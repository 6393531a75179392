"""Values of rliable that src/stats is tested against: python3 scripts/statistics_reference.py, with rliable installed.

The matrix is the one that the tests build: 5 runs of 8 tasks by a linear congruence. rliable draws with the global generator of
NumPy whatever `random_state` says, so that one is seeded; its draws differ from ours, so the tests compare intervals loosely.
"""

import numpy as np
from rliable import library, metrics


def matrix(start, shift):
    """Scores [5, 8] in steps of 1/100."""
    values, state = [], start
    for _ in range(40):
        state = (state * 137 + 71) % 1009
        values.append(state % 100 / 100)
    return np.array(values).reshape(5, 8) + shift * np.arange(8) / 8


X, Y = matrix(5, 1.0), matrix(11, 0.5)


def main():
    """Prints each statistic, and rliable's intervals by 50,000 resamples."""
    aggregates = {
        "iqm": metrics.aggregate_iqm,
        "mean": metrics.aggregate_mean,
        "median": metrics.aggregate_median,
        "optimality gap, gamma 1": metrics.aggregate_optimality_gap,
    }
    for name, statistic in aggregates.items():
        np.random.seed(0)
        value, interval = library.get_interval_estimates({"x": X}, lambda x, f=statistic: np.array([f(x)]), reps=50_000)
        print(f"{name}: {value['x'][0]:.12f} {interval['x'][:, 0].round(4)}")
    print(f"x better than y: {metrics.probability_of_improvement(X, Y):.12f}")
    taus = np.array([0.0, 0.25, 0.5, 1.0, 1.5])
    print("profile of x at", taus, [float(library.run_score_deviation(X, tau)) for tau in taus])


if __name__ == "__main__":
    main()
