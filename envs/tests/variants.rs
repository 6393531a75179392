//! Variants that a task may choose besides the published physics: integrators, rewards and initial ranges.

use metadrift_envs::{CartPole, Env, IntegratorKind, Pendulum, RewardKind, Version};

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        let error = (f - e).abs();
        assert!(error <= tolerance * e.abs().max(1e-3), "{found:?} is not {expected:?}");
    }
}

/// Parameters at their defaults, but for one.
fn with<E: Env>(name: &str, value: f64) -> E::Params<f64> {
    let params = E::SPEC.params;
    assert!(params.iter().any(|param| param.name == name));
    E::params(|index| if params[index].name == name { value } else { params[index].default })
}

#[test]
fn the_rewards_of_cartpole_are_what_they_say() {
    let reward = |kind: RewardKind, name: &str, value: f64, state: [f64; 4]| {
        let version = Version { reward: kind, ..Version::FULL };
        let params = CartPole::with_version(with::<CartPole>(name, value), version);
        let next = CartPole::step(&params, state, [1.0], [1.0]);
        (next.reward, next.terminated)
    };
    let up = [0.48, 0.0, 0.05, 0.0];
    let falling = [0.48, 0.0, 0.21, 0.0];
    assert_eq!(reward(RewardKind::Gym, "gravity", 9.8, falling), (1.0, true));
    assert_eq!(reward(RewardKind::SuttonBarto, "gravity", 9.8, up), (0.0, false));
    assert_eq!(reward(RewardKind::SuttonBarto, "gravity", 9.8, falling), (-1.0, true));
    // positions do not change in the first Euler step from rest: 0.48 / 2.4 = 0.2, 0.05 of 12 degrees
    let angle = (0.05 / 12_f64.to_radians()).powi(2) / 2.0;
    let quadratic = |target: f64| reward(RewardKind::Quadratic, "target_position", target, up).0;
    assert_close(&[quadratic(0.0)], &[1.0 - 0.02 - angle], 1e-14);
    assert_close(&[quadratic(-0.72)], &[1.0 - 0.125 - angle], 1e-14);
    // more than x_limit away costs no more than x_limit away
    assert_close(&[quadratic(50.0)], &[0.5 - angle], 1e-14);
    assert_eq!(reward(RewardKind::Gym, "target_position", 1.0, up).0, 1.0);
}

/// The state after `seconds` without force, from a swinging start.
fn free_cartpole(integrator: IntegratorKind, tau: f64, seconds: f64) -> [f64; 4] {
    let params = CartPole::with_version(with::<CartPole>("tau", tau), Version { integrator, ..Version::FULL });
    let steps = (seconds / tau).round() as usize;
    (0..steps).fold([0.0, 0.2, 0.1, -0.4], |state, _| CartPole::step(&params, state, [0.0], [0.0]).state)
}

#[test]
fn integrators_converge_with_their_order() {
    // a method of order p: halving the step divides its error by 2^p
    let exact = free_cartpole(IntegratorKind::Rk4, 1.0 / 4096.0, 1.0);
    let error = |integrator: IntegratorKind, tau: f64| {
        let found = free_cartpole(integrator, tau, 1.0);
        found.iter().zip(exact).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max)
    };
    for (integrator, tau, order) in [
        (IntegratorKind::Euler, 1.0 / 1024.0, 1.0_f64),
        (IntegratorKind::SemiImplicit, 1.0 / 1024.0, 1.0),
        (IntegratorKind::Rk4, 1.0 / 64.0, 4.0),
    ] {
        let ratio = error(integrator, tau) / error(integrator, tau / 2.0);
        assert!((ratio.log2() - order).abs() < 0.2, "{integrator:?}: {ratio}");
    }
    assert!(error(IntegratorKind::Rk4, 1.0 / 32.0) < 1e-4 * error(IntegratorKind::Euler, 1.0 / 32.0));
}

#[test]
fn initial_ranges_are_the_largest_distances_from_zero() {
    for (k, name) in ["init_x", "init_x_dot", "init_theta", "init_theta_dot"].into_iter().enumerate() {
        let params = with::<CartPole>(name, 0.5);
        let start = CartPole::reset(&params, [0.75; 4]);
        for (component, value) in start.into_iter().enumerate() {
            assert_close(&[value], &[if component == k { 0.25 } else { 0.025 }], 1e-14);
        }
    }
    assert_close(&Pendulum::reset(&with::<Pendulum>("init_angle", 0.2), [0.0; 4]), &[-0.2, -1.0], 1e-15);
    assert_close(&Pendulum::reset(&with::<Pendulum>("init_speed", 3.0), [0.5; 4])[1..], &[0.0], 1e-15);
}

/// Energy gained in `seconds` without force, from a swing about hanging, the cart moving along (J).
fn energy_gained(integrator: IntegratorKind, tau: f64, seconds: f64) -> f64 {
    let params = CartPole::with_version(with::<CartPole>("tau", tau), Version { integrator, ..Version::FULL });
    let energy = |[_, v, theta, w]: [f64; 4]| {
        let (m, l) = (0.1, 0.5);
        let kinetic = 1.1 * v * v / 2.0 + m * l * v * w * theta.cos() + 2.0 / 3.0 * m * l * l * w * w;
        kinetic + m * 9.8 * l * theta.cos()
    };
    let start = [0.0, 0.2, 2.6, 0.0];
    let steps = (seconds / tau).round() as usize;
    energy((0..steps).fold(start, |state, _| CartPole::step(&params, state, [0.0], [0.0]).state)) - energy(start)
}

#[test]
fn the_energy_of_a_cartpole_without_force_drifts_as_its_integrator_lets_it() {
    // Euler spirals outwards: the gain grows with time and with the step
    let euler = |tau, seconds| energy_gained(IntegratorKind::Euler, tau, seconds);
    let fine = euler(1e-4, 10.0);
    assert!(fine > 0.0 && (euler(1e-4, 20.0) / fine - 2.0).abs() < 0.1, "{fine}");
    assert!((euler(2e-4, 10.0) / fine - 2.0).abs() < 0.1);
    // velocities first: no drift over a hundred swings, an error of first order at any time
    let largest = |tau| {
        let after = |k: i32| energy_gained(IntegratorKind::SemiImplicit, tau, 1.7 * f64::from(k)).abs();
        (1..=50).map(after).fold(0.0, f64::max)
    };
    let coarse = largest(1e-2);
    let fine = largest(5e-3);
    assert!((1.7..2.3).contains(&(coarse / fine)) && coarse < 0.05, "{coarse} {fine}");
    // Runge-Kutta: at least fourth order
    let [coarse, fine] = [0.04, 0.02].map(|tau| energy_gained(IntegratorKind::Rk4, tau, 10.0).abs());
    assert!(coarse / fine > 14.0 && fine < 1e-5, "{coarse} {fine}");
}

#[test]
fn a_cartpole_without_force_loses_energy_only_to_the_integrator() {
    // the error of an Euler step is second order in tau, so that of a fixed time is first order
    let drift = |tau: f64| {
        let params = with::<CartPole>("tau", tau);
        let energy = |[_, v, theta, w]: [f64; 4]| {
            let (m, l) = (0.1, 0.5);
            let kinetic = 1.1 * v * v / 2.0 + m * l * v * w * theta.cos();
            kinetic + 2.0 / 3.0 * m * l * l * w * w + m * 9.8 * l * theta.cos()
        };
        let start = [0.0, 0.2, 0.1, -0.4];
        let mut state = start;
        for _ in 0..(2.0 / tau) as usize {
            state = CartPole::step(&params, state, [0.0], [0.0]).state;
        }
        (energy(state) - energy(start)).abs()
    };
    let coarse = drift(1.0 / 1024.0);
    let fine = drift(1.0 / 2048.0);
    assert!((1.9..2.1).contains(&(coarse / fine)), "{coarse} {fine}");
    assert!(fine < 2e-3, "{fine}");
}
