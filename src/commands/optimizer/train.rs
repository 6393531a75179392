//! `optimizer train`

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use metadrift_agents::stop;
use metadrift_envs::Split;

use super::problem;
use crate::{
    checkpoint::{self, Checkpoint},
    cli::{OptimizerTrainArgs, threads},
    failure::{Result, WrongUsage},
    message,
    optimizer::{AdamSettings, Choice, Evolution, Problem, Trained, Within, write},
    output,
    stats::mean,
};

/// A line of the history: generation, mean score of the population since the line before, score of the rule and of Adam on
/// the same held-out trainings.
type Line = (u64, f64, f64, f64);

/// Runs the command.
///
/// # Errors
/// If the trainings are not possible, a checkpoint does not fit, or a file cannot be written.
pub fn run(args: &OptimizerTrainArgs) -> Result<()> {
    output::check(&args.out)?;
    let problem = problem(&args.trainings)?;
    let dir = folder(&args.out);
    let mut evolution = Evolution::new(problem.clone(), settings(args));
    let mut history = Vec::new();
    if args.resume {
        let (found, skipped) = checkpoint::newest(&dir)?;
        skipped.iter().for_each(|s| message::warn(&format!("skipped a damaged checkpoint: {s}")));
        evolution.load(&found.state())?;
        history = found.state().value("history")?;
    } else if !checkpoint::steps(&dir)?.is_empty() {
        let reason = format!("{} holds a training: go on with --resume, or choose another --out", dir.display());
        return Err(WrongUsage(reason).into());
    }
    let actors = threads(args.trainings.actors);
    message::say(&format!(
        "{} members x {} trainings of {} steps, {} of {} generations done",
        args.population,
        args.draws,
        problem.env_steps(),
        evolution.generation(),
        args.generations
    ));
    evolve(args, &problem, &mut evolution, &mut history, actors)
}

/// The folder of checkpoints beside the file.
fn folder(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".train");
    name.into()
}

fn settings(args: &OptimizerTrainArgs) -> Trained {
    let trainings = &args.trainings;
    let ppo = [std::slice::from_ref(&trainings.ppo), &trainings.sets[..]].concat().join(" ");
    Trained {
        tasks: trainings.tasks.clone(),
        ppo,
        iterations: trainings.iterations,
        population: args.population,
        draws: args.draws,
        generations: 0,
        sigma: args.sigma,
        rate: args.rate,
        seed: args.seed,
    }
}

/// Runs generations to the end, or until a signal; saves in both cases.
fn evolve(
    args: &OptimizerTrainArgs,
    problem: &Problem,
    evolution: &mut Evolution,
    history: &mut Vec<Line>,
    actors: usize,
) -> Result<()> {
    let adam = Choice::Adam(AdamSettings::GIVEN);
    let held_out = problem.draws(Split::InDist, Within { seed: args.seed, round: 0 }, args.held_out);
    let score = |choice: Choice| mean(&problem.scores(&[choice], &held_out, actors)[0]);
    let adam = score(adam);
    let (began, before) = (Instant::now(), evolution.generation());
    let mut population = Vec::new();
    while evolution.generation() < args.generations {
        let Ok(scored) = stop::catch(|| evolution.advance(actors)) else { break };
        population.push(scored);
        let done = evolution.generation();
        if done.is_multiple_of(args.every) || done == args.generations {
            let Ok(rule) = stop::catch(|| score(Choice::Rule(evolution.rule().weights.clone()))) else { break };
            history.push((done, mean(&population), rule, adam));
            population.clear();
            let each = began.elapsed() / (done - before) as u32;
            let left = each * (args.generations - done) as u32;
            let (_, population, ..) = history[history.len() - 1];
            message::say(&format!(
                "generation {done}: population {population:.1}, rule {rule:.1}, Adam {adam:.1}; {} left",
                shown(left)
            ));
            save(args, evolution, history)?;
        }
    }
    save(args, evolution, history)?;
    let done = evolution.generation();
    message::say(&format!("{done} generations; the rule is in {}", args.out.display()));
    if done < args.generations {
        message::say("stopped early; go on with the same command and --resume");
    }
    Ok(())
}

/// Saves the state of the evolution, its history, and the rule.
fn save(args: &OptimizerTrainArgs, evolution: &Evolution, history: &[Line]) -> Result<()> {
    let dir = folder(&args.out);
    let mut state = evolution.save();
    state.set("history", history);
    checkpoint::save(&dir, &Checkpoint::of(evolution.generation(), state))?;
    checkpoint::prune(&dir, 2, evolution.generation(), None)?;
    let mut table = "generation,population,rule,adam\n".to_owned();
    for (generation, population, rule, adam) in history {
        table += &format!("{generation},{population},{rule},{adam}\n");
    }
    output::write(&dir.join("history.csv"), table.as_bytes())?;
    write(&args.out, evolution.rule())
}

fn shown(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    if minutes < 120 { format!("{minutes} min") } else { format!("{:.1} h", minutes as f64 / 60.0) }
}
