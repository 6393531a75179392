"""Steps of the learned inner rule in plain Python and f64, written from its definition and sharing no code with it.

It prints the directions that the test in agents/src/inner_rule/tests.rs expects, `[steps, coordinates]`:

    python3 scripts/inner_rule_reference.py
"""

import math

HIDDEN, INPUTS = 8, 8
TINY = math.exp(-20)
# the blocks of a network 3 - 2 - 1 with a log standard deviation: (length, depth, bias, rows)
BLOCKS = [(6, 0, 0, 3), (2, 0, 1, 1), (2, 1, 0, 2), (1, 1, 1, 1), (1, 1, 1, 1)]


def unit(weights, x, h):
    """The next memory, and the output; `weights` are those of input, memory, bias and head in this order."""
    number = iter(weights)
    of_x = [[next(number) for _ in range(3 * HIDDEN)] for _ in range(INPUTS)]
    of_h = [[next(number) for _ in range(3 * HIDDEN)] for _ in range(HIDDEN)]
    bias = [next(number) for _ in range(3 * HIDDEN)]
    head = [next(number) for _ in range(HIDDEN)]
    head_bias = next(number)

    def pre(gate):
        a = bias[gate] + sum(x[i] * of_x[i][gate] for i in range(INPUTS))
        return a, sum(h[i] * of_h[i][gate] for i in range(HIDDEN))

    def sigmoid(a):
        return 1 / (1 + math.exp(-a))

    after = []
    for k in range(HIDDEN):
        r = sigmoid(sum(pre(k)))
        z = sigmoid(sum(pre(HIDDEN + k)))
        a, q = pre(2 * HIDDEN + k)
        n = math.tanh(a + r * q)
        after.append((1 - z) * n + z * h[k])
    return after, head_bias + sum(w * y for w, y in zip(head, after))


class Coordinate:
    def __init__(self, depth, bias, rows):
        self.shared = [depth, bias, math.log(rows) / 10]
        self.gradients = []
        self.h = [[0.0] * HIDDEN, [0.0] * HIDDEN]

    def direction(self, weights, g):
        self.gradients.append(g)

        # Adam's moments as weighted means of all gradients, which need no correction
        def mean(beta, values):
            shares = [beta ** (len(values) - 1 - i) for i in range(len(values))]
            return sum(s * v for s, v in zip(shares, values)) / sum(shares)

        m = mean(0.9, self.gradients)
        root = math.sqrt(mean(0.999, [g * g for g in self.gradients]) + TINY)
        x = [g / math.sqrt(g * g + TINY), math.log(g * g + TINY) / 20, m / root, g / root, math.log(root) / 10]
        half = len(weights) // 2
        self.h[0], bend = unit(weights[:half], x + self.shared, self.h[0])
        self.h[1], scale = unit(weights[half:], x + self.shared, self.h[1])
        return (g + root * bend) * math.exp(4 * math.tanh(scale / 4))


def main():
    count = 2 * ((INPUTS + HIDDEN) * 3 * HIDDEN + 3 * HIDDEN + HIDDEN + 1)
    weights = [((37 * i) % 101 - 50) / 100 for i in range(count)]
    coordinates = [Coordinate(*block[1:]) for block in BLOCKS for _ in range(block[0])]
    for step in range(3):
        for i, coordinate in enumerate(coordinates):
            # gradients of five sizes and both signs; every sixth is 0
            size = 0.0 if i % 6 == 5 else 10.0 ** (i % 5 - 4)
            print(f"{coordinate.direction(weights, size * ((7 * i + 3 * step) % 11 - 5) / 4):.12e},")


main()
