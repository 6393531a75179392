"""Steps per second of environments from Python, one core, beside Gymnasium's own: `python examples/python/speed.py`.

The best of five runs counts. With `--check`, exits 1 below the figures that docs/python.md promises.
"""

import sys
import time

import gymnasium

from metadrift.gym import VectorEnv

CASES = (("cartpole-nominal", "CartPole-v1"), ("pendulum-nominal", "Pendulum-v1"), ("cartpole-flip", None), ("cartpole-drift", None))
PROMISED = {("cartpole-nominal", 64): 15e6, ("cartpole-nominal", 1024): 100e6}
TIMES_GYMNASIUM = 10


def steps_per_second(env, num_envs):
    """Return the best rate of five runs of some 0.1 s each."""
    actions = [env.action_space.sample() for _ in range(8)]
    env.reset(seed=1)
    steps, best = 8, 0.0
    while True:
        began = time.perf_counter()
        for step in range(steps):
            env.step(actions[step % 8])
        took = time.perf_counter() - began
        if took > 0.1:
            break
        steps *= 2
    for _ in range(5):
        began = time.perf_counter()
        for step in range(steps):
            env.step(actions[step % 8])
        best = max(best, steps * num_envs / (time.perf_counter() - began))
    return best


def gymnasium_rate(name, num_envs):
    """Return the rate of Gymnasium's vectorised environment, or of its loop over single ones; at most 1,024 in a loop."""
    vectorised = gymnasium.spec(name).vector_entry_point is not None
    if not vectorised and num_envs > 1024:
        return None
    mode = "vector_entry_point" if vectorised else "sync"
    return steps_per_second(gymnasium.make_vec(name, num_envs, vectorization_mode=mode), num_envs)


def main():
    missed = []
    print(f"{'M steps/s':18}{'lanes':>7}{'in place':>10}{'copied':>10}{'Gymnasium':>11}{'ratio':>8}")
    for name, other in CASES:
        for num_envs in (1, 8, 64, 1024, 8192):
            mine = steps_per_second(VectorEnv(name, num_envs, copy=False), num_envs)
            copied = steps_per_second(VectorEnv(name, num_envs), num_envs)
            theirs = gymnasium_rate(other, num_envs) if other else None
            beside = f"{theirs / 1e6:11.3f}{mine / theirs:8.1f}" if theirs else ""
            print(f"{name:18}{num_envs:7}{mine / 1e6:10.2f}{copied / 1e6:10.2f}{beside}", flush=True)
            promised = PROMISED.get((name, num_envs))
            if promised and (mine < promised or mine < TIMES_GYMNASIUM * theirs):
                missed.append(f"{name}, {num_envs} lanes: {mine / 1e6:.2f} M steps/s")
    if missed and "--check" in sys.argv:
        sys.exit("slower than promised: " + "; ".join(missed))


if __name__ == "__main__":
    main()
