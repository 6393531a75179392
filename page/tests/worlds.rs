//! Worlds as a page plays with them.

use metadrift_page::{Setup, World, world};
use metadrift_runtime::{
    Adaptation, Form,
    layout::{Head, Layout},
    loss::InnerLoss,
    window::Commands,
};

/// A policy for cart-pole that most likely pushes to the right, and learns from two episodes.
fn right() -> Vec<u8> {
    let layout = Layout::new(4, &[3], Head::Categorical(2));
    let mut params = vec![0.0; layout.num_params()];
    *params.last_mut().unwrap() = 0.1; // the last bias is that of choice 1
    let rates = vec![0.1; params.len()];
    let adaptation =
        Adaptation { loss: InnerLoss::LVC, gamma: 0.9, gae_lambda: 0.9, rates, episodes: 2, horizon: 50, steps: 1 };
    Form { layout, readings: 4, commands: Commands::Choices(2), rate_limit: None, params, adaptation: Some(adaptation) }
        .to_bytes()
}

/// At rest in the middle, with a pole of 0.1 kg and 1 m on a cart of 1 kg.
const SETUP: &str = "env cartpole\nhorizon 50\nseed 3\nvalue init_x 0\nvalue init_x_dot 0\nvalue init_theta 0\n\
    value init_theta_dot 0\nchannel actuator_gain\nchannel mass_cart\nobserve_actions 0\n";

/// Speeds of cart and pole in the view of a cart-pole: behind the six first numbers, at 1 and 3.
fn speeds(world: &World) -> [f64; 2] {
    [7, 9].map(|at| world.view().numbers()[at])
}

#[test]
fn a_change_in_the_middle_of_an_episode_acts_from_the_next_step_on() {
    let mut world = World::open(SETUP, &right()).unwrap();
    // from rest upright: x'' = F / (M - m 3/4), theta'' = -x'' 3/4 / l, times 0.02 s (Florian 2005, eq. 23 and 24)
    let push = |force: f64, cart: f64| {
        let acceleration = force / (cart + 0.1 - 0.75 * 0.1);
        [0.02 * acceleration, -0.02 * acceleration * 0.75 / 0.5]
    };
    let close = |found: [f64; 2], expected: [f64; 2]| {
        assert!((0..2).all(|k| (found[k] - expected[k]).abs() < 1e-5), "{found:?} {expected:?}");
    };
    world.step(false).unwrap();
    close(speeds(&world), push(10.0, 1.0));
    world.set(0, -1.0).unwrap();
    world.step(false).unwrap();
    // the push back cancels the first one, but for what the pole has done in a step
    assert!(speeds(&world).iter().all(|speed| speed.abs() < 2e-3), "{:?}", speeds(&world));
    world.reset();
    world.step(false).unwrap();
    close(speeds(&world), push(-10.0, 1.0));
    world.set(1, 3.0).unwrap();
    world.reset();
    world.step(false).unwrap();
    close(speeds(&world), push(-10.0, 3.0));
    assert_eq!(world.values(), [-1.0, 3.0]);
}

#[test]
fn episodes_are_counted_recorded_and_learned_from() {
    let mut world = World::open(SETUP, &right()).unwrap();
    assert_eq!(world.episodes_per_step(), 2);
    let numbers = |world: &World, at: usize| world.view().numbers()[at];
    assert!(world.adapt().is_err(), "nothing is recorded");
    let mut steps = 0;
    while numbers(&world, 4) < 2.0 {
        world.step(true).unwrap();
        steps += u64::from(numbers(&world, 3) > 0.0); // the first view of an episode is no step
    }
    assert_eq!(numbers(&world, 5), steps as f64);
    let adapted = world.adapt().unwrap();
    assert_eq!((adapted.episodes, adapted.samples as u64), (2, steps));
    assert!(adapted.step_norm > 0.0 && adapted.mean_return == steps as f64 / 2.0, "{adapted:?}");
    // a pole that is pushed one way only falls, for good, and the next call begins anew
    while numbers(&world, 1) == 0.0 {
        world.step(false).unwrap();
    }
    assert_eq!(numbers(&world, 1), 1.0);
    world.step(false).unwrap();
    assert_eq!((numbers(&world, 1), numbers(&world, 2), numbers(&world, 3)), (0.0, 0.0, 0.0));
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let refused = |setup: &str| World::open(setup, &right()).map(|_| ()).unwrap_err();
    for (setup, why) in [
        ("env cartpole\n", "no time limit"),
        ("env cartpole\nhorizon 5\nmood good\n", "`mood good`"),
        ("env moon\nhorizon 5\n", "moon"),
        ("env pendulum\nhorizon 5\n", "sees 4 numbers, and the environment shows 3"),
        ("env cartpole\nhorizon 5\nvalue mass_cart -1\n", "mass_cart"),
        ("env cartpole\nhorizon 5\nchannel mass\n", "mass"),
    ] {
        assert!(refused(setup).contains(why), "{}", refused(setup));
    }
    assert!(World::open(SETUP, b"no policy").is_err());
    let mut world = World::open(SETUP, &right()).unwrap();
    assert!(world.set(2, 1.0).is_err() && world.set(0, f64::NAN).is_err() && world.set(1, 0.0).is_err());
    assert_eq!(world.values(), [1.0, 1.0]);
}

#[test]
fn every_environment_has_its_world() {
    for name in world::names() {
        let setup = Setup::parse(&format!("env {name}\nhorizon 5\n")).unwrap();
        assert_eq!((setup.env.as_str(), setup.horizon), (name, 5));
        // the policy is not for them, but the environment is found
        let told = World::open(&format!("env {name}\nhorizon 5\n"), &right()).map(|_| ());
        assert!(told.is_ok() || told.as_ref().unwrap_err().contains("the environment shows"), "{told:?}");
    }
}
