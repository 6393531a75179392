//! `export RUN --to DIR`

mod form;
mod page;
mod readme;
mod sources;
mod spec;
mod vectors;

use std::{fs, io, path::Path};

use metadrift_agents::{device::Device, runtime::Form};
use serde_json::Value;

use self::{sources::File, spec::Origin, vectors::Vectors};
use crate::{
    checkpoint::Which,
    cli::{ExportArgs, ExportFormat, threads},
    commands::print,
    config::Experiment,
    failure::{During, Result, WrongUsage},
    files::{folder, plain},
    message, onnx,
    run_dir::{self, Manifest, RunState},
    trained::Trained,
};

/// Name of the policy's file.
const POLICY: &str = "policy.bin";

/// Everything that an export holds.
struct Export {
    form: Form,
    /// The policy's file.
    policy: Vec<u8>,
    spec: Value,
    vectors: Vectors,
    page: Option<File>,
}

/// The policy of a run's checkpoint, as an export has it in `policy.bin`.
///
/// # Errors
/// If the run has no valid checkpoint, or its policy cannot leave the program.
pub fn policy(run: &Path, which: Which) -> Result<Form> {
    let trained = Trained::open(run, which, Device::Cpu, None, threads(None))?;
    form::form(&trained.config, &*trained.agent, None)
}

/// Runs the command.
///
/// # Errors
/// If the run has no valid checkpoint, its policy cannot leave the program, or the folder cannot be written.
pub fn run(args: &ExportArgs) -> Result<()> {
    check_folder(&args.to)?;
    let trained = Trained::open(&args.run, args.checkpoint, Device::Cpu, None, threads(None))?;
    let origin = origin(&args.run, &trained);
    let Trained { config, agent, .. } = &trained;
    let form = form::form(config, &**agent, args.rate_limit)?;
    let policy = form.to_bytes();
    let spec = spec::spec(config, &origin, &form, &policy)?;
    let vectors = vectors::vectors(config, &**agent, args.rate_limit)?;
    let mut export = Export { form, policy, spec, vectors, page: None };
    export.page = page(config, &export, args.format)?;
    write(&export, &trained, args)?;
    let kind = kind(&export);
    let told = format!("{}: a policy of {} bytes that {kind}\n", args.to.display(), export.policy.len());
    Ok(print(&(told + &files(&export, args)))?)
}

/// The page, if it is asked for. Where all formats are, a reason against it is a warning.
fn page(config: &Experiment, export: &Export, format: ExportFormat) -> Result<Option<File>> {
    match page::refusal(config).filter(|_| format == ExportFormat::All) {
        Some(reason) => message::warn(&format!("there is no page.html: {reason}")),
        None if format.has(ExportFormat::Page) => return page::page(config, export).map(Some),
        None => {}
    }
    Ok(None)
}

/// Refuses a folder that holds something, or belongs to a run.
fn check_folder(to: &Path) -> Result<()> {
    let refused = |reason: &str| Err(WrongUsage(format!("--to {}: {reason}", to.display())).into());
    if run_dir::owns(&to.join(POLICY)) {
        return refused("this is the folder of a run; choose another one");
    }
    match fs::read_dir(to).map(|mut names| names.next().is_some()) {
        Ok(true) => refused("there is something in it; choose a new or empty folder"),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => tempfile::tempfile_in(folder(to))
            .map(drop)
            .map_err(plain)
            .during(|| format!("cannot write {}", to.display())),
        Err(error) => Err(error).during(|| format!("cannot write {}", to.display())),
    }
}

/// The training behind the policy; says so if it is not complete.
fn origin(run: &Path, trained: &Trained) -> Origin {
    let run = run.display().to_string();
    let iteration = trained.iteration;
    let state = Manifest::read(&trained.dir).map(|manifest| manifest.state);
    let finished = matches!(state, Ok(RunState::Finished)) && iteration >= trained.config.iterations;
    if !finished {
        let planned = trained.config.iterations;
        let why = match state {
            Err(error) => format!("its manifest cannot be read ({error})"),
            Ok(RunState::Failed { message }) => format!("it failed: {message}"),
            Ok(_) => "the run is not finished, or an earlier checkpoint is chosen".to_owned(),
        };
        message::warn(&format!("{run}: the policy of iteration {iteration} of {planned}; {why}"));
    }
    Origin { run, iteration, finished }
}

/// Writes all files, or none: into a folder beside, which is then renamed.
fn write(export: &Export, trained: &Trained, args: &ExportArgs) -> Result<()> {
    let during = || format!("cannot write {}", args.to.display());
    let beside =
        tempfile::Builder::new().prefix(".export-").tempdir_in(folder(&args.to)).map_err(plain).during(during)?;
    let place = beside.path().join("export");
    write_files(export, &place, args).during(during)?;
    if args.format.has(ExportFormat::Onnx) {
        let graphs = place.join("onnx");
        fs::create_dir(&graphs).during(during)?;
        if let Some(reason) =
            onnx::write(trained, &graphs, args.rate_limit)?.no_adaptation.filter(|_| export.form.adaptation.is_some())
        {
            message::warn(&format!("there is no onnx/adapt.onnx: {reason}"));
        }
    }
    let _ = fs::remove_dir(&args.to); // only an empty one goes
    fs::rename(place, &args.to).during(during)
}

/// Writes the files but for the graphs.
fn write_files(export: &Export, place: &Path, args: &ExportArgs) -> io::Result<()> {
    let mut files: Vec<File> = vec![
        (POLICY.into(), export.policy.clone()),
        ("spec.json".into(), (serde_json::to_string_pretty(&export.spec)? + "\n").into_bytes()),
        ("vectors/likely.csv".into(), export.vectors.likely.clone().into_bytes()),
        ("vectors/drawn.csv".into(), export.vectors.drawn.clone().into_bytes()),
    ];
    files.push(("README.md".into(), readme::readme(export, args).into_bytes()));
    files.extend(export.vectors.adapted.clone().map(|text| ("vectors/adapted.csv".into(), text.into_bytes())));
    if args.format.has(ExportFormat::Rust) {
        files.extend(sources::rust(export));
    }
    if args.format.has(ExportFormat::C) {
        files.extend(sources::c(export));
    }
    if args.format.has(ExportFormat::Wasm) {
        files.extend(page::wasm());
    }
    files.extend(export.page.clone());
    for (name, bytes) in files {
        let path = place.join(name);
        fs::create_dir_all(folder(&path))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// The policy's way of adapting, in words.
fn kind(export: &Export) -> String {
    match &export.form.adaptation {
        Some(adaptation) => format!("adapts by gradient steps, each from {} episodes", adaptation.episodes),
        None => "adapts while it acts".to_owned(),
    }
}

/// The files that are written, in words.
fn files(export: &Export, args: &ExportArgs) -> String {
    let mut text = "  README.md  spec.json  policy.bin  vectors/\n".to_owned();
    if args.format.has(ExportFormat::Rust) {
        text += "  rust/  a crate; `cargo test` in it checks it by the vectors\n";
    }
    if args.format.has(ExportFormat::C) {
        text += "  c/     metadrift.h, policy.c; check.c checks them by the vectors\n";
    }
    if args.format.has(ExportFormat::Onnx) {
        text += "  onnx/  graphs of policy and adaptation, with cases to check them by\n";
    }
    if args.format.has(ExportFormat::Wasm) {
        text += "  wasm/  metadrift.wasm, metadrift.mjs; check.mjs checks them by the vectors\n";
    }
    if export.page.is_some() {
        text += "  page.html  the policy in its environment; open it in any browser\n";
    }
    text
}
