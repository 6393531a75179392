//! `train` and `resume`

use std::{borrow::Cow, path::Path, process::ExitCode};

use anyhow::Result;
use metadrift_agents::stop::{self, Stopped};
use metadrift_envs::Split;
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{Format, ResumeArgs, TrainArgs},
    commands::{evaluate::keep, print, print_as},
    config::{Config, Learner},
    device,
    evaluate::{Evaluation, Protocol, evaluate},
    failure::code,
    message::{quoted, say},
    presets, registry,
    session::{Ended, RunOptions, Session},
};

/// Trains, and evaluates what was trained.
///
/// # Errors
/// On a bad configuration, a taken run folder, divergence, a full disk.
pub fn train(args: &TrainArgs) -> Result<ExitCode> {
    let mut sets = args.sets.clone();
    sets.extend(args.seed.map(|seed| format!("seed={seed}")));
    sets.extend(args.iterations.map(|n| format!("iterations={n}")));
    let config = presets::load(&args.what, &sets)?;
    let options = RunOptions {
        device: args.compute.device,
        backend: args.compute.backend,
        actors: args.compute.num_actors(),
        max_time: args.max_time,
        quiet: args.quiet,
    };
    if args.dry_run {
        device::open(args.compute.device)?;
        plan(&config, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.smoke {
        return smoke(config, args.run_dir.as_deref(), options);
    }
    finish(Session::begin(config, args.run_dir.as_deref(), options)?, !args.no_evaluate, args.format)
}

/// Goes on with a run.
///
/// # Errors
/// If there is nothing to go on with, or as [`train`].
pub fn resume(args: &ResumeArgs) -> Result<ExitCode> {
    let options = RunOptions {
        device: args.compute.device,
        backend: args.compute.backend,
        actors: args.compute.num_actors(),
        max_time: args.max_time,
        quiet: args.quiet,
    };
    finish(Session::resume(&args.run, args.iterations, options)?, true, args.format)
}

/// The result of a run, for programs.
#[derive(Serialize)]
struct Outcome<'a> {
    /// Its folder.
    run: Cow<'a, str>,
    /// `finished`, `solved`, `time_up` or `interrupted`; in the last two cases `resume` goes on.
    state: &'static str,
    iteration: u64,
    env_steps: u64,
    /// Time spent training, by this process (s).
    seconds: f64,
    /// On held-out tasks of the training distribution.
    evaluation: Option<Evaluation>,
}

impl<'a> Outcome<'a> {
    fn of(session: &'a Session, ended: Ended, evaluation: Option<Evaluation>) -> Self {
        let state = match ended {
            Ended::Finished => "finished",
            Ended::Solved => "solved",
            Ended::TimeUp => "time_up",
            Ended::Signal(_) => "interrupted",
        };
        let (iteration, env_steps) = (session.trainer().iteration(), session.trainer().env_steps());
        let (run, seconds) = (session.path().to_string_lossy(), session.seconds());
        Outcome { run, state, iteration, env_steps, seconds, evaluation }
    }
}

fn finish(mut session: Session, evaluates: bool, format: Format) -> Result<ExitCode> {
    let ended = session.run()?;
    let run = quoted(session.path());
    if let Ended::Signal(signal) = ended {
        let iteration = session.trainer().iteration();
        say(&format!("stopped and saved after iteration {iteration}; resume with: metadrift resume {run}"));
        print_as(format, &Outcome::of(&session, ended, None), String::new)?;
        return Ok(code::of_signal(signal));
    }
    if ended == Ended::Solved {
        let (steps, seconds) = (session.trainer().env_steps(), session.seconds());
        say(&format!("solved after {steps} steps, {seconds:.2} s"));
    }
    if ended == Ended::TimeUp {
        say(&format!("time limit reached and saved; resume with: metadrift resume {run}"));
    }
    let mut evaluation = None;
    if evaluates {
        match stop::catch(|| held_out(&session, Split::InDist, None)) {
            Ok(found) => evaluation = Some(found?),
            Err(Stopped(signal)) => {
                say(&format!("evaluation stopped; the training is saved. Evaluate it with: metadrift evaluate {run}"));
                print_as(format, &Outcome::of(&session, ended, None), String::new)?;
                return Ok(code::of_signal(signal));
            }
        }
    }
    let outcome = Outcome::of(&session, ended, evaluation);
    print_as(format, &outcome, || outcome.evaluation.as_ref().map_or_else(String::new, Evaluation::to_text))?;
    say(&format!("\nRun folder: {}\nNext: metadrift evaluate {run} --split ood", session.path().display()));
    Ok(ExitCode::SUCCESS)
}

/// Evaluates on held-out tasks and stores the result with the run. `tasks` replaces `evaluation.tasks`.
fn held_out(session: &Session, split: Split, tasks: Option<usize>) -> Result<Evaluation> {
    let (trainer, config) = (session.trainer(), session.trainer().config());
    let usual = Protocol::of(config, split);
    let protocol = Protocol { tasks: tasks.unwrap_or(usual.tasks), ..usual };
    let evaluation = evaluate(config, &trainer.learner(), session.num_actors(), &protocol)?;
    keep(session.path(), &protocol.file_stem(config), &evaluation)?;
    Ok(evaluation)
}

/// One iteration of everything: train, save, resume, evaluate. Without `--run-dir` nothing stays.
fn smoke(config: Config, run_dir: Option<&Path>, options: RunOptions) -> Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    let dir = run_dir.map_or_else(|| temporary.path().join("run"), Path::to_owned);
    let mut session = Session::begin(Config { iterations: 1, ..config }, Some(&dir), options.clone())?;
    let mut ended = session.run()?;
    drop(session);
    if matches!(ended, Ended::Finished | Ended::Solved) {
        let mut resumed = Session::resume(&dir, Some(2), options)?;
        ended = resumed.run()?;
        for split in [Split::InDist, Split::Ood] {
            print(&held_out(&resumed, split, Some(10))?.to_text())?;
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

/// What `--dry-run` prints.
fn plan(config: &Config, format: Format) -> Result<()> {
    let spec = config.env()?.spec();
    let layout = registry::layout(spec, &config.task.settings(), &config.policy.hidden);
    let r = &config.rollout;
    let (lanes, phases) = match config.learner {
        Learner::Maml => ((r.num_tasks * r.num_envs) as u64, config.maml.inner_steps as u64 + 1),
        Learner::Ppo => (r.num_envs as u64, 1),
    };
    let steps = lanes * config.num_steps()? as u64;
    // a row: two observations, action, log-probability, reward, step in the episode, two flags; and, kept for each
    // phase, the learner's copy of observation, action, log-probability and advantage
    let row = 4 * (2 * layout.obs_dim() + spec.act_dim() + 3) as u64 + 2;
    let sample = 4 * (layout.obs_dim() + spec.act_dim() + 2) as u64;
    let megabytes = (steps * (row + phases * sample)) as f64 / 1e6;
    let (parameters, per_iteration) = (layout.num_params(), steps * phases);
    let total = per_iteration * config.iterations;
    let object = json!({
        "config": config, "parameters": parameters, "env_steps_per_iteration": per_iteration, "env_steps": total,
        "megabytes": megabytes,
    });
    print_as(format, &object, || {
        format!(
            "{}\n# {parameters} parameters; at most {per_iteration} environment steps per iteration, {total} in all; about \
             {megabytes:.0} MB of experience\n",
            config.to_toml()
        )
    })
}
