"""Steps of the learned update rule in plain Python and f64, written from its definition and sharing no code with it.

It prints the parameters that the test in agents/src/update_rule/tests.rs expects:

    python3 scripts/update_rule_reference.py
"""

import math

OWN, SHARED, HIDDEN = 5, 3, 8
INPUTS, GATES = OWN + SHARED, 3 * HIDDEN


def clamp(x, most):
    return max(-most, min(most, x))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def split(weights, sizes):
    parts = []
    for size in sizes:
        parts.append(weights[:size])
        weights = weights[size:]
    assert not weights
    return parts


def gru(weights, x, h):
    """The next memory, and the output."""
    inputs, memory, bias, head, head_bias = split(weights, [INPUTS * GATES, HIDDEN * GATES, GATES, HIDDEN, 1])
    of_x = [bias[g] + sum(x[i] * inputs[i * GATES + g] for i in range(INPUTS)) for g in range(GATES)]
    of_h = [sum(h[i] * memory[i * GATES + g] for i in range(HIDDEN)) for g in range(GATES)]
    new = []
    for k in range(HIDDEN):
        r = sigmoid(of_x[k] + of_h[k])
        z = sigmoid(of_x[HIDDEN + k] + of_h[HIDDEN + k])
        n = math.tanh(of_x[2 * HIDDEN + k] + r * of_h[2 * HIDDEN + k])
        new.append((1 - z) * n + z * h[k])
    return new, head_bias[0] + sum(w * value for w, value in zip(head, new))


def logarithm(size):
    return clamp(math.log(max(size, 1e-30)) / 10, 1)


class Coordinate:
    def __init__(self, start):
        self.param, self.m, self.v, self.steps = start, 0.0, 0.0, 0
        self.h = [[0.0] * HIDDEN, [0.0] * HIDDEN]

    def step(self, weights, g, shared, rate):
        self.steps += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g * g
        root = math.sqrt(self.v / (1 - 0.999**self.steps)) + 1e-5
        direction = self.m / (1 - 0.9**self.steps) / root
        x = [clamp(math.exp(10) * g, 1), logarithm(abs(g)), clamp(direction, 4), clamp(g / root, 4), logarithm(root)]
        half = len(weights) // 2
        self.h[0], bend = gru(weights[:half], x + shared, self.h[0])
        self.h[1], scale = gru(weights[half:], x + shared, self.h[1])
        self.param -= rate * (direction + bend) * math.exp(clamp(scale, 4))


def main():
    weights = [((37 * i) % 101 - 50) / 100 for i in range(2 * ((INPUTS + HIDDEN) * GATES + GATES + HIDDEN + 1))]
    coordinates = [Coordinate(i / 10) for i in range(20)]
    for step in range(4):
        for i, coordinate in enumerate(coordinates):
            # gradients of five sizes and both signs; every sixth is 0
            size = 0.0 if i % 6 == 5 else 10.0 ** (i % 5 - 4)
            g = size * ((7 * i + 3 * step) % 11 - 5) / 4
            shared = [step / 4, 0.5, 0.0] if i < 17 else [step / 4, 1.0, 1.0]
            coordinate.step(weights, g, shared, 0.1)
    for coordinate in coordinates:
        print(f"{coordinate.param:.7f},")


main()
