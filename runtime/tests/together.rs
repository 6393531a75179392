//! Machines of one kind that learn together.

use metadrift_runtime::{
    Adaptation, Adapter, End, Form, Policy,
    layout::{Head, Layout},
    loss::InnerLoss,
    uniforms,
    window::Commands,
};

/// Episodes of a machine: their lengths.
const LENGTHS: [usize; 2] = [7, 5];

fn policy() -> Policy {
    let layout = Layout::new(2, &[8], Head::Categorical(2));
    let params: Vec<f32> = (0..layout.num_params()).map(|k| ((k * 37 % 101) as f32 - 50.0) / 200.0).collect();
    let rates = vec![0.3; params.len()];
    let adaptation =
        Adaptation { loss: InnerLoss::LVC, gamma: 0.9, gae_lambda: 0.9, rates, episodes: 4, horizon: 7, steps: 1 };
    Policy::new(Form {
        layout,
        readings: 2,
        commands: Commands::Choices(2),
        rate_limit: None,
        params,
        adaptation: Some(adaptation),
    })
}

/// Lets machine `number` live through its episodes; the last one goes on if `goes_on`, else it is stopped there.
fn live(policy: &mut Policy, adapter: &mut Adapter, number: u64, goes_on: bool) {
    let mut command = [0.0];
    for (episode, length) in LENGTHS.into_iter().enumerate() {
        for step in 0..length {
            let tick = number * 100 + (episode * 10 + step) as u64;
            let place = |step: usize| [step as f32 / 7.0, number as f32];
            policy.sample(&place(step), uniforms(3, tick), &mut command).unwrap();
            let last = step + 1 == length;
            let end = match last {
                true if goes_on && episode + 1 == LENGTHS.len() => End::Going,
                true => End::Stopped,
                false => End::Going,
            };
            if adapter.recorded() == adapter.room() {
                adapter.grow(3);
            }
            adapter.record(policy, command[0], &place(step + 1), end).unwrap();
        }
    }
}

#[test]
fn machines_learn_as_one_that_lived_through_all_of_it() {
    let mut one = policy();
    let mut its = Adapter::new(&one, 100).unwrap();
    (0..2).for_each(|number| live(&mut one, &mut its, number, false));
    let mut machines = [policy(), policy()];
    let mut all = Adapter::new(&machines[0], 0).unwrap();
    for (number, machine) in machines.iter_mut().enumerate() {
        let mut own = Adapter::new(machine, 1).unwrap();
        live(machine, &mut own, number as u64, true);
        all.append(&mut own);
        assert_eq!(own.recorded(), 0);
    }
    assert_eq!(all.recorded(), 2 * LENGTHS.iter().sum::<usize>());
    assert_eq!(all.adapt(&mut machines[0]).unwrap(), its.adapt(&mut one).unwrap());
    assert_ne!(all.params(), one.start());
    assert_eq!(all.params(), its.params());
}
