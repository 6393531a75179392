//! `env trace PRESET --task ID --out FILE.csv`

mod log;

use std::path::Path;

use metadrift_agents::{agent::Adapts, device::Device};
use metadrift_envs::{
    ActionSpace, EnvKind, EnvSpec, Purpose, Split, Stream, Task, TaskError, channels, rng::MAX_INDEX,
};

use crate::{
    checkpoint::Which,
    cli::{PolicyChoice, TraceArgs, threads},
    commands::{print, record::check_same_world},
    config::Experiment,
    control::{
        Controlled, Controller, Random,
        episodes::{self, Stretch, Tick},
        privileged,
    },
    evaluate::{Protocol, adapt},
    failure::{Result, WrongUsage},
    life::Life,
    output, presets,
    rollout::{Actions, actor, steps::Memories},
    trained::Trained,
};

/// Runs the command.
///
/// # Errors
/// On an unknown preset, an impossible task, a policy that the environment does not have, and a file that cannot be
/// written.
pub fn run(args: &TraceArgs) -> Result<()> {
    output::check(&args.out)?;
    let config = presets::load_control(&args.what, &[])?;
    let env = config.env();
    let spec = env.spec();
    let (split, iteration, index) = parse_task(&args.task)?;
    let task = config.tasks(split).sample(args.seed, iteration, index);
    if let (Some(run), Some(episodes)) = (&args.run, args.episodes) {
        return log::write(&config, run, args, (episodes as usize, iteration), &task);
    }
    let life = Life::of(&config, split);
    let drawn_before = u64::from(iteration) * config.rollout.num_tasks as u64;
    let limit = args.steps.map_or(u64::MAX, u64::from);
    let phases = if args.steps.is_some() { 0..MAX_PHASES } else { 0..life.phases };
    let first_task = drawn_before + u64::from(index);
    let stretch = Stretch { first_task, limit, ..Stretch::new(life, phases) };
    let mut out = csv::Writer::from_writer(Vec::new());
    let state_dim = env.dynamics().state_dim();
    out.write_record(header(spec, state_dim))?;
    let mut rows = Vec::new();
    let tasks = [task];
    let mut previous = None;
    let mut total = (0_u64, 0.0);
    let show = |tick: &Tick<'_>| {
        rows.push(row(&tasks[0], tick, previous.replace(tick.values.to_vec()), spec));
        total = (total.0 + 1, total.1 + f64::from(tick.reward));
    };
    if let Some(run) = &args.run {
        trained(&config, run, args, &stretch, &tasks, show)?;
    } else {
        let mut actor = controlled(args, env, &tasks, index)?;
        episodes::run(env, (&tasks, 1), &stretch, args.seed, &mut actor, show)?;
    }
    for row in rows {
        out.write_record(row)?;
    }
    output::write(&args.out, &out.into_inner().map_err(csv::IntoInnerError::into_error)?)?;
    Ok(print(&format!("{}: {} steps, reward {:.3}\n", args.out.display(), total.0, total.1))?)
}

/// An actor with the controller that was asked for, on the one task.
fn controlled<'a>(
    args: &TraceArgs,
    env: EnvKind,
    tasks: &'a [Task],
    index: u32,
) -> Result<Controlled<'a, Box<dyn Controller>>> {
    let spec = env.spec();
    let controller: Box<dyn Controller> = match args.policy {
        PolicyChoice::Random => Box::new(Random::new(spec.action, args.seed, index)),
        PolicyChoice::Oracle => Box::new(privileged::controller(env).ok_or_else(|| TaskError::Invalid {
            path: "--policy".into(),
            problem: format!("{} has no controller with full knowledge; random", spec.name),
        })?),
    };
    let mut controller = Some(controller);
    Ok(Controlled::new(env, (tasks, 1), |_, _| controller.take().expect("one task, one lane")))
}

/// Shows the policy of `run` on the stretch: phase k after k adaptation steps, or with the memory of all ticks before.
fn trained(
    config: &Experiment,
    run: &Path,
    args: &TraceArgs,
    stretch: &Stretch,
    tasks: &[Task],
    mut show: impl FnMut(&Tick<'_>),
) -> Result<()> {
    let actors = threads(None);
    let Trained { config: trained, agent, .. } = Trained::open(run, Which::Last, Device::Cpu, None, actors)?;
    trained.check_control()?;
    check_same_world(&trained, config, run)?;
    let spec = config.env().spec();
    let stream = Stream::new(args.seed, Purpose::EvaluationAction);
    let place = || format!("the trace of {}", run.display());
    let usual = Protocol::of(&trained, Split::InDist);
    let mut shown = agent.duplicate();
    shown.begin(1);
    let mut memories = Memories::new();
    let mut left = stretch.limit;
    for k in stretch.phases.clone() {
        if agent.adapts() == Adapts::ByGradient && (1..=usual.adapt_steps).contains(&k) {
            let protocol = Protocol { tasks: 1, adapt_steps: k, seed: args.seed, ..usual };
            shown = adapt(config, &*agent, actors, &protocol, tasks)?;
        }
        let policies = shown.policies();
        let policy = (policies.layout, &policies.params[0][..]);
        let mut actor = actor(policy, (spec, 1), Actions::Deterministic, stream, &place, &memories);
        let phase = Stretch { phases: k..k + 1, limit: left, window: policies.layout.window(), ..stretch.clone() };
        episodes::run(config.env(), (tasks, 1), &phase, args.seed, &mut *actor, |tick| {
            left -= 1;
            show(tick);
        })?;
        memories = actor.memories();
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// Number of phases that random streams distinguish.
const MAX_PHASES: usize = 256;

/// `SPLIT/INDEX` or `SPLIT/ITERATION/INDEX`.
fn parse_task(text: &str) -> Result<(Split, u32, u32), WrongUsage> {
    let wrong = || {
        WrongUsage(format!(
            "--task {text}: it must be SPLIT/INDEX or SPLIT/ITERATION/INDEX, for example ood/3 or train/1/3, iterations counted \
             from 1, with numbers below {MAX_INDEX}"
        ))
    };
    let parts: Vec<&str> = text.split('/').collect();
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let (split, iteration, index) = match parts[..] {
        [split, index] => (split, 0, number(index)?),
        // as in the logs the first iteration is 1
        [split, iteration, index] => (split, number(iteration)?.checked_sub(1).ok_or_else(wrong)?, number(index)?),
        _ => return Err(wrong()),
    };
    if index >= MAX_INDEX || iteration >= MAX_INDEX {
        return Err(wrong());
    }
    Ok((split.parse().map_err(|_| wrong())?, iteration, index))
}

fn header(spec: &EnvSpec, state_dim: usize) -> Vec<String> {
    let mut names: Vec<String> = ["phase", "tick", "episode", "episode_step", "events"].map(String::from).to_vec();
    names.extend(channels(spec).into_iter().map(|channel| channel.name));
    names.extend((0..state_dim).map(|k| format!("state_{k}")));
    names.extend(spec.observations.iter().map(|name| format!("obs_{name}")));
    let actions = match spec.action {
        ActionSpace::Discrete(_) => 1,
        ActionSpace::Box { dim, .. } => dim,
    };
    names.extend((0..actions).map(|k| format!("action_{k}")));
    names.extend(["reward", "terminated", "truncated"].map(String::from));
    names
}

/// One step. Its events are the channels that moved, those held at a bound, and the end of the episode.
fn row(task: &Task, tick: &Tick<'_>, previous: Option<Vec<f64>>, spec: &EnvSpec) -> Vec<String> {
    let mut events = Vec::new();
    let all = channels(spec);
    for drift in &task.drifts {
        let name = &all[drift.channel].name;
        if previous.as_ref().is_some_and(|values| values[drift.channel] != tick.values[drift.channel]) {
            events.push(format!("{name} moved"));
        }
        if drift.evaluate(task.values[drift.channel], &tick.clocks).1 {
            events.push(format!("{name} at its bound"));
        }
    }
    let mut cells = vec![
        tick.clocks.adapt_round.to_string(),
        tick.clocks.lifetime_step.to_string(),
        tick.clocks.episode.to_string(),
        tick.clocks.episode_step.to_string(),
        events.join("; "),
    ];
    cells.extend(tick.values.iter().map(f64::to_string));
    cells.extend(tick.state.iter().chain(tick.obs.iter().take(spec.obs_dim())).chain(tick.action).map(f32::to_string));
    cells.extend([
        tick.reward.to_string(),
        u8::from(tick.terminated).to_string(),
        u8::from(tick.truncated).to_string(),
    ]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_by_split_iteration_and_index() {
        assert_eq!(parse_task("ood/3").unwrap(), (Split::Ood, 0, 3));
        assert_eq!(parse_task("train/7/12").unwrap(), (Split::Train, 6, 12));
        for wrong in
            ["", "3", "ood", "ood/x", "old/3", "ood/3/4/5", "ood/16777216", "train/16777217/0", "train/0/1", "ood/-1"]
        {
            assert!(parse_task(wrong).is_err(), "{wrong}");
        }
    }
}
