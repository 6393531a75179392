//! `report RUN|STUDY... --out FILE.html`

use crate::{
    cli::ReportArgs,
    failure::{During, Result, WrongUsage},
    message::say,
    output, report,
};

/// Runs the command.
///
/// # Errors
/// If a folder is neither a run nor a study, a file in it cannot be read, or nothing can be written.
pub fn run(args: &ReportArgs) -> Result<()> {
    output::check(&args.out)?;
    if crate::run_dir::owns(&args.out) {
        return Err(WrongUsage(format!("{} is a file of a run; choose another --out", args.out.display())).into());
    }
    let page = report::page(&args.folders)?;
    output::write(&args.out, page.html().as_bytes()).during(|| "cannot write the report".to_owned())?;
    say(&format!("wrote {}", args.out.display()));
    if let Some(dir) = &args.assets {
        let files = report::write_assets(&page, dir)?;
        say(&format!("wrote {files} files to {}", dir.display()));
    }
    Ok(())
}
