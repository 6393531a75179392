#!/usr/bin/env python3
"""The mean return on the preset navigation of a policy that knows the direction of the goal, but not its distance.

It walks along that direction as fast as it can, and stays at the distance that is best for goals uniform on the square: the
same for all directions, or a share of the way to the edge of the square. Beside it the policy that knows the goal.
"""
import math
import random

STEP, STEPS, EDGE, ARRIVED, GOALS = 0.1, 100, 0.5, 0.01, 10_000


def earned(goal, stop):
    """The return of a walk that ends at the distance `stop(edge, distance)`, of the square's edge and of the goal in that direction."""
    distance = math.hypot(*goal)
    # the larger coordinate grows by STEP
    slope = max(map(abs, goal)) / distance
    total = place = 0.0
    for _ in range(STEPS):
        place = min(place + STEP / slope, stop(EDGE / slope, distance))
        away = abs(distance - place)
        total -= away
        if away * slope <= ARRIVED:
            break
    return total


def main():
    draw = random.Random(0)
    goals = [(draw.uniform(-EDGE, EDGE), draw.uniform(-EDGE, EDGE)) for _ in range(GOALS)]
    mean = lambda stop: sum(earned(goal, stop) for goal in goals) / GOALS
    best = lambda rule: max(mean(lambda edge, _, k=k: rule(edge, k / 100)) for k in range(30, 91, 5))
    print(f"one distance for all directions {best(lambda _, k: k):.1f}")
    print(f"a share of the way to the edge {best(lambda edge, k: k * edge):.1f}")
    print(f"the goal is known {mean(lambda _, distance: distance):.1f}")


if __name__ == "__main__":
    main()
