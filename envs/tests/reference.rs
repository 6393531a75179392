//! The physics against sources outside this crate: trajectories recorded from Gymnasium 1.4.0
//! (`data/gymnasium.jsonl`) and equations of motion derived here from the mechanics.

use std::{collections::BTreeMap, f64::consts::TAU};

use metadrift_envs::{
    CartPole, CartPoleParams, Env, EnvKind, Initial, IntegratorKind, Pendulum, PendulumParams, Trajectory, Version,
    replay, replay_kind,
};

#[derive(serde::Deserialize)]
struct Recording {
    env: String,
    params: BTreeMap<String, f64>,
    integrator: String,
    initial_state: Vec<f64>,
    actions: Vec<f64>,
    states: Vec<Vec<f64>>,
    observations: Vec<Vec<f64>>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
}

impl Recording {
    fn kind(&self) -> EnvKind {
        EnvKind::from_name(&self.env).unwrap()
    }

    fn integrator(&self) -> IntegratorKind {
        match self.integrator.as_str() {
            "euler" => IntegratorKind::Euler,
            "semi_implicit" => IntegratorKind::SemiImplicit,
            other => panic!("integrator {other}"),
        }
    }

    fn replay(&self, initial_state: &[f64], actions: &[f64]) -> Trajectory {
        let params: Vec<(&str, f64)> = (self.params.iter()).map(|(name, value)| (name.as_str(), *value)).collect();
        let integrator = Some(self.integrator());
        replay_kind(self.kind(), integrator, &params, Initial::State(initial_state), actions).unwrap()
    }

    /// State before each step.
    fn before(&self, step: usize) -> &[f64] {
        if step == 0 { &self.initial_state } else { &self.states[step - 1] }
    }
}

fn recordings() -> Vec<Recording> {
    let lines = include_str!("data/gymnasium.jsonl").lines();
    let all: Vec<Recording> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.len(), 24);
    all
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        let error = (f - e).abs();
        assert!(error <= tolerance * e.abs().max(1e-3), "{found:?} is not {expected:?}");
    }
}

#[test]
fn f64_replays_gymnasium() {
    for recording in recordings() {
        let replayed = recording.replay(&recording.initial_state, &recording.actions);
        assert_eq!(replayed.states.len(), recording.states.len());
        for (found, expected) in replayed.states.iter().zip(&recording.states) {
            assert_close(found, expected, 1e-12);
        }
        for (found, expected) in replayed.observations.iter().zip(&recording.observations) {
            let found: Vec<f64> = found.iter().map(|obs| f64::from(*obs)).collect();
            assert_eq!(&found, expected);
        }
        assert_eq!(replayed.terminated, recording.terminated);
        match recording.kind() {
            EnvKind::CartPole => assert_eq!(replayed.rewards, recording.rewards),
            _ => assert_close(&replayed.rewards, &recording.rewards, 1e-12),
        }
    }
}

#[test]
fn f64_steps_from_any_recorded_state_as_gymnasium_does() {
    // unlike the whole trajectory this does not depend on the last bit of the C library's sine
    for recording in recordings() {
        for (step, expected) in recording.states.iter().enumerate() {
            let action = &recording.actions[step..=step];
            let replayed = recording.replay(recording.before(step), action);
            assert_close(&replayed.states[0], expected, 1e-12);
        }
    }
}

/// One step in `f32` from a recorded state: (state, obs, reward, terminated).
fn step_f32<E: Env>(params: &E::Params<f32>, state: &[f64], action: f64) -> (Vec<f64>, Vec<f64>, f64, bool) {
    use metadrift_envs::Array;
    let state = E::State::<f32>::from_fn(|i| state[i] as f32);
    let command = E::command(params, E::Action::<f32>::from_fn(|_| action as f32));
    let next = E::step(params, state, command, command);
    let wide = |numbers: &[f32]| numbers.iter().map(|x| f64::from(*x)).collect();
    (wide(next.state.as_ref()), wide(E::observe(params, next.state).as_ref()), f64::from(next.reward), next.terminated)
}

/// Rounding errors of one step, in units of 2^-24: of the state relative to `scale`, of the
/// observation and of the reward relative to max(1, its size).
fn f32_errors(recording: &Recording, step: usize) -> [f64; 3] {
    let value = |spec: &metadrift_envs::ParamSpec| *recording.params.get(spec.name).unwrap_or(&spec.default) as f32;
    let before = recording.before(step);
    let action = recording.actions[step];
    let (mut state, obs, reward, terminated) = match recording.kind() {
        EnvKind::CartPole => {
            let params = CartPoleParams {
                version: Version { integrator: recording.integrator(), ..Version::FULL },
                ..CartPole::params(|index| value(&CartPole::SPEC.params[index]))
            };
            step_f32::<CartPole>(&params, before, action)
        }
        _ => {
            let params = Pendulum::params(|index| value(&Pendulum::SPEC.params[index]));
            step_f32::<Pendulum>(&params, before, action)
        }
    };
    assert_eq!(terminated, recording.terminated[step]);
    // f32 keeps the pendulum's angle within half a turn; no cart is that far from where it should be
    state[0] += TAU * ((recording.states[step][0] - state[0]) / TAU).round();
    let worst = |found: &[f64], expected: &[f64]| {
        let errors = found.iter().zip(expected).map(|(f, e)| (f - e).abs() / e.abs().max(1.0));
        errors.fold(0.0, f64::max) * 16_777_216.0
    };
    [
        worst(&state, &recording.states[step]),
        worst(&obs, &recording.observations[step]),
        worst(&[reward], &recording.rewards[step..=step]),
    ]
}

#[test]
fn f32_steps_within_a_few_roundings_of_gymnasium() {
    // bounds in units of 2^-24; measured 7.1 for states. The unwrapped angle of the pendulum is
    // rounded before and after the step, which its sine and the cost show.
    for recording in recordings() {
        for step in 0..recording.states.len() {
            let angle = match recording.kind() {
                EnvKind::Pendulum => recording.before(step)[0].abs(),
                _ => 0.0,
            };
            let [state, obs, reward] = f32_errors(&recording, step);
            assert!(state <= 8.0, "{} state: {state}", recording.env);
            assert!(obs <= 4.0 + 2.0 * angle, "{} obs: {obs}", recording.env);
            assert!(reward <= 8.0 + 2.0 * angle, "{} reward: {reward}", recording.env);
        }
    }
}

/// Parameters at their defaults, but for one.
fn with<E: Env>(name: &str, value: f64) -> E::Params<f64> {
    let params = E::SPEC.params;
    assert!(params.iter().any(|param| param.name == name));
    E::params(|index| if params[index].name == name { value } else { params[index].default })
}

/// The next state of a cart with a uniform rod hinged to it, by Lagrange's equations for the
/// coordinates (x along the track, theta from the vertical): the mass matrix is solved by Cramer's
/// rule, then one Euler step. The centre of the rod moves with x' (cos a, sin a) + l theta'
/// (cos theta, -sin theta) on a track that rises by the angle a, which gives cos(theta + a).
fn cartpole_by_lagrange(p: &CartPoleParams<f64>, state: [f64; 4], applied: f64) -> [f64; 4] {
    let [x, x_dot, theta, theta_dot] = state;
    let (m, l, tilt) = (p.mass_pole, p.half_length, p.track_tilt);
    // kinetic energy: cart, centre of the rod, rotation of the rod about it (m (2 l)^2 / 12)
    let m11 = p.mass_cart + m;
    let m12 = m * l * (theta + tilt).cos();
    let m22 = m * l * l + m * (2.0 * l).powi(2) / 12.0;
    // potential energy: (mc + m) g x sin a + m g l cos theta; then friction, wind and push
    let f1 = p.force_mag * applied + p.wind_force - p.cart_friction * x_dot - m11 * p.gravity * tilt.sin()
        + m * l * (theta + tilt).sin() * theta_dot.powi(2);
    let f2 = m * p.gravity * l * theta.sin() - p.pole_friction * theta_dot;
    let determinant = m11 * m22 - m12 * m12;
    let x_acc = (f1 * m22 - m12 * f2) / determinant;
    let theta_acc = (m11 * f2 - m12 * f1) / determinant;
    [x + p.tau * x_dot, x_dot + p.tau * x_acc, theta + p.tau * theta_dot, theta_dot + p.tau * theta_acc]
}

#[test]
fn every_cartpole_parameter_acts_as_the_equations_of_motion_say() {
    let state = [0.3, -0.7, 0.15, 0.9];
    let nominal = with::<CartPole>("gravity", 9.8);
    let step = |p: &CartPoleParams<f64>| CartPole::step(p, state, [-1.0], [-0.8]);
    let changes = [
        ("gravity", 13.0),
        ("mass_cart", 1.7),
        ("mass_pole", 0.35),
        ("half_length", 0.8),
        ("force_mag", 6.5),
        ("tau", 0.05),
        ("cart_friction", 0.7),
        ("pole_friction", 0.03),
        ("wind_force", -4.0),
        ("track_tilt", 0.2),
    ];
    for (name, value) in changes {
        let params = with::<CartPole>(name, value);
        let moved = step(&params).state;
        assert_close(&moved, &cartpole_by_lagrange(&params, state, -0.8), 1e-13);
        assert_ne!(moved, step(&nominal).state, "{name}");
        assert_eq!(step(&params).reward, 1.0);
        assert!(!step(&params).terminated);
    }
    let all = CartPole::params(|index| {
        let param = &CartPole::SPEC.params[index];
        changes.iter().find(|(name, _)| *name == param.name).map_or(param.default, |(_, value)| *value)
    });
    assert_close(&step(&all).state, &cartpole_by_lagrange(&all, state, -0.8), 1e-13);
    // the limits do not move the state, they end the episode: 0.286 m and 0.168 rad after the step
    for (name, inside, outside) in [("x_limit", 0.29, 0.28), ("theta_limit", 0.17, 0.16)] {
        let inside = with::<CartPole>(name, inside);
        let outside = with::<CartPole>(name, outside);
        assert!(!step(&inside).terminated && step(&outside).terminated, "{name}");
        assert_eq!(step(&outside).state, step(&nominal).state);
        assert_eq!(step(&outside).reward, 1.0);
    }
    // the rest: the set-point of the reward and the four initial ranges, in tests of their own
    assert_eq!(CartPole::SPEC.params.len(), changes.len() + 2 + 5);
}

/// The next state of a rod hinged at one end, from its moment of inertia m l^2 / 3 and the weight
/// m g at half its length: velocity first, angle with the new velocity.
fn pendulum_by_newton(p: &PendulumParams<f64>, state: [f64; 2], torque: f64) -> [f64; 2] {
    let [theta, theta_dot] = state;
    let inertia = p.mass * p.length.powi(2) / 3.0;
    let weight = p.mass * p.gravity * p.length / 2.0 * theta.sin();
    let torque = torque + p.wind_torque - p.damping * theta_dot;
    let theta_dot = theta_dot + (weight + torque) / inertia * p.dt;
    let theta_dot = theta_dot.max(-p.max_speed).min(p.max_speed);
    [theta + theta_dot * p.dt, theta_dot]
}

#[test]
fn every_pendulum_parameter_acts_as_the_equation_of_motion_says() {
    let state = [0.6, 2.4];
    let nominal = with::<Pendulum>("gravity", 10.0);
    let step = |p: &PendulumParams<f64>| {
        let command = Pendulum::command(p, [1.7]);
        (command, Pendulum::step(p, state, command, command))
    };
    // 2.4 rad/s + 0.05 s (15 sin 0.6 + 3 * 1.7) = 3.08 rad/s: above a limit of 3
    let changes = [
        ("gravity", 7.0),
        ("mass", 1.4),
        ("length", 0.7),
        ("dt", 0.02),
        ("max_torque", 1.1),
        ("max_speed", 3.0),
        ("damping", 0.4),
        ("wind_torque", -1.3),
    ];
    for (name, value) in changes {
        let params = with::<Pendulum>(name, value);
        let ([command], next) = step(&params);
        assert_eq!(command, if name == "max_torque" { 1.1 } else { 1.7 });
        assert_close(&next.state, &pendulum_by_newton(&params, state, command), 1e-13);
        assert_ne!(next.state, step(&nominal).1.state, "{name}");
        let cost = 0.6 * 0.6 + 0.1 * 2.4 * 2.4 + 0.001 * command * command;
        assert_close(&[next.reward], &[-cost], 1e-13);
    }
    let offset = with::<Pendulum>("angle_offset", 0.25);
    assert_eq!(step(&offset), step(&nominal));
    let seen = [0.85_f64.cos(), 0.85_f64.sin(), 2.4];
    assert_close(&Pendulum::observe(&offset, state), &seen, 1e-15);
    let hold = with::<Pendulum>("hold_angle", -0.9);
    assert_eq!(step(&hold).1.state, step(&nominal).1.state);
    assert_close(&[step(&hold).1.reward], &[-(1.5 * 1.5 + 0.1 * 2.4 * 2.4 + 0.001 * 1.7 * 1.7)], 1e-13);
    // the short way round
    let behind = Pendulum::step(&with::<Pendulum>("hold_angle", -3.0), [0.6, 0.0], [0.0], [0.0]);
    assert_close(&[behind.reward], &[-(2.0 * std::f64::consts::PI - 3.6).powi(2)], 1e-13);
    // the rest: the two initial ranges
    assert_eq!(Pendulum::SPEC.params.len(), changes.len() + 2 + 2);
}

#[test]
fn the_cost_is_that_of_the_command_and_the_motion_that_of_the_torque_applied() {
    let params = with::<Pendulum>("gravity", 10.0);
    let next = Pendulum::step(&params, [0.6, 2.4], [2.0], [-3.0]);
    assert_close(&next.state, &pendulum_by_newton(&params, [0.6, 2.4], -3.0), 1e-13);
    assert_close(&[next.reward], &[-(0.36 + 0.576 + 0.004)], 1e-13);
}

#[test]
fn a_heavier_pendulum_with_a_stronger_actuator_moves_the_same() {
    // theta'' = 3 g / (2 l) sin theta + 3 gain u / (m l^2): mass and gain act only as gain / m
    for (mass, tolerance) in [(2.0, 0.0), (0.25, 0.0), (1.7, 1e-11)] {
        let heavy = with::<Pendulum>("mass", mass);
        let light = with::<Pendulum>("mass", 1.0);
        let mut state = [2.0, 0.3];
        let mut expected = [2.0, 0.3];
        for step in 0..200 {
            let command = [2.0 * f64::sin(0.1 * f64::from(step))];
            let heavy_next = Pendulum::step(&heavy, state, command, [command[0] * mass]);
            let light_next = Pendulum::step(&light, expected, command, command);
            state = heavy_next.state;
            expected = light_next.state;
            assert_close(&state, &expected, tolerance);
            assert_close(&[heavy_next.reward], &[light_next.reward], tolerance);
        }
    }
}

#[test]
fn a_pendulum_without_torque_keeps_its_energy_to_first_order() {
    // the semi-implicit step conserves H + (dt / 2) dH/dtheta dH/dp up to second order, with
    // H = I theta_dot^2 / 2 + m g (l / 2) cos theta and p = I theta_dot: so H itself only
    // oscillates, by at most dt |theta_dot m g l / 2 sin theta|, and does not drift
    for dt in [0.02, 0.005] {
        let params = with::<Pendulum>("dt", dt);
        let energy = |[theta, theta_dot]: [f64; 2]| theta_dot.powi(2) / 6.0 + 5.0 * theta.cos();
        let torque = |[theta, theta_dot]: [f64; 2]| (theta_dot * 5.0 * theta.sin()).abs();
        let steps = (1000.0 / dt) as usize;
        let start = [2.0, 0.0];
        let free = replay::<Pendulum>(&params, start, std::iter::repeat_n([0.0], steps));
        let mut deviation = 0.0_f64;
        let mut largest = 0.0_f64;
        for state in &free.states {
            let state = [state[0], state[1]];
            deviation = deviation.max((energy(state) - energy(start)).abs());
            largest = largest.max(torque(state));
        }
        assert!(deviation < dt * largest, "{deviation} at dt = {dt}");
        assert!(deviation > 0.1 * dt * largest, "{deviation} at dt = {dt}");
    }
}
