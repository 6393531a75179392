#!/usr/bin/env python3
"""A cart-pole whose motor is turned round while it runs, under graphs in onnxruntime. The controller notices that it earns
less, tries things out for 20 episodes, adapts, and goes on.

    python3 -m venv venv && venv/bin/pip install onnxruntime numpy
    venv/bin/python controller.py

The graphs come from `metadrift export RUN --to exported --format onnx` (exported/onnx), of a run of cartpole-flip.
"""
import math
import pathlib
import random
import statistics

import numpy as np
import onnxruntime

STEPS, EPISODES, TURNED, LEARNS = 500, 24, 10, 20  # the motor is turned before episode 10
THRESHOLD, ALLOWANCE = 5.0, 0.5  # standard deviations of returns
onnxruntime.set_default_logger_severity(3)  # weights that are inputs, too, are meant to be
here, chance = pathlib.Path(__file__).parent, random.Random(7)
policy, adapt = (onnxruntime.InferenceSession(here / name) for name in ("policy.onnx", "adapt.onnx"))


class Plant:
    """CartPole-v1 of Gymnasium: a step of 0.02 s under a push of 10 N to one side or the other."""
    gain = 1.0  # of the motor; the controller does not know it

    def step(self, s, command):
        force, c, sine = self.gain * (10.0 if command > 0.5 else -10.0), math.cos(s[2]), math.sin(s[2])
        temp = (force + 0.05 * s[3] ** 2 * sine) / 1.1
        theta_acc = (9.8 * sine - c * temp) / (0.5 * (4 / 3 - 0.1 * c * c / 1.1))
        changes = s[1], temp - 0.05 * theta_acc * c / 1.1, s[3], theta_acc
        s = [x + 0.02 * change for x, change in zip(s, changes)]
        return s, abs(s[0]) > 2.4 or abs(s[2]) > 0.2094395


def episode(plant, params, learns):
    """Observations, the last one, actions, and whether the pole has fallen. A policy that is to learn draws its actions."""
    state, seen, actions, fallen = [chance.uniform(-0.05, 0.05) for _ in range(4)], [], [], False
    while not fallen and len(actions) < STEPS:
        outputs = policy.run(["action", "probabilities"], {"obs": np.array([state], np.float32), **params})
        seen.append(state)
        actions.append(int(chance.random() >= outputs[1][0, 0]) if learns else int(outputs[0][0]))
        state, fallen = plant.step(state, actions[-1])
    return seen, state, actions, fallen


def adapted(plant):
    """The parameters after an adaptation of the exported ones to fresh episodes, side by side and filled up with zeros."""
    lived = [episode(plant, {}, learns=True) for _ in range(LEARNS)]
    lengths = [len(actions) for _, _, actions, _ in lived]
    filled = lambda rows, zero: [row + [zero] * (max(lengths) - len(row)) for row in rows]
    f32 = lambda numbers: np.array(numbers, np.float32)
    (params,) = adapt.run(["adapted"], {
        "obs": f32(filled([seen for seen, _, _, _ in lived], [0.0] * 4)),
        "last_obs": f32([last for _, last, _, _ in lived]),
        "action": f32(filled([[[a] for a in actions] for _, _, actions, _ in lived], [0.0])),
        "reward": f32(filled([[1.0] * length for length in lengths], 0.0)),
        "length": np.array(lengths, np.int64),
        "terminated": np.array([fallen for _, _, _, fallen in lived]),
    })
    print(f"adapted to {LEARNS} episodes of mean return {statistics.mean(lengths):.1f}")
    return {"params": params}


plant = Plant()
params, returns, height = adapted(plant), [], 0.0
for k in range(EPISODES):
    if k == TURNED:
        plant.gain = -1.0
        print("the motor is turned round")
    earned = len(episode(plant, params, learns=False)[2])
    print(f"episode {k:2}: return {earned}")
    # cumulative sums (Page 1954) of the fall below the usual return, as `metadrift live --detector returns`
    if len(returns) >= 3:
        usual, spread = statistics.mean(returns), max(statistics.stdev(returns), 0.05 * statistics.mean(returns))
        height = max(0.0, height + (usual - earned) / spread - ALLOWANCE)
    returns.append(earned)
    if height > THRESHOLD:
        print("noticed a change")
        params, returns, height = adapted(plant), [], 0.0
