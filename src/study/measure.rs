//! The metrics of a study, from the scores of its cells. docs/studies.md defines them.

use metadrift_envs::Split;

use super::{
    cell::{CellResult, HeldOutScores, Phase},
    lives,
    plan::Plan,
    results::{ALL, Row},
    scores::SPLITS,
};
use crate::{
    config::Role,
    live::metrics::Life,
    stats::{
        aggregate::{Matrix, interquartile_mean, iqm, median, optimality_gap, total_mean, worst_decile},
        bootstrap::{Resample, by_task, crossed, crossed_groups, stratified},
        compare::{is_scale, normalised, paired_difference, probability_of_improvement},
        curve::{area, profile},
        mean,
    },
};

/// Values of tau of a performance profile, on the scale of normalised scores.
const TAUS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Scores of a method on a split, `[phases][seeds][tasks]`.
pub(super) struct Scores {
    returns: Vec<Matrix>,
    unadapted: Vec<Matrix>,
    sampled: Vec<Matrix>,
    /// Shares of episodes that succeed, `[phases][seeds]`; none where they were not counted.
    success: Vec<Option<Vec<f64>>>,
}

impl Scores {
    /// The scores of a method on a preset's split.
    fn of(plan: &Plan, found: &[CellResult], place: (usize, usize), split: Split) -> Self {
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
            success: (0..held[0].phases.len())
                .map(|k| held.iter().map(|scores| scores.phases[k].success).collect())
                .collect(),
        }
    }

    /// Numbers of seeds and tasks.
    fn size(&self) -> (usize, usize) {
        (self.last().len(), self.last()[0].len())
    }

    /// Returns in the last phase.
    fn last(&self) -> &Matrix {
        self.returns.last().expect("there is a phase")
    }
}

/// A metric's name, its `at`, and its value.
type Value = (&'static str, Option<f64>, f64);

/// The scores of all methods on a preset's split.
pub(super) struct OnPreset {
    preset: usize,
    split: Split,
    methods: Vec<Scores>,
    /// The lives of each method, `[methods][seeds][lives]`; empty if there are none.
    lives: Vec<Vec<Vec<Life>>>,
    /// For each phase the methods at 0 and 1 of the scale, if their gap is one there.
    scale: Vec<Option<(usize, usize)>>,
}

impl OnPreset {
    /// The scores in the results of all cells.
    pub fn new(plan: &Plan, found: &[CellResult], preset: usize, split: Split) -> Self {
        let of = |method| Scores::of(plan, found, (method, preset), split);
        let methods: Vec<Scores> = (0..plan.methods.len()).map(of).collect();
        let holds = |k: usize| plan.scale.filter(|ends| is_gap(plan, &methods, *ends, k));
        let scale = (0..methods[0].returns.len()).map(holds).collect();
        let lives = |method| lives::of_method(plan, found, (method, preset), split);
        let lives = (0..plan.methods.len()).filter_map(lives).collect();
        OnPreset { preset, split, methods, lives, scale }
    }

    /// Methods at the ends of the scale in phase `k`.
    fn ends(&self, k: usize) -> Option<(&Scores, &Scores)> {
        self.scale[k].map(|(zero, one)| (&self.methods[zero], &self.methods[one]))
    }

    /// The normalised score of a method in the last phase on the drawn seeds and tasks.
    fn normalised(&self, method: usize, drawn: &Resample) -> Option<f64> {
        let (zero, one) = self.ends(self.scale.len() - 1)?;
        Some(normalised(&drawn.of(self.methods[method].last()), &drawn.of(zero.last()), &drawn.of(one.last())))
    }

    /// All rows of a method.
    pub fn measure(&self, plan: &Plan, method: usize) -> Vec<Row> {
        let own = &self.methods[method];
        let (size, seed) = (own.size(), plan.file.evaluation.seed);
        let baseline = plan.baseline.filter(|baseline| *baseline != method).map(|at| &self.methods[at]);
        let values = |drawn: &Resample| self.values(own, baseline, drawn);
        let intervals = crossed(seed, size, |drawn| values(drawn).into_iter().map(|(_, _, value)| value).collect());
        let of = &plan.presets[self.preset];
        let row = |(metric, at, value): Value, [low, high]: [f64; 2]| Row {
            method: plan.methods[method].name.clone(),
            preset: of.name.clone(),
            role: of.experiment.role,
            split: self.split.name(),
            metric,
            at,
            seeds: size.0,
            tasks: size.1,
            value,
            low,
            high,
        };
        let found = values(&whole(size)).into_iter().zip(intervals);
        let mut rows: Vec<Row> = found.map(|(value, ends)| row(value, ends)).collect();
        if let Some(lives) = self.lives.get(method) {
            let baseline = plan.baseline.filter(|baseline| *baseline != method).map(|at| &self.lives[at][..]);
            let values = |drawn: &Resample| lives::values(lives, baseline, drawn);
            let size = (size.0, lives[0].len());
            let intervals = crossed(seed, size, |drawn| values(drawn).into_iter().map(|(_, _, value)| value).collect());
            let found = values(&whole(size)).into_iter().zip(intervals);
            rows.extend(found.map(|(value, ends)| Row { tasks: size.1, ..row(value, ends) }));
        }
        let columns = stratified(&by_task(own.last()), seed, interquartile_mean);
        rows.push(row(("iqm_stratified", Some((own.returns.len() - 1) as f64), iqm(own.last())), columns));
        rows
    }

    /// The metrics of a method on the drawn seeds and tasks.
    fn values(&self, own: &Scores, baseline: Option<&Scores>, drawn: &Resample) -> Vec<Value> {
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
            if let Some(shares) = &own.success[k] {
                found.push(("success", at, mean(&drawn.seeds.iter().map(|seed| shares[*seed]).collect::<Vec<_>>())));
            }
            if let Some((zero, one)) = self.ends(k) {
                let ends = (drawn.of(&zero.returns[k]), drawn.of(&one.returns[k]));
                found.push(("normalised", at, normalised(phase, &ends.0, &ends.1)));
            }
        }
        found.push(("area", None, area(&returns.iter().map(total_mean).collect::<Vec<_>>())));
        let (last, k) = (returns.len() - 1, Some((returns.len() - 1) as f64));
        if let Some((zero, one)) = self.ends(last) {
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
}

/// The seeds and tasks as they are.
fn whole((seeds, tasks): (usize, usize)) -> Resample {
    Resample { seeds: (0..seeds).collect(), tasks: (0..tasks).collect() }
}

/// True if the gap between two methods in phase `k` can be a scale.
fn is_gap(plan: &Plan, methods: &[Scores], (zero, one): (usize, usize), k: usize) -> bool {
    let (zero, one) = (&methods[zero].returns[k], &methods[one].returns[k]);
    let gap = |drawn: &Resample| paired_difference(&drawn.of(one), &drawn.of(zero));
    let interval = crossed(plan.file.evaluation.seed, methods[0].size(), |drawn| vec![gap(drawn)])[0];
    is_scale(paired_difference(one, zero), interval)
}

/// Rows of the mean normalised score over the presets of a role, where at least two have a scale. Seeds and tasks of each
/// preset are redrawn on their own, for its trainings are.
pub(super) fn overall(plan: &Plan, measured: &[OnPreset]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (role, split) in
        [Role::Adaptation, Role::Control].into_iter().flat_map(|role| SPLITS.map(|split| (role, split)))
    {
        let of_role = |on: &&OnPreset| {
            let with_scale = on.scale.last().is_some_and(Option::is_some);
            on.split == split && plan.presets[on.preset].experiment.role == role && with_scale
        };
        let presets: Vec<&OnPreset> = measured.iter().filter(of_role).collect();
        if presets.len() < 2 {
            continue;
        }
        let size = presets[0].methods[0].size();
        for (at, method) in plan.methods.iter().enumerate() {
            let score = |drawn: &[Resample]| {
                let each = presets.iter().zip(drawn).filter_map(|(on, drawn)| on.normalised(at, drawn));
                mean(&each.collect::<Vec<f64>>())
            };
            let seed = plan.file.evaluation.seed;
            let [low, high] = crossed_groups(seed, presets.len(), size, |drawn| vec![score(drawn)])[0];
            rows.push(Row {
                method: method.name.clone(),
                preset: ALL.to_owned(),
                role,
                split: split.name(),
                metric: "normalised",
                at: Some(plan.file.evaluation.adapt_steps as f64),
                seeds: size.0,
                tasks: size.1 * presets.len(),
                value: score(&vec![whole(size); presets.len()]),
                low,
                high,
            });
        }
    }
    rows
}
