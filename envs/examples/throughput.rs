//! Prints how fast a batch steps on one core: `cargo run --release --example throughput`.
//!
//! Every lane has its own parameters, actions are random (a ring of 8 arrays drawn beforehand),
//! autoreset is on, and each step writes observations, rewards and flags.

use std::hint::black_box;
use std::time::Instant;

use metadrift_envs::{ActionSpace, CartPole, Env, Pendulum, Purpose, StepView, Stream, Task, VecEnv, unit_f32};
use rand::Rng;

const RING: usize = 8;
const REPEATS: usize = 7;

/// A ring of random actions, `[RING, envs, act_dim]`.
fn random_actions<E: Env>(lanes: usize) -> Vec<Vec<f32>> {
    let mut rng = Stream::new(1, Purpose::Action).rng();
    let mut draw = || match E::SPEC.action {
        ActionSpace::Discrete(count) => (unit_f32(rng.next_u32()) * count as f32).floor(),
        ActionSpace::Box { bound, .. } => (2.0 * unit_f32(rng.next_u32()) - 1.0) * bound as f32,
    };
    (0..RING).map(|_| (0..lanes * E::SPEC.act_dim()).map(|_| draw()).collect()).collect()
}

/// Median speed over the repeats (million steps/s).
fn speed<E: Env>(lanes: usize) -> f64 {
    let tasks: Vec<Task> = (0..lanes)
        .map(|lane| {
            let gravity = 9.0 + lane as f64 / lanes as f64;
            let task = Task::nominal(&E::SPEC).with(&E::SPEC, "gravity", gravity);
            task.expect("a legal gravity")
        })
        .collect();
    let tasks: Vec<(&Task, usize)> = tasks.iter().map(|task| (task, 1)).collect();
    let stream = Stream::new(1, Purpose::Reset);
    let mut env = VecEnv::<E>::new(&tasks, E::SPEC.horizon, stream, 0);
    let actions = random_actions::<E>(lanes);
    let mut next_obs = vec![0.0; lanes * E::SPEC.obs_dim()];
    let mut reward = vec![0.0; lanes];
    let (mut terminated, mut truncated) = (vec![false; lanes], vec![false; lanes]);
    let ticks = (8_000_000 / lanes).clamp(200, 400_000);
    let mut speeds: Vec<f64> = (0..=REPEATS)
        .map(|_| {
            let start = Instant::now();
            for tick in 0..ticks {
                let out = StepView {
                    next_obs: &mut next_obs,
                    reward: &mut reward,
                    terminated: &mut terminated,
                    truncated: &mut truncated,
                };
                env.step(black_box(&actions[tick % RING]), out);
                black_box((env.obs(), &next_obs, &reward));
            }
            (ticks * lanes) as f64 / start.elapsed().as_secs_f64() / 1e6
        })
        .skip(1)
        .collect();
    speeds.sort_by(f64::total_cmp);
    speeds[REPEATS / 2]
}

fn main() {
    println!("million steps/s on one core, median of {REPEATS}");
    println!("{:>8} {:>10} {:>10}", "lanes", "cartpole", "pendulum");
    for lanes in [1, 64, 1024, 16384] {
        let cartpole = speed::<CartPole>(lanes);
        let pendulum = speed::<Pendulum>(lanes);
        println!("{lanes:>8} {cartpole:>10.1} {pendulum:>10.1}");
    }
}
