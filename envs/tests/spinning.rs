//! A pendulum that turns for a long time keeps its angle in `f32`.

use crate::rig::{actions, reset_stream, step};
use metadrift_envs::{Clocks, Env, EnvKind, Initial, Pendulum, Task, VecEnv, replay_kind};

const STEPS: usize = 60_000;

#[test]
fn a_spinning_pendulum_stays_with_the_f64_path() {
    for (torque, damping) in [(20.0, 0.0), (-20.0, 0.0), (9.0, 0.1)] {
        let params = [("wind_torque", torque), ("damping", damping)];
        let task = params.iter().fold(Task::nominal(&Pendulum::SPEC), |task, (name, value)| {
            task.with(&Pendulum::SPEC, name, *value).unwrap()
        });
        let mut env = VecEnv::<Pendulum>::new(&[(&task, 1)], u32::MAX, reset_stream(1), Clocks::default());
        let start = env.state(0).map(f64::from);
        let pushes: Vec<f64> = (0..STEPS as u32).map(|tick| f64::from(actions::<Pendulum>(tick, 0, 1)[0])).collect();
        let exact = replay_kind(EnvKind::Pendulum, None, &params, Initial::State(&start), &pushes).unwrap();
        let turns = (exact.states[STEPS - 1][0] - start[0]) / std::f64::consts::TAU;
        assert!(turns.abs() > 3000.0, "{turns} turns: no long spin");
        for (tick, (state, shown)) in exact.states.iter().zip(&exact.observations).enumerate() {
            let found = step(&mut env, &[pushes[tick] as f32]).next_obs;
            // dt, as an f32, is off by 1.5e-8 of itself: 6e-9 rad a step; rounding of the sum drifts by some 2e-8
            let bound = 1e-4 + 3e-8 * tick as f64;
            for (found, shown) in found.iter().zip(shown) {
                assert!((found - shown).abs() < 20.0 * bound as f32, "step {tick}: {found} {shown}");
            }
            let (sin, cos) = state[0].sin_cos();
            let off = (f64::from(found[1]) * cos - f64::from(found[0]) * sin).abs();
            assert!(off < bound, "step {tick} with {params:?}: {off:e} rad");
        }
    }
}

#[test]
fn the_f64_path_counts_turns_as_gymnasium_does() {
    let start = [0.0, 8.0];
    let path = replay_kind(EnvKind::Pendulum, None, &[("wind_torque", 1000.0)], Initial::State(&start), &[0.0; 100]);
    // at the speed limit, 8 rad/s, for 5 s
    assert!((path.unwrap().states[99][0] - 40.0).abs() < 1e-9);
}
