# A trained policy adapts to a machine that it has not seen: `python examples/python/adapt.py RUN`, where RUN is the folder
# of a run of cartpole-flip, or of its export. The cells of a notebook.

# %%
import sys

import gymnasium

import metadrift
import metadrift.gym

policy = metadrift.load(sys.argv[1] if len(sys.argv) > 1 else "runs/cartpole-flip/latest")
print(policy)

# %% A machine: a task that training did not have. It stays the same from episode to episode.
env = gymnasium.make("metadrift/cartpole-flip-v0", split="in-dist", episodes_per_task=None)
_, info = env.reset(seed=0)
print("the motor delivers this share of a command:", info["parameters"]["actuator_gain"])


# %%
def episode(sample):
    """Lives through one episode; returns the sum of its rewards."""
    obs, _ = env.reset()
    total, over = 0.0, False
    while not over:
        action = policy.act(obs, sample=sample)
        obs, reward, terminated, truncated, _ = env.step(action)
        policy.outcome(reward, obs, terminated, truncated)
        total, over = total + reward, terminated or truncated
    return total


# %% Before adaptation; then as many episodes as a step of training had, with drawn actions, and the step.
before = episode(sample=False)
for _ in range(policy.episodes_per_step):
    episode(sample=True)
told = policy.adapt()
after = sum(episode(sample=False) for _ in range(10)) / 10
print(f"return {before:.0f} before, {after:.0f} after one step on {told.episodes} episodes ({told.samples} steps)")
