#!/usr/bin/env python3
"""Writes agents/tests/data/ppo_reference.json: whole PPO updates computed in f64 NumPy, without backpropagation.

Gradients are central differences of the losses as the papers state them, so nothing here shares a derivation with the
crate. `python3 -m venv VENV && VENV/bin/pip install numpy && VENV/bin/python scripts/ppo_reference.py`
"""
import json
import pathlib

import numpy as np

STEPS, ENVS, OBS = 7, 2, 3
GAMMA, LAMBDA, CLIP, ENT, MAX_NORM, LR, VALUE_LR = 0.9, 0.8, 0.2, 0.01, 0.5, 3e-3, 2e-3
EPOCHS, MINIBATCH = 2, 5


def unpack(flat, widths):
    layers, at = [], 0
    for i, o in zip(widths, widths[1:]):
        layers.append((flat[at : at + i * o].reshape(i, o), flat[at + i * o : at + i * o + o]))
        at += i * o + o
    return layers, flat[at:]


def network(flat, widths, x):
    layers, rest = unpack(flat, widths)
    for n, (w, b) in enumerate(layers):
        x = x @ w + b
        if n + 1 < len(layers):
            x = np.tanh(x)
    return x, rest


def log_prob_and_entropy(head, flat, widths, obs, action):
    out, log_std = network(flat, widths, obs)
    if head == "categorical":
        log_p = out - np.log(np.exp(out).sum(1, keepdims=True))
        return log_p[np.arange(len(obs)), action[:, 0].astype(int)], -(np.exp(log_p) * log_p).sum(1)
    var = np.exp(2 * log_std)
    log_p = (-((action - out) ** 2) / (2 * var) - log_std - 0.5 * np.log(2 * np.pi)).sum(1)
    return log_p, np.full(len(obs), (0.5 * np.log(2 * np.pi * np.e) + log_std).sum())


def policy_loss(head, flat, widths, obs, action, old, advantage):
    log_p, entropy = log_prob_and_entropy(head, flat, widths, obs, action)
    ratio = np.exp(log_p - old)
    gain = np.minimum(ratio * advantage, np.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage)
    return -gain.mean() - ENT * entropy.mean()


def differences(f, x, h=1e-6):
    gradient = np.zeros_like(x)
    for i in range(len(x)):
        step = np.zeros_like(x)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


class Adam:
    def __init__(self, n):
        self.m, self.v, self.t = np.zeros(n), np.zeros(n), 0

    def step(self, x, g, lr):
        norm = np.sqrt((g * g).sum())
        g = g * min(1.0, MAX_NORM / norm)
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g * g
        return x - lr * (self.m / (1 - 0.9**self.t)) / (np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-5)


def case(head, seed):
    rng = np.random.default_rng(seed)
    single = lambda x: np.asarray(x, dtype=np.float32).astype(float)
    outputs = 3 if head == "categorical" else 2
    widths, value_widths = [OBS, 4, outputs], [OBS, 5, 1]
    count = lambda w: sum(i * o + o for i, o in zip(w, w[1:]))
    policy = single(rng.normal(0, 0.5, count(widths) + (0 if head == "categorical" else outputs)))
    value = single(rng.normal(0, 0.5, count(value_widths)))
    obs, next_obs = single(rng.normal(size=(STEPS, ENVS, OBS))), single(rng.normal(size=(STEPS, ENVS, OBS)))
    reward = single(rng.normal(size=(STEPS, ENVS)))
    terminated, truncated = np.zeros((STEPS, ENVS), bool), np.zeros((STEPS, ENVS), bool)
    terminated[2, 0] = truncated[4, 0] = truncated[1, 1] = terminated[5, 1] = truncated[5, 1] = True
    for t in range(STEPS - 1):  # within an episode the next observation is the next step's
        for e in range(ENVS):
            if not (terminated[t, e] or truncated[t, e]):
                next_obs[t, e] = obs[t + 1, e]
    rows = STEPS * ENVS
    if head == "categorical":
        action = rng.integers(0, outputs, (rows, 1)).astype(float)
    else:
        action = single(rng.normal(size=(rows, outputs)))
    flat_obs = obs.reshape(rows, OBS)
    # a policy that has moved a little since it collected: some ratios lie outside the clipping range
    old = single(log_prob_and_entropy(head, policy, widths, flat_obs, action)[0] + rng.normal(0, 0.2, rows))

    # the network answers in units of 1 / (1 - gamma)
    v = network(value, value_widths, flat_obs)[0].reshape(STEPS, ENVS) / (1 - GAMMA)
    after = network(value, value_widths, next_obs.reshape(rows, OBS))[0].reshape(STEPS, ENVS) / (1 - GAMMA)
    advantage = np.zeros((STEPS, ENVS))
    for e in range(ENVS):
        # by definition: the sum of (gamma lambda)^k delta over the rest of the episode
        for t in range(STEPS):
            weight = 1.0
            for u in range(t, STEPS):
                delta = reward[u, e] + GAMMA * (0.0 if terminated[u, e] else after[u, e]) - v[u, e]
                advantage[t, e] += weight * delta
                weight *= GAMMA * LAMBDA
                if terminated[u, e] or truncated[u, e]:
                    break
    target = (advantage + v).reshape(rows) * (1 - GAMMA)
    advantage = advantage.reshape(rows)

    orders = [rng.permutation(rows).tolist() for _ in range(EPOCHS)]
    new_policy, new_value = policy.copy(), value.copy()
    adam, value_adam = Adam(len(policy)), Adam(len(value))
    for order in orders:
        for start in range(0, rows, MINIBATCH):
            i = np.array(order[start : start + MINIBATCH])
            a = (advantage[i] - advantage[i].mean()) / (advantage[i].std(ddof=1) + 1e-8)
            loss = lambda x: policy_loss(head, x, widths, flat_obs[i], action[i], old[i], a)
            new_policy = adam.step(new_policy, differences(loss, new_policy), LR)
            error = lambda x: 0.5 * ((network(x, value_widths, flat_obs[i])[0][:, 0] - target[i]) ** 2).mean()
            new_value = value_adam.step(new_value, differences(error, new_value), VALUE_LR)
    flat = lambda x: np.asarray(x).reshape(-1).tolist()
    return {
        "head": head, "outputs": outputs, "obs": flat(obs), "next_obs": flat(next_obs), "action": flat(action),
        "log_prob": flat(old), "reward": flat(reward), "terminated": flat(terminated), "truncated": flat(truncated),
        "orders": orders, "policy": flat(policy), "value": flat(value), "advantage": flat(advantage),
        "target": flat(target), "new_policy": flat(new_policy), "new_value": flat(new_value),
    }


cases = [case("categorical", 1), case("gaussian", 2)]
path = pathlib.Path(__file__).parent.parent / "agents/tests/data/ppo_reference.json"
path.write_text(json.dumps(cases) + "\n")
