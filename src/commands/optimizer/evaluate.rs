//! `optimizer evaluate`

use std::path::Path;

use metadrift_envs::Split;
use serde::Serialize;

use super::{Tuned, problem};
use crate::{
    cli::{OptimizerEvaluateArgs, threads},
    commands::{aligned, print_as},
    failure::{Result, WrongUsage},
    optimizer::{AdamSettings, Choice, Problem, Rule, RuleError, Within, read},
    output,
    stats::{Difference, Summary},
};

/// Round of the evaluation's draws: those of training and search are other ones.
const ROUND: u32 = (1 << 24) - 1;

/// The result, in the shape of its JSON form.
#[derive(Serialize)]
struct Evaluation<'a> {
    tasks: &'a str,
    ppo: &'a str,
    split: &'static str,
    iterations: u64,
    env_steps: u64,
    seeds: u32,
    seed: u64,
    optimizers: Vec<Row>,
}

/// One optimiser.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    /// Settings of Adam, as factors of those of PPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    adam: Option<AdamSettings>,
    /// Trainings by which it was learned or tuned.
    trainings: u64,
    /// Mean return over the training budget, over tasks and seeds.
    mean: f64,
    /// 95 % bootstrap interval of that mean.
    ci95: [f64; 2],
    /// Mean return of the last 100 episodes of each training.
    last: f64,
    /// The rule's mean return over the budget minus this one's, paired by task and seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_minus_this: Option<Difference>,
    /// Mean return over the training budget of each training.
    scores: Vec<f64>,
}

/// Runs the command.
///
/// # Errors
/// If rule, settings or tasks are not usable, or a file cannot be written.
pub fn run(args: &OptimizerEvaluateArgs) -> Result<()> {
    args.csv.as_deref().map_or(Ok(()), output::check)?;
    let rule = read(&args.rule)?;
    let tuned = args.adam.as_deref().map(read_tuned).transpose()?;
    let problem = problem(&args.trainings)?;
    let rows = measure(args, &problem, rule, tuned);
    if let Some(path) = &args.csv {
        output::write(path, csv(&rows).as_bytes())?;
    }
    let trainings = &args.trainings;
    let evaluation = Evaluation {
        tasks: &trainings.tasks,
        ppo: &trainings.ppo,
        split: args.split.name(),
        iterations: trainings.iterations,
        env_steps: problem.env_steps(),
        seeds: args.seeds,
        seed: args.seed,
        optimizers: rows,
    };
    print_as(args.format, &evaluation, || text(&evaluation))
}

fn read_tuned(path: &Path) -> Result<Tuned> {
    let text = std::fs::read(path).map_err(|source| RuleError::Unreadable { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|error| {
        WrongUsage(format!("--adam {}: {error}; `metadrift optimizer tune` writes such a file", path.display())).into()
    })
}

fn measure(args: &OptimizerEvaluateArgs, problem: &Problem, rule: Rule, tuned: Option<Tuned>) -> Vec<Row> {
    let of = rule.trained;
    let learned = of.generations * u64::from(of.population) * u64::from(of.draws);
    let mut all = vec![("learned rule", Choice::Rule(rule.weights), learned)];
    if let Some(tuned) = tuned {
        all.push(("Adam, tuned", Choice::Adam(tuned.adam), tuned.trainings));
    }
    all.push(("Adam, as given", Choice::Adam(AdamSettings::GIVEN), 0));
    let draws = problem.draws(args.split, Within { seed: args.seed, round: ROUND }, args.seeds);
    let choices: Vec<Choice> = all.iter().map(|(_, choice, _)| choice.clone()).collect();
    let curves = problem.curves(&choices, &draws, threads(args.trainings.actors));
    let mut rows: Vec<Row> = Vec::new();
    for ((name, choice, trainings), curves) in all.into_iter().zip(curves) {
        let scores: Vec<f64> = curves.iter().map(|curve| crate::stats::mean(curve)).collect();
        let last: Vec<f64> = curves.iter().filter_map(|curve| curve.last().copied()).collect();
        let Summary { mean, ci95, .. } = Summary::of(&scores, args.seed);
        let adam = if let Choice::Adam(adam) = choice { Some(adam) } else { None };
        let rule_minus_this = rows.first().map(|rule| Difference::paired(&rule.scores, &scores, args.seed));
        rows.push(Row { name, adam, trainings, mean, ci95, last: crate::stats::mean(&last), rule_minus_this, scores });
    }
    rows
}

fn text(evaluation: &Evaluation<'_>) -> String {
    let Evaluation { tasks, ppo, split, iterations, env_steps, seeds, .. } = evaluation;
    let between = |[low, high]: [f64; 2]| format!("[{low:.2}, {high:.2}]");
    let head = ["optimiser", "mean", "95 %", "last", "rule minus it", "95 %"].map(str::to_owned);
    let row = |row: &Row| {
        let difference = row.rule_minus_this;
        [
            row.name.to_owned(),
            format!("{:.2}", row.mean),
            between(row.ci95),
            format!("{:.2}", row.last),
            difference.map_or_else(String::new, |difference| format!("{:+.2}", difference.mean)),
            difference.map_or_else(String::new, |difference| between(difference.ci95)),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(evaluation.optimizers.iter().map(row)).collect();
    let split = if *split == Split::Ood.name() { "out of distribution" } else { "in distribution" };
    format!(
        "{tasks} ({split}), PPO of {ppo}: {seeds} trainings each\n\
         mean return over {iterations} iterations ({env_steps} steps), and after the last one\n\n{}",
        aligned(&rows)
    )
}

fn csv(rows: &[Row]) -> String {
    let mut text = "optimizer,index,score\n".to_owned();
    for row in rows {
        for (index, score) in row.scores.iter().enumerate() {
            text += &format!("\"{}\",{index},{score}\n", row.name);
        }
    }
    text
}
