//! Mistakes in the use of a policy: each has its fault, and changes nothing.

use metadrift_runtime::{
    Adaptation, Adapter, End, Fault, Form, Policy,
    layout::{Head, Layout},
    loss::InnerLoss,
    window::Commands,
};

fn policy(rate: f32) -> Policy {
    let layout = Layout::new(2, &[3], Head::Gaussian(1));
    let params: Vec<f32> = (0..layout.num_params()).map(|k| (k as f32).sin()).collect();
    let adaptation = Adaptation {
        loss: InnerLoss::LVC,
        gamma: 0.9,
        gae_lambda: 0.9,
        rates: vec![rate; params.len()],
        episodes: 2,
        horizon: 4,
        steps: 1,
    };
    let commands = Commands::Vector { dim: 1, bound: 0.5 };
    Policy::new(Form { layout, readings: 2, commands, rate_limit: None, params, adaptation: Some(adaptation) })
}

#[test]
fn a_wrong_observation_or_number_gives_no_command() {
    let mut policy = policy(0.1);
    let mut command = [7.0];
    let length = |what, given, wanted| Err(Fault::Length { what, given, wanted });
    assert_eq!(policy.act(&[1.0], &mut command), length("the observation", 1, 2));
    assert_eq!(policy.act(&[1.0, 2.0], &mut []), length("the command", 0, 1));
    assert_eq!(policy.act(&[1.0, f32::NAN], &mut command), Err(Fault::NotFinite("the observation")));
    assert!(policy.sample(&[1.0, 2.0], [0.0, 0.5, 1.0, 0.5], &mut command).is_err());
    assert_eq!(command, [7.0]);
    assert_eq!(policy.outcome(1.0, &[0.0, 0.0], End::Going), Err(Fault::NoAction));
    policy.act(&[1.0, 2.0], &mut command).unwrap();
    assert_eq!(policy.outcome(f32::INFINITY, &[0.0, 0.0], End::Going), Err(Fault::NotFinite("the reward")));
    assert_eq!(policy.outcome(1.0, &[0.0, 0.0], End::Going), Ok(()));
    assert_eq!(policy.outcome(1.0, &[0.0, 0.0], End::Going), Err(Fault::NoAction));
}

#[test]
fn commands_stay_within_their_limits() {
    let mut policy = policy(0.1);
    let mut command = [0.0];
    let mut largest = 0.0_f32;
    for tick in 0..500 {
        policy.sample(&[3.0, -1.0], metadrift_runtime::uniforms(1, tick), &mut command).unwrap();
        largest = largest.max(command[0].abs());
    }
    assert_eq!(largest, 0.5);
}

/// A policy whose command is 1 - its reading, within [-0.5, 0.5], and changes by 0.2 at most.
fn careful() -> Form {
    let layout = Layout::new(1, &[], Head::Gaussian(1));
    let params = vec![-2.0, 2.0, 0.0];
    assert_eq!(layout.num_params(), params.len());
    let commands = Commands::Vector { dim: 1, bound: 0.5 };
    Form { layout, readings: 1, commands, rate_limit: Some(0.2), params, adaptation: None }
}

#[test]
fn a_command_changes_by_its_rate_limit_at_most() {
    let mut policy = Policy::from_bytes(&careful().to_bytes()).unwrap();
    let act = |policy: &mut Policy, x: f32| {
        let mut command = [0.0];
        policy.act(&[x], &mut command).unwrap();
        command[0]
    };
    // wanted are 0.5 (limited), 0.5, 0.5, 0.4, 0.4 - 0.3 = 0.1 -> 0.2, -0.5
    let found = [0.0, 0.0, 0.0, 0.6, 0.9, 9.0].map(|x| act(&mut policy, x));
    let expected = [0.2, 0.4, 0.5, 0.4, 0.2, 0.0];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
    // a failure leaves the command in force as it was
    assert!(policy.act(&[f32::NAN], &mut [0.0]).is_err());
    assert!((act(&mut policy, 9.0) + 0.2).abs() < 1e-6);
    // another policy has acted meanwhile, beyond the limits of this one
    policy.set_command(&[0.7]).unwrap();
    assert!((act(&mut policy, 9.0) - 0.3).abs() < 1e-6);
    assert!(policy.set_command(&[f32::INFINITY]).is_err() && policy.set_command(&[]).is_err());
    policy.begin();
    assert!((act(&mut policy, 9.0) + 0.2).abs() < 1e-6);
}

#[test]
fn an_adapter_takes_only_what_was_drawn_and_only_as_much_as_it_has_room_for() {
    let mut policy = policy(0.1);
    let mut adapter = Adapter::new(&policy, 3).unwrap();
    let mut command = [0.0];
    assert_eq!(adapter.adapt(&mut policy), Err(Fault::NoSteps));
    assert_eq!(adapter.record(&mut policy, 1.0, &[0.0, 0.0], End::Going), Err(Fault::NoAction));
    policy.act(&[0.0, 1.0], &mut command).unwrap();
    assert_eq!(adapter.record(&mut policy, 1.0, &[0.0, 0.0], End::Going), Err(Fault::NotDrawn));
    for _ in 0..3 {
        policy.sample(&[0.0, 1.0], [0.3; 4], &mut command).unwrap();
        adapter.record(&mut policy, 1.0, &[0.0, 0.0], End::Going).unwrap();
    }
    policy.sample(&[0.0, 1.0], [0.3; 4], &mut command).unwrap();
    assert_eq!(adapter.record(&mut policy, 1.0, &[0.0, 0.0], End::Going), Err(Fault::Full(3)));
    adapter.clear();
    assert_eq!(adapter.recorded(), 0);
    adapter.record(&mut policy, 1.0, &[0.0, 0.0], End::Terminated).unwrap();
}

#[test]
fn a_policy_without_rates_has_no_adapter() {
    let layout = Layout::new(2, &[], Head::Categorical(2));
    let params = vec![0.0; layout.num_params()];
    let commands = Commands::Choices(2);
    let policy = Policy::new(Form { layout, readings: 2, commands, rate_limit: None, params, adaptation: None });
    assert_eq!(Adapter::new(&policy, 10).err(), Some(Fault::NoGradient));
}

/// Records two episodes with rewards that depend on the actions.
fn live(policy: &mut Policy, adapter: &mut Adapter) {
    let mut command = [0.0];
    for tick in 0..8 {
        policy.sample(&[0.1, 1.0], metadrift_runtime::uniforms(3, tick), &mut command).unwrap();
        let end = if tick % 4 == 3 { End::Stopped } else { End::Going };
        adapter.record(policy, command[0], &[0.1, 1.0], end).unwrap();
    }
}

#[test]
fn a_step_that_diverges_leaves_the_policy_as_it_was_and_a_reset_takes_a_step_back() {
    let mut wild = policy(f32::INFINITY);
    let mut adapter = Adapter::new(&wild, 8).unwrap();
    live(&mut wild, &mut adapter);
    assert_eq!(adapter.adapt(&mut wild), Err(Fault::NotFinite("the parameters")));
    assert_eq!((adapter.params(), adapter.recorded()), (wild.start(), 8));

    let mut policy = policy(0.1);
    let mut adapter = Adapter::new(&policy, 8).unwrap();
    let act = |policy: &mut Policy| {
        let mut command = [0.0];
        policy.act(&[0.1, 0.2], &mut command).unwrap();
        command[0].to_bits()
    };
    let before = act(&mut policy);
    live(&mut policy, &mut adapter);
    let adapted = adapter.adapt(&mut policy).unwrap();
    assert!(adapted.episodes == 2 && adapted.samples == 8 && adapted.step_norm > 0.0, "{adapted:?}");
    assert_ne!(adapter.params(), policy.start());
    adapter.reset(&mut policy);
    assert_eq!(act(&mut policy), before);
    assert_eq!(adapter.params(), policy.start());
}
