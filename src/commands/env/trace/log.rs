//! Episodes of a run's policy as a log for `adapt`.

use std::path::Path;

use metadrift_agents::device::Device;
use metadrift_envs::{Split, Task};

use crate::{
    adapt::{self, Columns},
    checkpoint::Which,
    cli::{TraceArgs, threads},
    commands::{print, record::check_same_world},
    config::Experiment,
    evaluate::{Protocol, support},
    failure::{Result, WrongUsage},
    output,
    trained::Trained,
};

/// Writes the episodes that the policy of `run` would adapt on in an evaluation: `lanes` of them on `task`, which was drawn
/// in `draw`.
///
/// # Errors
/// If the policy adapts by its memory, is for another environment, or the file cannot be written.
pub(super) fn write(
    config: &Experiment,
    run: &Path,
    args: &TraceArgs,
    (lanes, draw): (usize, u32),
    task: &Task,
) -> Result<()> {
    let actors = threads(None);
    let Trained { config: trained, mut agent, dir, .. } = Trained::open(run, Which::Last, Device::Cpu, None, actors)?;
    trained.check_control()?;
    check_same_world(&trained, config, run)?;
    adapt::check(&trained, &*agent)?;
    let spec = trained.env().spec();
    if task.drifts.iter().any(|drift| Some(drift.channel) == adapt::period_channel(spec)) {
        let message = format!("--task {}: the time of a step drifts there, which a log does not hold", args.task);
        return Err(WrongUsage(message).into());
    }
    agent.begin(1);
    let (_, earlier) = adapt::earlier(&dir, &agent.policies().params[0])?;
    let phase = u8::try_from(earlier.len());
    let phase = phase.map_err(|_| WrongUsage(format!("{}: its life has too many phases for a log", run.display())))?;
    let protocol = Protocol { episodes: lanes, seed: args.seed, draw, ..Protocol::of(&trained, Split::InDist) };
    let data = support(&trained, &*agent, actors, &protocol, std::slice::from_ref(task), phase)?;
    let columns = Columns::of(&trained);
    let text = adapt::write(&data, &columns, adapt::period(spec, &task.values))?;
    output::write(&args.out, &text)?;
    let returned: f32 = data.task(0).reward.iter().sum();
    let (episodes, steps) = (data.task(0).episodes().count(), data.num_valid());
    let told = format!("{episodes} episodes, {steps} steps, reward {returned:.3}");
    Ok(print(&format!("{}: {told}\n", args.out.display()))?)
}
