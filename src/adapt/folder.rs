//! The folder of an adapted policy: a run folder with one checkpoint, and the log of its adaptations.

use std::{fs, path::Path};

use metadrift_agents::agent::Agent;
use serde_json::{Value, json};

use crate::{
    checkpoint::{self, Checkpoint},
    device,
    failure::{During, Result, WrongUsage},
    files,
    live::log::{self, Entry, digest_of},
    message,
    run_dir::{Manifest, RunDir, RunState, command_line, read_own, task_digests, write_atomic},
    session::Best,
    trained::Trained,
};

/// Name of the log of adaptations.
pub const LOG: &str = "adaptations.jsonl";
/// Largest size of a file that is copied or read (B).
const MAX_BYTES: u64 = 256 << 20;

/// Refuses a place for a new folder where something is, or within a run.
///
/// # Errors
/// If it is not free.
pub fn refuse_taken(out: &Path) -> Result<()> {
    let place = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    if let Some(run) = place.ancestors().skip(1).find(|dir| RunDir::is_run(dir)) {
        let message =
            format!("--out {}: this is within the run {}; choose a folder beside it", out.display(), run.display());
        return Err(WrongUsage(message).into());
    }
    let free = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => fs::symlink_metadata(out).is_err(),
    };
    if free {
        return Ok(());
    }
    Err(WrongUsage(format!("--out {}: there is something already; choose a new folder", out.display())).into())
}

/// Says that the policy in folder `dir` was adapted, if it was: returns before adaptation are then those after it.
pub fn tell(dir: &Path) {
    let path = dir.join(LOG);
    let Ok(text) = fs::read_to_string(&path) else { return };
    match log::verify(&path.display().to_string(), &text) {
        Ok(count) => {
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            message::say(&format!("{}: a policy that was adapted {times} to logged episodes", dir.display()));
        }
        Err(broken) => message::warn(&broken.to_string()),
    }
}

/// The description of the run and the adaptations in the log of an adapted folder `dir`, which leads to the parameters
/// `now`; none in the folder of a training run.
///
/// # Errors
/// If the log was changed after it was written, or belongs to another policy.
pub fn earlier(dir: &Path, now: &[f32]) -> Result<(Option<Value>, Vec<Entry>)> {
    let path = dir.join(LOG);
    if !path.exists() {
        return Ok((None, Vec::new()));
    }
    let name = path.display().to_string();
    let text = String::from_utf8(read_own(&path, MAX_BYTES)?).during(|| format!("{name} is not UTF-8"))?;
    let count = log::verify(&name, &text)?;
    let mut lines = text.lines();
    let first: Value =
        serde_json::from_str(lines.next().unwrap_or_default()).during(|| format!("cannot read {name}"))?;
    let entries: Vec<Entry> = lines
        .take(count)
        .map(serde_json::from_str)
        .collect::<serde_json::Result<_>>()
        .during(|| format!("cannot read {name}"))?;
    if entries.last().is_some_and(|last| last.after != digest_of(now)) {
        let message = format!("{name} does not lead to the parameters of the checkpoint beside it");
        return Err(std::io::Error::other(message).into());
    }
    Ok((first.get("run").cloned(), entries))
}

/// Writes the folder `out` of the policy of `agent`, which was adapted from `run`; `described` is the first line of an
/// earlier log, and `entries` are all adaptations. The folder is there whole or not at all.
///
/// # Errors
/// If anything cannot be written.
pub fn write(
    out: &Path,
    run: &Trained,
    agent: &dyn Agent,
    (described, entries): (Option<Value>, &[Entry]),
) -> Result<()> {
    let described = match described {
        Some(described) => described,
        None => json!({
            "version": env!("CARGO_PKG_VERSION"), "preset": run.config.name, "learner": run.config.learner.name,
            "iteration": run.iteration, "tasks": task_digests(&run.config)?,
        }),
    };
    let shown = || format!("cannot write {}", out.display());
    let place = files::folder(out);
    fs::create_dir_all(&place).during(shown)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)); // the system subtracts the umask
    let made = builder.prefix(".adapt.tmp-").tempdir_in(&place).map_err(files::plain).during(shown)?;
    let config = read_own(&run.dir.join("config.toml"), MAX_BYTES)?;
    let known = Manifest::read_if_there(&run.dir)?;
    let mut manifest =
        known.unwrap_or_else(|| Manifest::new(device::LIBTORCH_VERSION, run.config.seed, command_line()));
    manifest.command = command_line();
    manifest.set_state(RunState::Finished);
    manifest.write(made.path())?;
    write_atomic(&made.path().join("config.toml"), &config)?;
    fs::create_dir(made.path().join("eval")).during(shown)?;
    checkpoint::save(&made.path().join("checkpoints"), &adapted(run, agent))?;
    write_atomic(&made.path().join(LOG), log::text(&described, entries.iter())?.as_bytes())?;
    fs::rename(made.path(), out).during(shown)?;
    files::sync_folder(&place).during(shown)?;
    Ok(())
}

/// The checkpoint of `run` with the point that `agent` has come to.
fn adapted(run: &Trained, agent: &dyn Agent) -> Checkpoint {
    let mut state = run.checkpoint.state();
    agent.keep(&mut state);
    Best::forget(&mut state);
    Checkpoint::of(run.iteration, state)
}
