//! `tasks audit PRESET`

use anyhow::{Context, Result};

use crate::{
    audit::{Effort, audit},
    cli::{AuditArgs, Format},
    commands::{print, writable},
    control::search::Budget,
    presets,
    run_dir::write_atomic,
};

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(args: &AuditArgs) -> Result<()> {
    args.out.as_deref().map_or(Ok(()), writable)?;
    let config = presets::load(&args.what, &args.sets)?;
    let search = Budget { rounds: args.rounds as usize, ..Budget::AUDIT };
    let effort = Effort { tasks: args.tasks as usize, lanes: args.lanes as usize, seed: args.seed, search };
    let audit = audit(&config, &effort)?;
    let json = serde_json::to_string_pretty(&audit)? + "\n";
    if let Some(path) = &args.out {
        write_atomic(path, json.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(print(&if args.format == Format::Json { json } else { audit.to_text() })?)
}
