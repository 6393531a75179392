//! The environments of the Actuator Inversion Benchmark against closed forms and numbers from elsewhere.

use crate::rig::{Out, actions, reset_stream, step};
use metadrift_envs::{
    Clocks, ComplexOde, DoubleIntegrator, Env, EnvKind, Initial, Task, Trajectory, VecEnv, replay_kind,
};

fn path(env: EnvKind, params: &[(&str, f64)], start: &[f64], actions: &[f64]) -> Trajectory {
    replay_kind(env, None, params, Initial::State(start), actions).unwrap()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let near = |(f, e): (&f64, &f64)| (f - e).abs() < 1e-12;
    assert!(found.iter().zip(expected).all(near), "{found:?} {expected:?}");
}

#[test]
fn a_constant_force_moves_the_mass_along_the_parabola_of_explicit_euler() {
    // v_n = n dt F / m, x_n = x_0 + dt^2 F / m n (n - 1) / 2
    let (mass, force) = (0.8, [0.5, -0.25]);
    let start = [-0.9, 0.85, 0.0, 0.0];
    let found = path(EnvKind::DoubleIntegrator, &[("mass", mass)], &start, &force.repeat(10));
    for (index, state) in found.states.iter().enumerate() {
        let n = index as f64 + 1.0;
        let moved = |k: usize| start[k] + 0.01 * force[k] / mass * n * (n - 1.0) / 2.0;
        let speed = |k: usize| n * 0.1 * force[k] / mass;
        close(state, &[moved(0), moved(1), speed(0), speed(1)]);
    }
}

#[test]
fn friction_holds_the_mass_at_its_terminal_velocity() {
    // q = 1 - dt f / m: v_n = F / f (1 - q^n), x_n = x_0 + dt F / f (n - (1 - q^n) / (1 - q))
    let (mass, friction, force) = (0.5, 1.2, [0.6, -1.0]);
    let params = [("mass", mass), ("friction", friction)];
    let start = [-0.95, 0.99, 0.0, 0.0];
    let found = path(EnvKind::DoubleIntegrator, &params, &start, &force.repeat(15));
    let kept: f64 = 1.0 - 0.1 * friction / mass;
    for (index, state) in found.states.iter().enumerate() {
        let n = index as i32 + 1;
        let grown = 1.0 - kept.powi(n);
        let moved = |k: usize| start[k] + 0.1 * force[k] / friction * (f64::from(n) - grown / (1.0 - kept));
        close(state, &[moved(0), moved(1), force[0] / friction * grown, force[1] / friction * grown]);
    }
}

#[test]
fn a_changing_force_gives_the_states_of_exact_arithmetic() {
    // Python's fractions: p, v = p + v / 10, v (1 - 13 / 70) + F / 7 for m = 7/10, f = 13/10, along each axis
    let actions = [1.0, -1.0, 0.5, -1.0, 1.0, -0.25, -1.0, 1.0, 0.75, 0.125, 0.0, -1.0];
    let found = path(EnvKind::DoubleIntegrator, &[("mass", 0.7), ("friction", 1.3)], &[-0.9, 0.85, 0.0, 0.0], &actions);
    let last = [-0.808_876_946_510_382_6, 0.776_368_033_557_446_3, 0.152_200_043_519_281_93, -0.166_826_348_035_257_42];
    close(found.states.last().unwrap(), &last);
}

#[test]
fn walls_stop_the_position_and_limits_the_velocity_and_the_force() {
    let one = |params: &[(&str, f64)], start: [f64; 4], action: [f64; 2]| {
        path(EnvKind::DoubleIntegrator, params, &start, &action).states[0].clone()
    };
    close(&one(&[], [0.95, -0.95, 0.9, -0.9], [0.5, 0.0]), &[1.0, -1.0, 0.95, -0.9]);
    close(&one(&[], [0.0, 0.0, 0.95, -0.95], [1.0, -1.0]), &[0.095, -0.095, 1.0, -1.0]);
    // an action of 3 is a force of 1; a mass of a tenth then reaches the largest velocity in one step
    close(&one(&[("mass", 0.1)], [0.0; 4], [3.0, -0.5]), &[0.0, 0.0, 1.0, -0.5]);
}

#[test]
fn the_reward_is_for_the_position_after_the_step_and_includes_the_edge() {
    let reward = |start: [f64; 4], params: &[(&str, f64)]| {
        let found = path(EnvKind::DoubleIntegrator, params, &start, &[0.0, 0.0]);
        assert!(!found.terminated[0]);
        found.rewards[0]
    };
    assert_eq!(reward([0.2, 0.0, -1.0, 0.0], &[]), 1.0);
    assert_eq!(reward([0.0, 0.0, 1.0, 0.1], &[]), 0.0, "it has left along a diagonal");
    // 0.0599^2 + 0.0799^2 < 0.1^2 < 0.0601^2 + 0.0801^2
    assert_eq!(reward([0.0599, -0.0799, 0.0, 0.0], &[]), 1.0);
    assert_eq!(reward([0.0601, -0.0801, 0.0, 0.0], &[]), 0.0);
    assert_eq!(reward([0.46, -0.48, 0.0, 0.0], &[("goal_x", 0.5), ("goal_y", -0.5)]), 1.0);
}

#[test]
fn an_inverted_actuator_mirrors_the_push_before_the_force_is_clipped() {
    let forced = |values: &[(&str, f64)], action: [f32; 2]| {
        let task = values.iter().fold(Task::nominal(&DoubleIntegrator::SPEC), |task, (name, value)| {
            task.with(&DoubleIntegrator::SPEC, name, *value).unwrap()
        });
        let mut env = VecEnv::<DoubleIntegrator>::new(&[(&task, 1)], 100, reset_stream(1), Clocks::default());
        let Out { next_obs, .. } = step(&mut env, &action);
        [next_obs[2], next_obs[3]]
    };
    // from rest, a tenth of the force is the velocity
    assert_eq!(forced(&[], [0.5, -0.25]), [0.05, -0.025]);
    assert_eq!(forced(&[("actuator_gain", -1.0)], [0.5, -0.25]), [-0.05, 0.025]);
    assert_eq!(forced(&[("actuator_gain", -2.0)], [1.0, -0.25]), [-0.1, 0.05]);
    assert_eq!(forced(&[("actuator_bias", 0.5)], [1.0, 0.0]), [0.1, 0.05]);
}

#[test]
fn episodes_begin_at_rest_in_every_corner_and_last_a_hundred_steps() {
    let lanes = 10_000;
    let task = Task::nominal(&DoubleIntegrator::SPEC);
    let mut env = VecEnv::<DoubleIntegrator>::new(&[(&task, lanes)], 100, reset_stream(1), Clocks::default());
    let mut corners = [0.0; 4];
    let mut away = 0.0;
    for state in env.obs().chunks(4) {
        assert!(state[..2].iter().all(|x| (0.8..=1.0).contains(&x.abs())) && state[2..] == [0.0, 0.0], "{state:?}");
        corners[usize::from(state[0] > 0.0) + 2 * usize::from(state[1] > 0.0)] += 1.0 / lanes as f64;
        away += f64::from(state[0].abs() + state[1].abs()) / (2 * lanes) as f64;
    }
    // five standard errors: of a share of a quarter 5 sqrt(3 / 16 / n), of a uniform law 5 * 0.2 / sqrt(12 * 2 n)
    assert!(corners.iter().all(|share| (share - 0.25).abs() < 0.022), "{corners:?}");
    assert!((away - 0.9).abs() < 0.0021, "{away}");
    for tick in 1..=100 {
        let out = step(&mut env, &vec![0.0; 2 * lanes]);
        assert!(out.terminated.iter().all(|over| !over) && out.truncated.iter().all(|cut| *cut == (tick == 100)));
    }
}

#[test]
fn the_complex_ode_follows_python() {
    // Python 3: x += (c0 * a + c1 * a ** 2).real * 0.01, a = complex(re, im), c0 = -4.5, c1 = 7.25, x = 0.3
    let actions = [1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.5, -0.75, -0.25, 0.25, 0.9, 0.9, -0.6, -0.1, 0.0, -1.0];
    let found = path(EnvKind::ComplexOde, &[("c0", -4.5), ("c1", 7.25)], &[0.3], &actions);
    let expected = [0.3275, 0.445, 0.3725, 0.32734375, 0.33859375, 0.29809375, 0.35046875, 0.27796875];
    close(&found.states.concat(), &expected);
}

#[test]
fn the_batch_follows_the_complex_ode_in_single_precision() {
    let task = Task::nominal(&ComplexOde::SPEC).with(&ComplexOde::SPEC, "c1", -3.0).unwrap();
    let mut env = VecEnv::<ComplexOde>::new(&[(&task, 5)], 200, reset_stream(2), Clocks::default());
    let mut expected: Vec<f64> = env.obs().iter().map(|x| f64::from(*x)).collect();
    for tick in 0..150 {
        let chosen = actions::<ComplexOde>(tick, 0, 5);
        let out = step(&mut env, &chosen);
        for (lane, x) in expected.iter_mut().enumerate() {
            // a^2 has the real part |a|^2 cos(2 arg a)
            let [re, im] = [0, 1].map(|k| f64::from(chosen[2 * lane + k].clamp(-1.0, 1.0)));
            *x += 0.01 * (re - 3.0 * re.hypot(im).powi(2) * (2.0 * im.atan2(re)).cos());
            assert!((f64::from(out.next_obs[lane]) - *x).abs() < 1e-4, "{tick} {lane}");
        }
    }
}

#[test]
fn a_constant_action_moves_the_number_along_a_line() {
    // polar form: Re(c0 a + c1 a^2) = c0 r cos(phi) + c1 r^2 cos(2 phi)
    let (c0, c1, radius, angle) = (9.0, -6.5, 0.7_f64, 2.2_f64);
    let action = [radius * angle.cos(), radius * angle.sin()];
    let found = path(EnvKind::ComplexOde, &[("c0", c0), ("c1", c1)], &[0.6], &action.repeat(50));
    let rate = c0 * radius * angle.cos() + c1 * radius * radius * (2.0 * angle).cos();
    let line: Vec<f64> = (1..=50).map(|n| 0.6 + 0.01 * rate * f64::from(n)).collect();
    close(&found.states.concat(), &line);
    // the number is held within 20, and a square moves one way only
    let fast = path(EnvKind::ComplexOde, &[("c0", 0.0), ("c1", 100.0)], &[19.5], &[1.0, 0.0, -1.0, 0.0, 0.0, 1.0]);
    close(&fast.states.concat(), &[20.0, 20.0, 19.0]);
    // actions are clipped to 1: 19.5 - 0.05
    close(&path(EnvKind::ComplexOde, &[("c0", 5.0)], &[19.5], &[-4.0, 0.0]).states.concat(), &[19.45]);
}

#[test]
fn the_complex_ode_pays_by_the_distance_from_zero() {
    let table = [
        (0.0, 1.0),
        (0.049, 1.0),
        (0.05, 0.5),
        (0.099, 0.5),
        (0.1, 1.0 / 3.0),
        (0.199, 1.0 / 3.0),
        (0.2, 0.25),
        (0.499, 0.25),
        (0.5, 0.05),
        (1.999, 0.05),
        (2.0, 0.0),
        (20.0, 0.0),
    ];
    for (distance, expected) in table {
        for x in [distance, -distance] {
            let found = path(EnvKind::ComplexOde, &[], &[x], &[0.0, 0.0]);
            assert_eq!((found.rewards[0], found.terminated[0]), (expected, false), "{x}");
        }
    }
    // it is the reward of the state after the step: from 0.055 to 0.045
    assert_eq!(path(EnvKind::ComplexOde, &[], &[0.055], &[-1.0, 0.0]).rewards, [1.0]);
}

#[test]
fn the_complex_ode_begins_anywhere_within_one_of_zero() {
    let lanes = 10_000;
    let task = Task::nominal(&ComplexOde::SPEC);
    let env = VecEnv::<ComplexOde>::new(&[(&task, lanes)], 200, reset_stream(1), Clocks::default());
    let low = env.obs().iter().copied().fold(f32::INFINITY, f32::min);
    let high = env.obs().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = env.obs().iter().sum::<f32>() / lanes as f32;
    assert!((-1.0..-0.999).contains(&low) && (0.999..=1.0).contains(&high));
    // five standard errors of a uniform law of width 2: 5 * 2 / sqrt(12 n)
    assert!(mean.abs() < 10.0 / (12.0 * lanes as f32).sqrt(), "{mean}");
}
