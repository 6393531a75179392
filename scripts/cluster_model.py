#!/usr/bin/env python3
"""Weak scaling of `train --distributed` on a simulated network, for docs/cluster.md.

Each rank has the same number of tasks, whatever the number of ranks. An iteration is a row of computations, each followed by an
exchange in which every rank receives the bytes of all others around a ring. Computations vary from rank to rank, and an exchange
begins with the slowest. Then every rank unpacks and adds up the results of all.
"""
import random

# measured: cartpole-flip, 20 tasks on a rank with two cores (docs/performance.md), and `train --distributed`'s own count
COMPUTE = 0.263  # s an iteration
EXCHANGES = 18  # an iteration
BYTES = 2.25e6  # that a rank contributes to an iteration, for its 20 tasks
UNPACK = 6 * 20 * 33e-6  # s an iteration for the results of one rank: six times 20 gradients of 4,610 numbers, 33 us each
JITTER = 0.03  # standard deviation of a computation, relative
NETWORKS = {"1 Gbit/s": (50e-6, 1.18e8), "25 Gbit/s": (10e-6, 2.9e9), "100 Gbit/s": (3e-6, 1.15e10)}


def iteration(ranks, latency, bandwidth, draw):
    """Seconds of one iteration."""
    part, message = COMPUTE / EXCHANGES, BYTES / EXCHANGES
    ready = [0.0] * ranks
    for _ in range(EXCHANGES):
        ready = [at + part * max(0.0, draw.gauss(1.0, JITTER)) for at in ready]
        # announcement and bytes: each goes around the ring in ranks - 1 steps, which nobody finishes before the slowest began
        steps = ranks - 1
        done = max(ready) + 2 * steps * latency + steps * message / bandwidth
        ready = [done + ranks * UNPACK / EXCHANGES] * ranks
    return max(ready)


def efficiency(ranks, network, rounds=5):
    """Time of one rank over that of `ranks` ranks with as many tasks each."""
    draw = random.Random(ranks)
    mean = lambda n: sum(iteration(n, *NETWORKS[network], draw) for _ in range(rounds)) / rounds
    return mean(1) / mean(ranks)


def half(network):
    """The number of ranks at which half of the time is lost."""
    low, high = 1, 2
    while efficiency(high, network, 2) > 0.5:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if efficiency(middle, network, 2) > 0.5 else (low, middle)
    return high


def main():
    counts = [2, 4, 10, 30, 100, 1000]
    print("| network | " + " | ".join(f"{n} ranks" for n in counts) + " | half is lost at |")
    print("|---|" + "---|" * (len(counts) + 1))
    for network in NETWORKS:
        row = " | ".join(f"{100 * efficiency(n, network):.0f} %" for n in counts)
        print(f"| {network} | {row} | {half(network)} ranks |")


main()
