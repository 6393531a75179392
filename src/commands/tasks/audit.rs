//! `tasks audit PRESET`

use crate::{
    audit::{Effort, audit},
    cli::{AuditArgs, Format},
    commands::print,
    control::search::Budget,
    failure::Result,
    output, presets,
};

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(args: &AuditArgs) -> Result<()> {
    args.out.as_deref().map_or(Ok(()), output::check)?;
    let config = presets::load_control(&args.what, &args.sets)?;
    let search = Budget { rounds: args.rounds as usize, ..Budget::AUDIT };
    let effort = Effort { tasks: args.tasks as usize, lanes: args.lanes as usize, seed: args.seed, search };
    let audit = audit(&config, &effort)?;
    let json = serde_json::to_string_pretty(&audit)? + "\n";
    print(&if args.format == Format::Json { json.clone() } else { audit.to_text() })?;
    args.out.as_ref().map_or(Ok(()), |path| output::write(path, json.as_bytes()))
}
