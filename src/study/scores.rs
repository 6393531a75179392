//! The evaluations of one cell.

use metadrift_agents::{agent::Agent, device::Device};
use metadrift_envs::{Split, Task};

use super::{
    cell::{Evaluated, HeldOutScores, Phase},
    methods::{Law, Made},
    plan::{Cell, Plan},
};
use crate::{
    control::{Controller, Random, episodes::returns, privileged},
    evaluate::evaluate_on,
    failure::Result,
    life::Life,
    memory::{self, Arithmetic},
};

/// The splits on which every cell is evaluated.
pub(super) const SPLITS: [Split; 2] = [Split::InDist, Split::Ood];

/// The tasks of an evaluation.
pub(super) fn tasks(plan: &Plan, cell: &Cell, split: Split) -> Vec<Task> {
    let protocol = plan.protocol(split);
    let draw = |index| {
        metadrift_agents::stop::check();
        cell.judged.tasks(split).sample(protocol.seed, protocol.draw, index as u32)
    };
    (0..protocol.tasks).map(draw).collect()
}

/// Digests of tasks.
pub(super) fn digests(cell: &Cell, tasks: &[Task]) -> Vec<String> {
    let spec = cell.judged.env().spec();
    tasks.iter().map(|task| format!("{:016x}", task.digest(spec))).collect()
}

/// The evaluations of the policy that a cell trained.
///
/// # Errors
/// If an adapted policy is not finite, or there is not enough memory.
pub(super) fn of_agent(plan: &Plan, cell: &Cell, agent: &dyn Agent, actors: usize) -> Result<Vec<Evaluated>> {
    let adapts = matches!(&plan.methods[cell.place.0].made, Made::Policy(policy) if policy.adapts);
    SPLITS
        .into_iter()
        .map(|split| of_agent_on(plan, cell, agent, (split, adapts), actors).map(Evaluated::HeldOut))
        .collect()
}

/// The scores of a policy on a split, after adaptation or, if it does not adapt, as it is.
///
/// # Errors
/// If an adapted policy is not finite, or there is not enough memory.
pub(super) fn of_agent_on(
    plan: &Plan,
    cell: &Cell,
    agent: &dyn Agent,
    (split, adapts): (Split, bool),
    actors: usize,
) -> Result<HeldOutScores> {
    let protocol = plan.protocol(split);
    let arithmetic = Arithmetic::of(&cell.judged, agent.computes_by(), Device::Cpu, actors)?;
    memory::evaluation(&cell.judged, protocol.tasks, protocol.episodes, arithmetic).check()?;
    let tasks = tasks(plan, cell, split);
    let found = evaluate_on(&cell.judged, agent, actors, &protocol, &tasks)?;
    Ok(HeldOutScores::of(&found, split, digests(cell, &tasks), adapts))
}

/// The evaluations of a law without training.
pub(super) fn of_law(plan: &Plan, cell: &Cell, law: Law) -> Vec<Evaluated> {
    let env = cell.judged.env();
    let of_split = |split| {
        let protocol = plan.protocol(split);
        let tasks = tasks(plan, cell, split);
        let life = Life::evaluation(&cell.judged);
        let phase = |k| {
            let make = |task, _| -> Box<dyn Controller> {
                match law {
                    Law::Controller => Box::new(privileged::controller(env).expect("the study was checked")),
                    Law::Random => Box::new(Random::new(env.spec().action, cell.seed, task as u32)),
                }
            };
            let returns = returns(env, &tasks, protocol.episodes, (life, k), protocol.seed, make);
            Phase { unadapted: returns.clone(), sampled: returns.clone(), returns, success: None }
        };
        let phases = (0..=protocol.adapt_steps).map(phase).collect();
        Evaluated::HeldOut(HeldOutScores { split, fingerprints: digests(cell, &tasks), phases })
    };
    SPLITS.into_iter().map(of_split).collect()
}

#[cfg(test)]
mod tests {
    use metadrift_agents::{backend::BackendChoice, state::State};

    use super::*;
    use crate::{control::Seen, train};

    /// The controller that does nothing.
    struct Nothing;

    impl Controller for Nothing {
        fn act(&mut self, _: &Seen<'_>, action: &mut [f32]) {
            action.fill(0.0);
        }
    }

    #[test]
    fn laws_and_policies_live_through_the_same_ticks_from_the_same_states() {
        let text = "name = \"x\"\nseeds = [5]\npresets = [\"pendulum-physics\"]\nmethods = [\"ppo\"]\n\
                    [budget]\nenv_steps = 1\n[evaluation]\ntasks = 3\nepisodes = 2\nseed = 7\n";
        let plan = Plan::parse("x", text).unwrap();
        let cell = &plan.cells[0];
        let (config, _) = cell.training.as_ref().unwrap();
        let mut learner = train::learner(config, Device::Cpu, BackendChoice::Native, 1).unwrap();
        let mut state = State::default();
        // a policy without weights, whose likeliest torque is 0; the first tensor of a name is the one that is loaded
        state.put("meta_params", &vec![0.0; crate::registry::policy(config).num_params()]);
        learner.save(&mut state);
        learner.load(&state).unwrap();
        let found = of_agent(&plan, cell, &*learner.agent(), 1).unwrap();
        for (evaluated, split) in found.iter().zip(SPLITS) {
            let Evaluated::HeldOut(scores) = evaluated else { panic!("a study without lives") };
            let (tasks, life) = (tasks(&plan, cell, split), Life::evaluation(&cell.judged));
            for (k, phase) in scores.phases.iter().enumerate() {
                let idle = returns(cell.judged.env(), &tasks, 2, (life, k), 7, |_, _| Nothing);
                let differs = idle.iter().zip(&phase.returns).any(|(a, b)| (a - b).abs() > 1e-6 * a.abs());
                assert!(!differs && idle[0] != idle[1], "{split}, phase {k}: {idle:?}, {:?}", phase.returns);
            }
        }
    }
}
