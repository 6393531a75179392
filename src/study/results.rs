//! The results of a study: one number a row, each with its interval, and everything that a report draws.

use std::collections::BTreeMap;

use metadrift_agents::threads::run_jobs;
use metadrift_envs::Split;
use serde::Serialize;

use super::{
    cell::{CellResult, HeldOutScores, Phase},
    plan::Plan,
    scores::SPLITS,
    shown::{CellShown, MethodShown, PresetShown},
};
use crate::{
    config::Role,
    stats::{
        aggregate::{Matrix, interquartile_mean, iqm, median, optimality_gap, total_mean, worst_decile},
        bootstrap::{Resample, by_task, crossed, stratified},
        compare::{is_scale, normalised, paired_difference, probability_of_improvement},
        curve::{area, profile},
    },
};

/// Values of tau of a performance profile, on the scale of normalised scores.
const TAUS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// A number of the results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method.
    pub method: String,
    /// The preset.
    pub preset: String,
    /// The preset's role.
    pub role: Role,
    /// The split.
    pub split: &'static str,
    /// The metric, as docs/studies.md defines it.
    pub metric: &'static str,
    /// The number of adaptation steps before, or tau of a profile; none for a metric of the whole curve.
    pub at: Option<f64>,
    /// Number of seeds.
    pub seeds: usize,
    /// Number of tasks.
    pub tasks: usize,
    /// The value.
    pub value: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The results in the shape of their JSON form.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Version of this form.
    pub schema: u32,
    /// The study's name.
    pub study: String,
    /// One line on what it asks.
    pub description: String,
    /// SHA-256 of everything that the results depend on.
    pub digest: String,
    /// The protocol of evaluation.
    pub evaluation: BTreeMap<&'static str, u64>,
    /// The method that others are compared with.
    pub baseline: Option<String>,
    /// The methods at 0 and 1 of the scale.
    pub scale: Option<[String; 2]>,
    /// The methods.
    pub methods: Vec<MethodShown>,
    /// The presets.
    pub presets: Vec<PresetShown>,
    /// The numbers.
    pub rows: Vec<Row>,
    /// Scores per task of each cell.
    pub cells: Vec<CellShown>,
}

/// Scores of a method on a split, `[phases][seeds][tasks]`.
struct Scores {
    returns: Vec<Matrix>,
    unadapted: Vec<Matrix>,
    sampled: Vec<Matrix>,
}

impl Scores {
    /// Numbers of seeds and tasks.
    fn size(&self) -> (usize, usize) {
        (self.last().len(), self.last()[0].len())
    }

    /// Returns in the last phase.
    fn last(&self) -> &Matrix {
        self.returns.last().expect("there is a phase")
    }
}

impl Results {
    /// The results of all cells, `[cells]` in the order of the plan, computed on so many threads.
    ///
    /// # Panics
    /// If there are not as many as cells.
    pub fn new(plan: &Plan, found: &[CellResult], threads: usize) -> Self {
        assert_eq!(found.len(), plan.cells.len(), "a result for each cell");
        let places = (0..plan.presets.len()).flat_map(|preset| SPLITS.map(|split| (preset, split)));
        let mut rows: Vec<Row> = Vec::new();
        for (preset, split) in places {
            let of = |method| scores(plan, found, (method, preset), split);
            let all: Vec<Scores> = (0..plan.methods.len()).map(of).collect();
            let scale = plan.scale.filter(|ends| holds(plan, &all, *ends));
            let mut measured: Vec<Vec<Row>> = vec![Vec::new(); all.len()];
            run_jobs(measured.iter_mut().enumerate().collect(), threads, |(method, rows): (usize, &mut Vec<Row>)| {
                *rows = measure(plan, (&all, scale), (method, preset), split);
            });
            rows.extend(measured.into_iter().flatten());
        }
        let asked = plan.file.evaluation;
        let evaluation = [
            ("tasks", asked.tasks as u64),
            ("episodes", asked.episodes as u64),
            ("adapt_steps", asked.adapt_steps as u64),
            ("seed", asked.seed),
        ];
        let name = |at: usize| plan.methods[at].name.clone();
        Results {
            schema: 1,
            study: plan.file.name.clone(),
            description: plan.file.description.clone(),
            digest: plan.digest(),
            evaluation: evaluation.into_iter().collect(),
            baseline: plan.baseline.map(name),
            scale: plan.scale.map(|(zero, one)| [name(zero), name(one)]),
            methods: plan
                .methods
                .iter()
                .map(|it| MethodShown { name: it.name.clone(), about: it.about.clone() })
                .collect(),
            presets: (0..plan.presets.len()).map(|at| PresetShown::of(plan, at)).collect(),
            rows,
            cells: plan.cells.iter().zip(found).map(|(cell, result)| CellShown::of(plan, cell, result)).collect(),
        }
    }

    /// The row of a metric.
    pub fn find(&self, (method, preset, split): (&str, &str, &str), metric: &str, at: Option<f64>) -> Option<&Row> {
        let same = |row: &&Row| {
            (row.method.as_str(), row.preset.as_str(), row.split) == (method, preset, split)
                && (row.metric, row.at) == (metric, at)
        };
        self.rows.iter().find(same)
    }
}

/// The scores of a method on a preset's split.
fn scores(plan: &Plan, found: &[CellResult], place: (usize, usize), split: Split) -> Scores {
    let of_seeds = plan.cells.iter().zip(found).filter(|(cell, _)| cell.place == place);
    let held: Vec<&HeldOutScores> =
        of_seeds.map(|(_, result)| result.held_out(split).expect("every cell has both splits")).collect();
    let matrices = |of: fn(&Phase) -> &Vec<f64>| -> Vec<Matrix> {
        let phases = held[0].phases.len();
        (0..phases).map(|k| held.iter().map(|scores| of(&scores.phases[k]).clone()).collect()).collect()
    };
    Scores {
        returns: matrices(|phase| &phase.returns),
        unadapted: matrices(|phase| &phase.unadapted),
        sampled: matrices(|phase| &phase.sampled),
    }
}

/// A metric's name, its `at`, and its value.
type Value = (&'static str, Option<f64>, f64);

/// All rows of a method on a split, given the scores of all methods and the ends of the scale, if it is one there.
fn measure(
    plan: &Plan,
    (all, scale): (&[Scores], Option<(usize, usize)>),
    (method, preset): (usize, usize),
    split: Split,
) -> Vec<Row> {
    let own = &all[method];
    let size = own.size();
    let whole = Resample { seeds: (0..size.0).collect(), tasks: (0..size.1).collect() };
    let seed = plan.file.evaluation.seed;
    let scale = scale.map(|(zero, one)| (&all[zero], &all[one]));
    let baseline = plan.baseline.filter(|baseline| *baseline != method).map(|at| &all[at]);
    let values = |drawn: &Resample| values(own, scale, baseline, drawn);
    let intervals = crossed(seed, size, |drawn| values(drawn).into_iter().map(|(_, _, value)| value).collect());
    let row = |(metric, at, value): Value, [low, high]: [f64; 2]| Row {
        method: plan.methods[method].name.clone(),
        preset: plan.presets[preset].name.clone(),
        role: plan.presets[preset].experiment.role,
        split: split.name(),
        metric,
        at,
        seeds: size.0,
        tasks: size.1,
        value,
        low,
        high,
    };
    let mut rows: Vec<Row> = values(&whole).into_iter().zip(intervals).map(|(value, ends)| row(value, ends)).collect();
    let last = own.last();
    let k = Some((own.returns.len() - 1) as f64);
    let columns = stratified(&by_task(last), seed, interquartile_mean);
    rows.push(row(("iqm_stratified", k, iqm(last)), columns));
    rows
}

/// True if the gap between two methods in the last phase can be a scale.
fn holds(plan: &Plan, all: &[Scores], (zero, one): (usize, usize)) -> bool {
    let (zero, one) = (all[zero].last(), all[one].last());
    let gap = |drawn: &Resample| paired_difference(&drawn.of(one), &drawn.of(zero));
    let interval = crossed(plan.file.evaluation.seed, all[0].size(), |drawn| vec![gap(drawn)])[0];
    is_scale(paired_difference(one, zero), interval)
}

/// The metrics of a method on the drawn seeds and tasks.
fn values(own: &Scores, scale: Option<(&Scores, &Scores)>, baseline: Option<&Scores>, drawn: &Resample) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let returns: Vec<Matrix> = own.returns.iter().map(|phase| drawn.of(phase)).collect();
    for (k, phase) in returns.iter().enumerate() {
        let at = Some(k as f64);
        let gain = paired_difference(phase, &drawn.of(&own.unadapted[k]));
        found.extend([
            ("mean", at, total_mean(phase)),
            ("iqm", at, iqm(phase)),
            ("median", at, median(phase)),
            ("worst_decile", at, worst_decile(phase)),
            ("sampled", at, total_mean(&drawn.of(&own.sampled[k]))),
            ("gain", at, gain),
        ]);
        if let Some((zero, one)) = scale {
            let ends = (drawn.of(&zero.returns[k]), drawn.of(&one.returns[k]));
            found.push(("normalised", at, normalised(phase, &ends.0, &ends.1)));
        }
    }
    found.push(("area", None, area(&returns.iter().map(total_mean).collect::<Vec<_>>())));
    let (last, k) = (returns.len() - 1, Some((returns.len() - 1) as f64));
    if let Some((zero, one)) = scale {
        let (zero, one) = (total_mean(&drawn.of(&zero.returns[last])), total_mean(&drawn.of(&one.returns[last])));
        let scaled = |row: &Vec<f64>| row.iter().map(|score| (score - zero) / (one - zero)).collect();
        let scaled: Matrix = returns[last].iter().map(scaled).collect();
        found.push(("optimality_gap", k, optimality_gap(&scaled, 1.0)));
        found.extend(TAUS.iter().zip(profile(&scaled, &TAUS)).map(|(tau, share)| ("profile", Some(*tau), share)));
    }
    if let Some(baseline) = baseline {
        let other = drawn.of(&baseline.returns[last]);
        found.push(("difference", k, paired_difference(&returns[last], &other)));
        found.push(("improvement_probability", k, probability_of_improvement(&returns[last], &other)));
    }
    found
}
