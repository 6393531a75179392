//! `estimators`: bias and spread of the estimators of the meta-gradient against exact values.

use indicatif::ProgressBar;
use metadrift_agents::objective::InnerLoss;
use serde::Serialize;

use crate::{
    cli::{EstimatorName, EstimatorsArgs, Format, Mode, threads},
    commands::print,
    estimators::{self, Bed, Estimator, Sampling, Spread, problem::DataSets},
    failure::{Result, WrongUsage},
    output,
    report::{
        chart::{Line, Panel},
        stack::Stack,
        svg,
    },
};

/// Data sets beyond which an enumeration would take minutes.
const MOST_SETS: f64 = 2e6;
/// Lambda of loaded DiCE unless another is asked for: that of `maml.dice_lambda`.
const LAMBDA: f64 = 0.9;
/// Sampled adaptations unless others are asked for.
const REPLICATIONS: u64 = 100_000;

/// A line of the result.
#[derive(Debug, Serialize)]
struct Row {
    problem: &'static str,
    estimator: &'static str,
    /// Lambda of loaded-dice.
    #[serde(skip_serializing_if = "Option::is_none")]
    lambda: Option<f64>,
    /// The gradient that the estimator aims at: that of `J_N` or of `J_inf`.
    target: &'static str,
    inner_steps: u8,
    episodes: u32,
    mode: &'static str,
    /// Replications and seed, where data are sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    replications: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// The exact gradient of the target; absent if it would take too long.
    exact: Option<Vec<f64>>,
    mean: Vec<f64>,
    sd: f64,
    /// Length of mean - exact, relative to exact.
    rel_error: Option<f64>,
    rel_error_j_n: Option<f64>,
    rel_error_j_inf: f64,
    /// Standard error of each component of the mean, where it is sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<Vec<f64>>,
}

/// Runs the command.
///
/// # Errors
/// If the data are too many to enumerate, or if a file cannot be written.
pub fn run(args: &EstimatorsArgs) -> Result<()> {
    for path in args.csv.iter().chain(&args.svg) {
        output::check(path)?;
    }
    if args.svg.as_ref().is_some_and(|path| path.extension().is_none_or(|ending| ending != "svg")) {
        return Err(WrongUsage("--svg writes a picture in a file that ends in .svg".into()).into());
    }
    let bed = Bed::new(args.problem.problem(), threads(args.actors));
    check(args, &bed)?;
    let rows = measure(args, &bed, args.episodes);
    print(&match args.format {
        Format::Text => text(args, &bed, &rows),
        Format::Json => rows.iter().map(json).collect::<serde_json::Result<String>>()?,
    })?;
    if let Some(path) = &args.csv {
        output::write(path, &csv(&rows)?)?;
    }
    if let Some(path) = &args.svg {
        output::write(path, picture(args, &bed).as_bytes())?;
    }
    Ok(())
}

/// Refuses what would take too long, and settings that are not read.
fn check(args: &EstimatorsArgs, bed: &Bed) -> Result<()> {
    let wrong = |reason: String| Err(WrongUsage(reason).into());
    let loaded = [EstimatorName::All, EstimatorName::LoadedDice].contains(&args.estimator);
    if args.lambda.is_some() && !loaded {
        return wrong("--lambda is only read with --estimator loaded-dice or all".into());
    }
    if args.csv.is_some() && args.csv == args.svg {
        return wrong("--csv and --svg name the same file".into());
    }
    let sets = estimators::leaves(bed, args.inner_steps.into(), args.episodes);
    if args.mode == Mode::Enumeration {
        if args.replications.is_some() || args.seed.is_some() {
            return wrong("--replications and --seed are only read with --mode monte-carlo".into());
        }
        if sets > MOST_SETS {
            return wrong(format!(
                "{sets:.1e} data sets are too many to enumerate: ask for fewer --episodes or --inner-steps, or for --mode \
                 monte-carlo"
            ));
        }
    }
    Ok(())
}

impl EstimatorName {
    const EACH: [EstimatorName; 7] = [
        EstimatorName::FirstOrder,
        EstimatorName::Score,
        EstimatorName::Lvc,
        EstimatorName::Dice,
        EstimatorName::LoadedDice,
        EstimatorName::ScoreSampling,
        EstimatorName::ScoreSamplingLoo,
    ];

    /// Its name, and the gradient that it aims at.
    fn text(self) -> [&'static str; 2] {
        match self {
            EstimatorName::All => ["all", ""],
            EstimatorName::FirstOrder => ["first-order", "J_inf"],
            EstimatorName::Score => ["score", "J_N"],
            EstimatorName::Lvc => ["lvc", "J_inf"],
            EstimatorName::Dice => ["dice", "J_inf"],
            EstimatorName::LoadedDice => ["loaded-dice", "J_inf"],
            EstimatorName::ScoreSampling => ["score-sampling", "J_N"],
            EstimatorName::ScoreSamplingLoo => ["score-sampling-loo", "J_N"],
        }
    }

    fn estimator(self, lambda: f64) -> Estimator {
        let of = |inner, sampling| Estimator { inner, first_order: false, sampling };
        match self {
            EstimatorName::All | EstimatorName::FirstOrder => {
                Estimator { first_order: true, ..of(InnerLoss::LVC, Sampling::Absent) }
            }
            EstimatorName::Score => of(InnerLoss::Score, Sampling::Absent),
            EstimatorName::Lvc => of(InnerLoss::LVC, Sampling::Absent),
            EstimatorName::Dice => of(InnerLoss::DICE, Sampling::Absent),
            EstimatorName::LoadedDice => of(InnerLoss::LoadedDice(lambda), Sampling::Absent),
            EstimatorName::ScoreSampling => of(InnerLoss::Score, Sampling::Plain),
            EstimatorName::ScoreSamplingLoo => of(InnerLoss::Score, Sampling::LeaveOneOut),
        }
    }
}

/// The rows of the asked estimators for `episodes` episodes.
fn measure(args: &EstimatorsArgs, bed: &Bed, episodes: u32) -> Vec<Row> {
    let steps = args.inner_steps.into();
    let sets = (estimators::leaves(bed, steps, episodes) <= MOST_SETS)
        .then(|| DataSets::new(episodes, bed.problem.outcomes.len()));
    let j_n = sets.as_ref().map(|sets| bed.problem.gradient(steps, sets));
    let j_inf = bed.problem.limit_gradient(steps);
    let names = match args.estimator {
        EstimatorName::All => EstimatorName::EACH.to_vec(),
        one => vec![one],
    };
    let all = args.replications.unwrap_or(REPLICATIONS);
    // hidden unless on a terminal
    let bar =
        if args.mode == Mode::MonteCarlo { ProgressBar::new(all * names.len() as u64) } else { ProgressBar::hidden() };
    let row = |name: &EstimatorName| {
        let estimator = name.estimator(args.lambda.unwrap_or(LAMBDA));
        let [text, target] = name.text();
        let spread = match (args.mode, &sets) {
            (Mode::Enumeration, Some(sets)) => estimators::means(bed, estimator, steps, sets),
            _ => {
                let seed = args.seed.unwrap_or(0);
                estimators::replicate(bed, estimator, (steps, episodes), (seed, all), |more| bar.inc(more))
            }
        };
        let exact = if target == "J_N" { j_n.clone() } else { Some(j_inf.clone()) };
        of_spread(args, episodes, (text, target), exact, (j_n.as_deref(), &j_inf), &spread)
    };
    let rows = names.iter().map(row).collect();
    bar.finish_and_clear();
    rows
}

fn of_spread(
    args: &EstimatorsArgs,
    episodes: u32,
    (estimator, target): (&'static str, &'static str),
    exact: Option<Vec<f64>>,
    (j_n, j_inf): (Option<&[f64]>, &[f64]),
    spread: &Spread,
) -> Row {
    let error = |exact: &[f64]| estimators::relative_error(&spread.mean, exact);
    let replications = args.replications.unwrap_or(REPLICATIONS) as f64;
    let standard_error = || spread.variance.iter().map(|variance| (variance / replications).sqrt()).collect();
    Row {
        problem: args.problem.text(),
        estimator,
        lambda: (estimator == "loaded-dice").then_some(args.lambda.unwrap_or(LAMBDA)),
        target,
        inner_steps: args.inner_steps,
        episodes,
        mode: if args.mode == Mode::Enumeration { "enumeration" } else { "monte-carlo" },
        replications: (args.mode == Mode::MonteCarlo).then_some(replications as u64),
        seed: (args.mode == Mode::MonteCarlo).then_some(args.seed.unwrap_or(0)),
        rel_error: exact.as_deref().map(error),
        exact,
        mean: spread.mean.clone(),
        sd: spread.sd(),
        rel_error_j_n: j_n.map(error),
        rel_error_j_inf: error(j_inf),
        standard_error: (args.mode == Mode::MonteCarlo).then(standard_error),
    }
}

fn json(row: &Row) -> serde_json::Result<String> {
    Ok(serde_json::to_string(row)? + "\n")
}

fn text(args: &EstimatorsArgs, bed: &Bed, rows: &[Row]) -> String {
    let vector = |values: &[f64]| values.iter().map(|x| format!("{x:>9.6}")).collect::<Vec<_>>().join(" ");
    let known = |exact: Option<f64>| exact.map_or_else(|| "-".to_owned(), |error| format!("{error:.3}"));
    let (steps, episodes) = (args.inner_steps, args.episodes);
    let plural = |n: u32| if n == 1 { "" } else { "s" };
    let data = match args.mode {
        Mode::Enumeration => format!("all {} data sets", estimators::leaves(bed, steps.into(), episodes)),
        Mode::MonteCarlo => format!("{} sampled data sets", args.replications.unwrap_or(REPLICATIONS)),
    };
    let mut text = format!(
        "{}: {steps} inner step{} of {episodes} episode{}; {data}\n",
        args.problem.text(),
        plural(steps.into()),
        plural(episodes)
    );
    let exact = |name: &str| rows.iter().find(|row| row.target == name).and_then(|row| row.exact.as_deref());
    for (name, meaning) in [("J_N", "return after that adaptation"), ("J_inf", "after steps on endless data")] {
        if let Some(exact) = exact(name) {
            text += &format!("{:<18}  {name:<6}  {}  {meaning}\n", "exact", vector(exact));
        }
    }
    let width = vector(&rows[0].mean).len().max(4);
    text += &format!(
        "\n{:<18}  {:<6}  {:<width$}  {:>8}  {:>7}  {:>7}\n",
        "estimator", "target", "mean", "sd", "off J_N", "J_inf"
    );
    for row in rows {
        text += &format!(
            "{:<18}  {:<6}  {}  {:>8.4}  {:>7}  {:>7.3}\n",
            row.estimator,
            row.target,
            vector(&row.mean),
            row.sd,
            known(row.rel_error_j_n),
            row.rel_error_j_inf
        );
    }
    if let Some(lambda) = rows.iter().find_map(|row| row.lambda) {
        text += &format!("\nlambda of loaded-dice: {lambda}");
    }
    text + "\nsd: of a single estimate; off: relative error of the mean to either gradient\n"
}

fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let numbers = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let number = |value: Option<f64>| value.map(|x| x.to_string()).unwrap_or_default();
    writer.write_record([
        "problem",
        "estimator",
        "lambda",
        "target",
        "inner_steps",
        "episodes",
        "mode",
        "replications",
        "seed",
        "exact",
        "mean",
        "sd",
        "rel_error",
        "rel_error_j_n",
        "rel_error_j_inf",
        "standard_error",
    ])?;
    for row in rows {
        writer.write_record([
            row.problem.to_owned(),
            row.estimator.to_owned(),
            number(row.lambda),
            row.target.to_owned(),
            row.inner_steps.to_string(),
            row.episodes.to_string(),
            row.mode.to_owned(),
            row.replications.map(|n| n.to_string()).unwrap_or_default(),
            row.seed.map(|n| n.to_string()).unwrap_or_default(),
            row.exact.as_deref().map(numbers).unwrap_or_default(),
            numbers(&row.mean),
            row.sd.to_string(),
            number(row.rel_error),
            number(row.rel_error_j_n),
            row.rel_error_j_inf.to_string(),
            row.standard_error.as_deref().map(numbers).unwrap_or_default(),
        ])?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// Relative errors to the own target, and standard deviations, over the number of episodes.
fn picture(args: &EstimatorsArgs, bed: &Bed) -> String {
    let all: Vec<Vec<Row>> = (1..=args.episodes).map(|episodes| measure(args, bed, episodes)).collect();
    let panel = |title: &str, of: &dyn Fn(&Row) -> Option<f64>| {
        let line = |at: usize| {
            let points = all.iter().filter_map(|rows| Some((f64::from(rows[at].episodes), of(&rows[at])?)));
            Line::new(all[0][at].estimator.to_owned(), points.collect(), Vec::new())
        };
        Panel { title: title.to_owned(), lines: (0..all[0].len()).map(line).collect() }
    };
    let panels = vec![
        panel("relative error of the mean to the gradient it aims at", &|row| row.rel_error),
        panel("standard deviation of one estimate, as a power of ten", &|row| Some(row.sd.log10())),
    ];
    let steps = args.inner_steps;
    let plural = if steps == 1 { "" } else { "s" };
    let title = format!("Estimators of the meta-gradient on {}, {steps} inner step{plural}", args.problem.text());
    let x_label = "episodes of each step".to_owned();
    svg::alone(&Stack { title, x_label, panels, ..Stack::default() }.svg())
}
