//! `adapt RUN --episodes LOG.csv --out DIR`

use std::{fs, path::Path};

use metadrift_envs::Split;

use crate::{
    adapt::{self, INSIDE, LEVEL, Report},
    cli::AdaptArgs,
    commands::{aligned, print_as},
    device,
    evaluate::Protocol,
    failure::{During, Result},
    trained::Trained,
};

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint or adapts by its memory, the log has a fault, or nothing can be written.
pub fn run(args: &AdaptArgs) -> Result<()> {
    adapt::refuse_taken(&args.out)?;
    let actors = args.compute.num_actors();
    let device = device::open(args.compute.device)?;
    let run = Trained::open(&args.run, args.checkpoint, device, args.compute.backend, actors)?;
    let mut start = run.agent.duplicate();
    start.begin(1);
    adapt::check(&run.config, &*start)?;
    let (described, mut entries) = adapt::earlier(&run.dir, &start.policies().params[0])?;
    let file = args.episodes.display().to_string();
    let text = fs::read(&args.episodes).during(|| format!("cannot read {file}"))?;
    let adapted = adapt::adapt(&run, (&file, &text), &entries, actors)?;
    entries.push(adapted.entry);
    adapt::write_folder(&args.out, &run, &*adapted.agent, (described, &entries))?;
    let usual = Protocol::of(&run.config, Split::InDist).whole_episodes(&run.config);
    print_as(args.format, &adapted.report, || shown(&args.out, entries.len(), usual, &adapted.report))
}

/// The report in words, for a policy that has `usual` episodes for an adaptation; the verdict comes last.
fn shown(out: &Path, count: usize, usual: usize, report: &Report) -> String {
    let Report { episodes, samples, return_before, kl, step_norm, in_range, ood_score, .. } = *report;
    let few = if episodes < usual { format!("; it is evaluated on {usual} at a time") } else { String::new() };
    let change = if step_norm == 0.0 {
        "none: every action earned the same, and nothing was learned".to_owned()
    } else {
        format!("KL {kl:.4}, length of the step {step_norm:.4}")
    };
    let rows = [
        ["episodes", &format!("{episodes}, {samples} steps{few}")],
        ["return before", &format!("{return_before:.2}, mean of the logged episodes")],
        ["change", &change],
        ["in range", &format!("{:.1} % of the steps, of what training saw", 100.0 * in_range)],
        ["ood score", &format!("{ood_score:.3}; {} % of training tasks are below 1", 100.0 * LEVEL)],
    ];
    let verdict = if report.trust {
        "trust it: the log is like the tasks of training".to_owned()
    } else if ood_score > 1.0 {
        "do not trust it unseen: the log is unlike all tasks of training".to_owned()
    } else if in_range < INSIDE {
        "do not trust it unseen: most steps lie outside of what training saw".to_owned()
    } else {
        format!("do not trust it unseen: a log of fewer than {} steps tells too little", report.steps_needed)
    };
    let table = aligned(&rows.map(|row| row.map(str::to_owned)));
    format!("{}, adaptation {count}\n{table}{verdict}\n", out.display())
}
