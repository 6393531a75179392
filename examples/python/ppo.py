# Stable-Baselines3's PPO learns on tasks of this package: `pip install metadrift[gym] stable-baselines3`, then
# `python examples/python/ppo.py [STEPS]`. The cells of a notebook.

# %%
import sys

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import metadrift.gym  # noqa: F401, registers the environments

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000

# %% Eight machines; each draws another task for every episode.
venv = DummyVecEnv([lambda: gymnasium.make("metadrift/cartpole-flip-v0")] * 8)
model = PPO("MlpPolicy", venv, n_steps=256, batch_size=256, learning_rate=3e-4, seed=0, device="cpu")
model.learn(STEPS)

# %% Held-out tasks. PPO does not adapt: it has to do with one policy for motors that push either way.
env = gymnasium.make("metadrift/cartpole-flip-v0", split="in-dist")
returns = {True: [], False: []}
for task in range(50):
    obs, info = env.reset(seed=task)
    total, over = 0.0, False
    while not over:
        obs, reward, terminated, truncated, info = env.step(model.predict(obs, deterministic=True)[0])
        total, over = total + reward, terminated or truncated
    returns[info["parameters"]["actuator_gain"] > 0].append(total)
for right, all_returns in returns.items():
    print(f"motor {'as wired' if right else 'inverted'}: mean return {np.mean(all_returns):.1f} of 500")
