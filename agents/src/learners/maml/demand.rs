//! The experience that MAML asks for, and the memory that it takes.

use crate::{
    inner_rule::ROWS,
    memory::{ADVANTAGE, Sizes, Taken},
    settings::{BaselineChoice, Episodes, Settings, UpdateRule},
    source::Demand,
    value,
};

/// The demand: every task has a phase for each inner step and one after the last. A phase is as long as a lane can use.
pub fn demand(settings: &Settings) -> Demand {
    let rollout = &settings.rollout;
    if let Some(shots) = settings.examples {
        return Demand::Examples { tasks: rollout.num_tasks, shots, phases: settings.maml.inner_steps + 1 };
    }
    let asked = rollout.num_steps;
    let episodes = settings.episodes();
    let steps = match episodes {
        Episodes::Count(_) if asked == 0 => settings.whole_episodes(),
        Episodes::Count(_) => asked.min(settings.whole_episodes()),
        Episodes::Endless if asked == 0 => settings.horizon as usize,
        Episodes::Endless => asked,
    };
    let phases = settings.maml.inner_steps + 1;
    // a value network that all tasks share learns from the steps of all
    let whole = settings.maml.baseline == BaselineChoice::Network;
    Demand::Tasks { tasks: rollout.num_tasks, lanes: rollout.num_envs, steps, episodes, phases, whole }
}

pub fn size(settings: &Settings) -> String {
    let steps = settings.maml.inner_steps;
    let plural = if steps == 1 { "" } else { "s" };
    let rollout = &settings.rollout;
    let each = match settings.examples {
        Some(shots) => format!("{} examples", shots.support),
        None => format!("{} lanes", rollout.num_envs),
    };
    format!("{} tasks x {each}, {steps} inner step{plural}", rollout.num_tasks)
}

pub fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let tasks = settings.rollout.num_tasks as u128;
    let per_task = match settings.examples {
        Some(shots) => shots.support.max(shots.query) as u128,
        None => settings.rollout.num_envs as u128 * demand(settings).steps() as u128,
    };
    let inner = settings.maml.inner_steps as u128;
    let sample = sizes.hidden + sizes.sample;
    let kept = if sizes.graph {
        // activations of every pass through the graph, which the second derivative doubles
        let at_once = settings.maml.tasks_per_chunk.max(1) as u128;
        let chunk = if sizes.on_gpu { 0 } else { at_once.min(tasks) };
        9 * (inner + 1) * chunk * sample
    } else {
        2 * inner * sample // values and derivatives, for the Hessian
    };
    // the native backend has its own copy of every sample
    let copies = 2 * (inner + 1) * tasks * per_task * sizes.sample;
    let in_hand = sizes.threads.min(tasks) * per_task * kept.max(ADVANTAGE);
    // the memory of a learned rule: that of every task, and those that a meta-gradient passes; or its gates in a graph
    let remembered = match settings.maml.update_rule {
        UpdateRule::Gradient => 0,
        UpdateRule::Learned if sizes.graph => 500 * inner * settings.maml.tasks_per_chunk.max(1) as u128,
        UpdateRule::Learned => ROWS as u128 * (tasks + (inner + 2) * sizes.threads.min(tasks)),
    };
    let (of_values, value_network) = value::memory(&settings.maml, (inner + 1) * tasks * per_task, sizes);
    Taken {
        data: copies + in_hand + of_values,
        networks: sizes.networks(sizes.params, tasks) + sizes.params * remembered + value_network,
        keys: "rollout.num_tasks, rollout.num_envs, rollout.num_steps, maml.inner_steps or policy.hidden",
    }
}
