//! `train` and `resume`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use metadrift_agents::stop::Stopped;
use metadrift_envs::Split;
use serde::Serialize;
use serde_json::json;

use crate::{
    checkpoint::Which,
    cli::{ComputeArgs, Format, RanksArgs, ResumeArgs, TrainArgs},
    commands::{evaluate::keep, print, print_as},
    config::{Config, ConfigError, Experiment},
    device,
    evaluate::HeldOut,
    failure::{During, Result, WrongUsage, code},
    memory::{self, Arithmetic, Need, Training},
    message::{quoted, say, warn},
    presets, ranks, registry, report,
    run_dir::{Place, RunDir},
    session::{self, Ended, LAST, RUNS, RunOptions, Session, read_config, read_config_with},
};

/// Trains a policy and evaluates it.
///
/// # Errors
/// On a bad configuration, a taken run folder, divergence, a full disk; if ranks do not work together.
pub fn train(args: &TrainArgs) -> Result<ExitCode> {
    let options = |cores| options(&args.compute, cores, args.max_time, args.quiet, None);
    match args.ranks.distributed {
        true => shared(&args.ranks, options, !args.no_evaluate, |options| train_here(args, options)),
        false => train_here(args, options(None)),
    }
}

/// Does `work` as rank 0, or trains along with it, and evaluates along if it `evaluates`.
fn shared(
    args: &RanksArgs,
    options: impl Fn(Option<usize>) -> RunOptions,
    evaluates: bool,
    work: impl FnOnce(RunOptions) -> Result<ExitCode>,
) -> Result<ExitCode> {
    ranks::run(args.rank_timeout, |rank| {
        let options = options(Some(rank.cores));
        if rank.number == 0 {
            return work(options);
        }
        match ranks::follow(&options, evaluates)? {
            Ended::Signal(signal) => Ok(code::of_signal(signal)),
            Ended::Finished | Ended::Solved | Ended::TimeUp | Ended::Paused => Ok(ExitCode::SUCCESS),
        }
    })
}

fn train_here(args: &TrainArgs, options: RunOptions) -> Result<ExitCode> {
    let mut sets: Vec<String> = args.learner.iter().map(|name| format!("learner={name}")).collect();
    sets.extend_from_slice(&args.sets);
    if let Some(data) = &args.data {
        // the run is evaluated from other folders, too
        let data =
            std::fs::canonicalize(data).during(|| format!("cannot read the folder of the data {}", data.display()))?;
        if presets::load(&args.what, &[])?.family().is_none() {
            let message = format!("--data is for tasks of examples, but {} has an environment", args.what);
            return Err(WrongUsage(message).into());
        }
        sets.push(format!("examples.data={}", toml::Value::from(data.display().to_string())));
    }
    sets.extend(args.seed.map(|seed| format!("seed={seed}")));
    sets.extend(args.iterations.map(|n| format!("iterations={n}")));
    let config = presets::load(&args.what, &sets)?;
    config.check_data()?;
    if !args.no_evaluate || config.evaluation.every > 0 {
        config.check_split(Split::InDist)?;
    }
    if config.evaluation.every > 0 {
        config.check_split(Split::Ood)?;
    }
    config.warnings()?.iter().for_each(|warning| warn(warning));
    let evaluates = !args.no_evaluate;
    if args.dry_run {
        plan(&config, &options, evaluates, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    size(&config, &options, evaluates)?.1.check()?;
    if args.ranks.distributed {
        ranks::check(&config, &options)?;
    }
    if args.smoke {
        return smoke(config, args.run_dir.as_deref(), options);
    }
    let place = place(args);
    let folder = place.folder(Path::new(RUNS), &config.name);
    let session = match folder.filter(|dir| args.resume_if_exists && RunDir::is_run(dir)) {
        Some(dir) => {
            let stored = read_config(&dir)?;
            check_same(&stored, &config, &dir)?;
            // a run that was extended by hand meanwhile keeps its iterations
            let more = config.iterations > stored.iterations;
            Session::resume(&dir, Which::Last, more.then_some(config.iterations), options)?
        }
        None => Session::begin(config, &place, options)?,
    };
    finish(session, evaluates, args.format)
}

/// Resumes a run.
///
/// # Errors
/// If there is no run to resume, or as [`train`].
pub fn resume(args: &ResumeArgs) -> Result<ExitCode> {
    let options = |cores| options(&args.compute, cores, args.max_time, args.quiet, args.data.clone());
    match args.ranks.distributed {
        true => shared(&args.ranks, options, !args.no_evaluate, |options| resume_here(args, options)),
        false => resume_here(args, options(None)),
    }
}

fn resume_here(args: &ResumeArgs, options: RunOptions) -> Result<ExitCode> {
    let evaluates = !args.no_evaluate;
    let config = read_config_with(&args.run, args.data.as_deref())?;
    size(&config, &options, evaluates)?.1.check()?;
    if args.ranks.distributed {
        ranks::check(&config, &options)?;
    }
    finish(Session::resume(&args.run, args.checkpoint, args.iterations, options)?, evaluates, args.format)
}

/// Options of a run; `cores` is the number of threads unless the user asks for one, instead of all.
fn options(
    compute: &ComputeArgs,
    cores: Option<usize>,
    max_time: Option<Duration>,
    quiet: bool,
    data: Option<PathBuf>,
) -> RunOptions {
    let ComputeArgs { device, backend, actors } = *compute;
    let actors = cores.filter(|_| actors.is_none()).unwrap_or_else(|| compute.num_actors());
    RunOptions { device, backend, actors, max_time, until: None, data, quiet }
}

/// The place of the run; a generated name contains the settings of the command line.
fn place(args: &TrainArgs) -> Place {
    match (&args.run_dir, &args.name) {
        (Some(dir), _) => Place::Folder(dir.clone()),
        (None, Some(name)) => Place::Named(name.clone()),
        (None, None) => {
            let learner = args.learner.iter().map(|name| format!("learner={name}"));
            let iterations = args.iterations.map(|n| format!("iterations={n}"));
            Place::Fresh(learner.chain(args.sets.iter().cloned()).chain(iterations).collect())
        }
    }
}

/// Refuses to resume a run with other settings, except for the number of iterations.
fn check_same(stored: &Experiment, asked: &Experiment, dir: &Path) -> Result<(), ConfigError> {
    let asked = Config { iterations: stored.iterations, ..Config::clone(asked) };
    let differing = stored.differences(&asked);
    let Some((key, there, now)) = differing.first() else { return Ok(()) };
    let more = if differing.len() > 1 { format!(" and {} more", differing.len() - 1) } else { String::new() };
    Err(ConfigError::Text {
        origin: dir.display().to_string(),
        message: format!(
            "the run there has other settings: {key} is {there} there, {now} was asked for{more}. Choose another folder, \
             or resume it as it is: metadrift resume {}",
            quoted(dir)
        ),
    })
}

/// The result of a run, for programs.
#[derive(Serialize)]
struct Outcome {
    /// Folder of the run.
    run: String,
    /// `finished`, `solved`, `time_up` or `interrupted`; in the last two cases it can be resumed.
    state: &'static str,
    iteration: u64,
    env_steps: u64,
    /// Time spent training, by this process (s).
    seconds: f64,
    /// Evaluation on held-out tasks of the training distribution.
    evaluation: Option<HeldOut>,
}

impl Outcome {
    fn of(session: &Session, ended: Ended, evaluation: Option<HeldOut>) -> Self {
        let state = match ended {
            Ended::Finished => "finished",
            Ended::Solved => "solved",
            Ended::TimeUp => "time_up",
            Ended::Paused => "paused",
            Ended::Signal(_) => "interrupted",
        };
        let iteration = session.trainer().iteration();
        let env_steps = session.trainer().env_steps();
        let run = session.shown_path().display().to_string();
        let seconds = session.seconds();
        Outcome { run, state, iteration, env_steps, seconds, evaluation }
    }
}

fn finish(mut session: Session, evaluates: bool, format: Format) -> Result<ExitCode> {
    if session.has_nothing_to_do() {
        let limit = session.trainer().config().max_env_steps;
        say(&match limit > 0 && session.trainer().env_steps() >= limit {
            true => format!("the {limit} environment steps of this run (max_env_steps) are done"),
            false => "all iterations of this run are done; --iterations N extends it".to_owned(),
        });
    }
    let ended = session.run()?;
    let run = quoted(session.shown_path());
    if let Ended::Signal(signal) = ended {
        let iteration = session.trainer().iteration();
        say(&format!("stopped and saved after iteration {iteration}; resume with: metadrift resume {run}"));
        print_as(format, &Outcome::of(&session, ended, None), String::new)?;
        return Ok(code::of_signal(signal));
    }
    if ended == Ended::Solved {
        let steps = session.trainer().env_steps();
        let seconds = session.seconds();
        say(&format!("solved after {steps} steps, {seconds:.2} s"));
    }
    if ended == Ended::TimeUp {
        say(&format!("time limit reached and saved; resume with: metadrift resume {run}"));
    }
    let mut evaluation = None;
    if evaluates {
        match ranks::together(|| judge_at_the_end(&session, ended))? {
            Ok(found) => evaluation = Some(found),
            Err(Stopped(signal)) => {
                say(&format!("evaluation stopped; the training is saved. Evaluate it with: metadrift evaluate {run}"));
                print_as(format, &Outcome::of(&session, ended, None), String::new)?;
                return Ok(code::of_signal(signal));
            }
        }
    }
    let outcome = Outcome::of(&session, ended, evaluation);
    print_as(format, &outcome, || outcome.evaluation.as_ref().map_or_else(String::new, HeldOut::to_text))?;
    if !session.is_quiet() {
        say(&format!("\nRun folder: {}\nNext: metadrift evaluate {run} --split ood", session.shown_path().display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Evaluates on held-out tasks and stores the result with the run. `tasks` replaces `evaluation.tasks`.
fn judge(session: &Session, split: Split, tasks: Option<usize>) -> Result<HeldOut> {
    let trainer = session.trainer();
    let (protocol, found) = session::judge(trainer, session.num_actors(), split, tasks)?;
    // rank 0 alone writes files
    ranks::close();
    keep(session.path(), &protocol.file_stem(trainer.config()), &found)?;
    Ok(found)
}

/// Evaluates and, if the training is over, adds the result to TensorBoard. The tags are not those of evaluations during
/// training, which have tasks of their own.
fn judge_at_the_end(session: &Session, ended: Ended) -> Result<HeldOut> {
    let found = judge(session, LAST, None)?;
    if matches!(ended, Ended::Finished | Ended::Solved) && !session.has_nothing_to_do() {
        let (text, film) = report::summary(session.path(), session.trainer().config(), LAST.name())?;
        let tag = |(name, value): (String, f64)| (name.replacen("eval/", "final/", 1), value);
        let figures: Vec<_> = found.scalars().into_iter().map(tag).collect();
        session.conclude(&figures, &text, film.as_ref().map(|gif| (&gif.bytes[..], gif.size)));
    }
    Ok(found)
}

/// Trains one iteration, saves, resumes and evaluates. Without `--run-dir` no file stays.
fn smoke(config: Experiment, run_dir: Option<&Path>, options: RunOptions) -> Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    let dir = run_dir.map_or_else(|| temporary.path().join("run"), Path::to_owned);
    let mut session = Session::begin(config.with_iterations(1)?, &Place::Folder(dir.clone()), options.clone())?;
    let mut ended = session.run()?;
    drop(session);
    if matches!(ended, Ended::Finished | Ended::Solved) {
        let mut resumed = Session::resume(&dir, Which::Last, Some(2), options)?;
        ended = resumed.run()?;
        for split in [Split::InDist, Split::Ood] {
            print(&judge(&resumed, split, Some(10))?.to_text())?;
        }
    }
    match ended {
        Ended::Signal(signal) => Ok(code::of_signal(signal)),
        _ => {
            say("smoke test passed: trained, saved, resumed, evaluated");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The size of a run, and the memory it needs, the evaluation at its end included.
fn size(config: &Experiment, options: &RunOptions, evaluates: bool) -> Result<(Training, Need)> {
    let device = device::open(options.device)?;
    let arithmetic = Arithmetic::of(config, options.backend.unwrap_or_default(), device, options.actors)?;
    let training = Training::of(config, arithmetic);
    Ok((training, if evaluates { training.and_evaluation(config, arithmetic) } else { training.need }))
}

/// The output of `--dry-run`.
fn plan(config: &Experiment, options: &RunOptions, evaluates: bool, format: Format) -> Result<()> {
    let layout = registry::policy(config);
    let (training, need) = size(config, options, evaluates)?;
    let mut steps = training.steps * u128::from(config.iterations);
    if config.max_env_steps > 0 {
        // the iteration that reaches the limit is done to its end
        steps = steps.min(u128::from(config.max_env_steps) + training.steps - 1);
    }
    let whole = |number: u128| u64::try_from(number).ok();
    let object = json!({
        "config": &**config, "parameters": layout.num_params(), "env_steps_per_iteration": whole(training.steps),
        "env_steps": whole(steps), "memory_bytes": whole(need.bytes), "fits": need.shortage().is_none(),
    });
    print_as(format, &object, || {
        let mut text = format!(
            "{}\n# {} parameters; at most {} environment steps per iteration, {steps} in all; about {} of memory\n",
            config.to_toml(),
            layout.num_params(),
            training.steps,
            memory::size(need.bytes),
        );
        if let Some(there) = need.shortage() {
            let there = memory::size(there.into());
            text += &format!("# warning: only {there} are available, so this will be refused: lower {}\n", need.keys);
        }
        text
    })
}
