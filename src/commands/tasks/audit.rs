//! `tasks audit PRESET`

use std::{cell::Cell, process::ExitCode};

use metadrift_envs::Split;

use crate::{
    audit::{Effort, audit},
    cli::{AuditArgs, Format, threads},
    commands::print,
    control::search::Budget,
    failure::Result,
    logging::pieces::Pieces,
    output, presets, ranks,
};

/// Runs the command.
///
/// # Errors
/// As [`super::run`]; if ranks do not work together.
pub fn run(args: &AuditArgs) -> Result<ExitCode> {
    match args.ranks.distributed {
        true => ranks::run(args.ranks.rank_timeout, |rank| {
            measure(args, args.actors.map_or(rank.cores, usize::from), rank.number)
        }),
        false => measure(args, threads(args.actors), 0),
    }
}

/// Measures, with the other ranks if there are any; rank 0 tells and stores the result.
fn measure(args: &AuditArgs, threads: usize, rank: usize) -> Result<ExitCode> {
    if rank == 0 {
        args.out.as_deref().map_or(Ok(()), output::check)?;
    }
    let config = presets::load_control(&args.what, &args.sets)?;
    ranks::check_config(&config)?;
    let search = Budget { rounds: args.rounds as usize, ..Budget::AUDIT };
    let effort = Effort { tasks: args.tasks as usize, lanes: args.lanes as usize, seed: args.seed, search, threads };
    let (splits, quiet) = (Split::ALL.len(), args.quiet || rank > 0);
    let (progress, done) = (Pieces::new("split", splits, splits as u64, quiet), Cell::new(0));
    let audit = audit(&config, &effort, &|split| {
        done.set(done.get() + 1);
        progress.show((done.get(), done.get() as u64), &split.to_string());
    })?;
    progress.finish();
    ranks::close();
    if rank > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let json = serde_json::to_string_pretty(&audit)? + "\n";
    print(&if args.format == Format::Json { json.clone() } else { audit.to_text() })?;
    args.out.as_ref().map_or(Ok(()), |path| output::write(path, json.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
