//! Cart-pole balance against trajectories of MuJoCo.
//!
//! `data/mujoco.jsonl` was recorded with MuJoCo 4.0.0 on the model of the DeepMind Control Suite's `cartpole.xml` (the top
//! of the pole at twice the half length), every tenth state of each trajectory; the rewards were computed by Python from
//! the suite's `tolerance` functions. The last two trajectories run into the ends of the rail.

use crate::rig::{actions, reset_stream, step};
use metadrift_envs::{CartPoleBalance, Clocks, Env, EnvKind, Initial, Task, VecEnv, replay_kind};

#[derive(serde::Deserialize)]
struct Recording {
    half_length: f64,
    initial_state: Vec<f64>,
    actions: Vec<f64>,
    states: Vec<Vec<f64>>,
    rewards: Vec<f64>,
}

#[test]
fn states_and_rewards_are_those_of_mujoco_and_the_suite() {
    let mut at_an_end = 0;
    for line in include_str!("data/mujoco.jsonl").lines() {
        let Recording { half_length, initial_state, actions, states, rewards } = serde_json::from_str(line).unwrap();
        let params = [("half_length", half_length)];
        let path = replay_kind(EnvKind::CartPoleBalance, None, &params, Initial::State(&initial_state), &actions);
        let path = path.unwrap();
        assert_eq!(path.states.len(), 10 * states.len());
        for (index, expected) in states.iter().enumerate() {
            let found = &path.states[10 * index + 9];
            let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-11);
            assert!(near, "half length {half_length}, step {}: {found:?} {expected:?}", 10 * index + 10);
            assert!((path.rewards[10 * index + 9] - rewards[index]).abs() < 1e-11);
            at_an_end += usize::from(expected[0].abs() > 1.8);
        }
        assert!(path.terminated.iter().all(|over| !over));
    }
    assert!(at_an_end > 10, "{at_an_end}");
}

#[test]
fn the_reward_is_one_for_a_pole_at_rest_and_less_for_effort() {
    // with u = 1 nothing is left of the part for small commands: 4/5; the step itself moves little
    let reward = |command: f64| {
        let start = [0.0; 4];
        replay_kind(EnvKind::CartPoleBalance, None, &[], Initial::State(&start), &[command]).unwrap().rewards[0]
    };
    assert_eq!(reward(0.0), 1.0);
    assert!((reward(1.0) - 0.8).abs() < 2e-3 && (reward(-0.5) - 0.95).abs() < 1e-3, "{} {}", reward(1.0), reward(-0.5));
    assert_eq!(reward(7.0), reward(1.0));
}

#[test]
fn without_friction_and_force_the_energy_stays() {
    // E = M v^2 / 2 + J w^2 / 2 + m l v w cos + m g l cos; J for the capsule: of 3 h of cylinder and 4 r of ball
    let quiet = [("cart_friction", 0.0), ("pole_friction", 0.0), ("rail_limit", 50.0), ("half_length", 0.7)];
    let start = [0.3, -0.4, 0.5, 1.5];
    let path = replay_kind(EnvKind::CartPoleBalance, None, &quiet, Initial::State(&start), &[0.0; 1000]).unwrap();
    let (m, l, r, h) = (0.1, 0.7, 0.045, 1.4);
    let ball = m * 4.0 * r / (4.0 * r + 3.0 * h);
    let inertia =
        (m - ball) * (3.0 * r * r + h * h) / 12.0 + ball * (0.4 * r * r + h * h / 4.0 + 3.0 * h * r / 8.0) + m * l * l;
    let energy = |s: &[f64]| {
        0.55 * s[1] * s[1] + 0.5 * inertia * s[3] * s[3] + m * l * s[1] * s[3] * s[2].cos() + m * 9.81 * l * s[2].cos()
    };
    let first = energy(&start);
    assert!(path.states.iter().all(|state| (energy(state) - first).abs() < 1e-5 * first));
}

#[test]
fn the_batch_follows_the_reference_and_an_inverted_actuator_mirrors_it() {
    let start = |gain: f64| {
        let task = Task::nominal(&CartPoleBalance::SPEC).with(&CartPoleBalance::SPEC, "actuator_gain", gain).unwrap();
        VecEnv::<CartPoleBalance>::new(&[(&task, 1)], 1000, reset_stream(4), Clocks::default())
    };
    for gain in [1.0, -1.0] {
        let mut env = start(gain);
        let initial = env.state(0).map(f64::from);
        let within = [0.1, 0.018, 0.034, 0.018];
        assert!(initial.iter().zip(within).all(|(x, limit)| x.abs() <= limit && *x != 0.0), "{initial:?}");
        let commands: Vec<f32> =
            (0..60).map(|tick| actions::<CartPoleBalance>(tick, 0, 1)[0].clamp(-1.0, 1.0)).collect();
        let pushes: Vec<f64> = commands.iter().map(|command| gain * f64::from(*command)).collect();
        let path = replay_kind(EnvKind::CartPoleBalance, None, &[], Initial::State(&initial), &pushes).unwrap();
        for (tick, command) in commands.iter().enumerate() {
            let out = step(&mut env, &[*command]);
            let near = env.state(0).iter().zip(&path.states[tick]).all(|(f, e)| (f64::from(*f) - e).abs() < 1e-4);
            assert!(near && (f64::from(out.reward[0]) - path.rewards[tick]).abs() < 1e-5, "{gain} {tick}");
        }
    }
}
