//! Proposals: the values of the next trial.

use metadrift_envs::{Purpose, Stream};
use rand::RngExt;
use tpe::{TpeOptimizer, categorical_range, histogram_estimator, parzen_estimator, range};

use super::{file::Sampler, journal::State, order::best_first, plan::Plan, space::Parameter, trial::Trial};

/// The values of the trial that begins after `trials`, one for each parameter. They follow from the seed and the trials.
pub fn propose(plan: &Plan, trials: &[Trial]) -> Vec<f64> {
    let index = trials.iter().filter(|trial| trial.is_own).count();
    let stream = Stream::new(plan.file.seed, Purpose::Proposal).task(index as u32);
    match plan.file.sampler {
        Sampler::Grid => grid_point(&plan.parameters, index),
        Sampler::Random => {
            let draw = |(at, parameter): (usize, &Parameter)| parameter.at(stream.env(at as u32).rng().random::<f64>());
            plan.parameters.iter().enumerate().map(draw).collect()
        }
        Sampler::Tpe => {
            let ranked = ranked(plan, trials);
            let draw = |(at, parameter): (usize, &Parameter)| tpe(parameter, at, &ranked, stream.env(at as u32));
            plan.parameters.iter().enumerate().map(draw).collect()
        }
    }
}

/// The points of the trials, the best first: those that went further before those that did not, then by their last values.
/// Trials that failed, and those without values yet, come last, so that workers do not all try the same.
fn ranked<'a>(plan: &Plan, trials: &'a [Trial]) -> Vec<&'a [f64]> {
    let known = trials.iter().filter(|trial| trial.point.is_some() && trial.state != State::Waiting);
    let (bad, good): (Vec<&Trial>, Vec<&Trial>) =
        known.partition(|trial| trial.state == State::Fail || trial.scores.is_empty());
    let mut order: Vec<&Trial> = Vec::new();
    for reached in (1..=plan.rungs.len()).rev() {
        let there: Vec<&Trial> = good.iter().copied().filter(|trial| trial.reached(plan) == reached).collect();
        let costs: Vec<Vec<f64>> = there.iter().filter_map(|trial| trial.costs(plan)).collect();
        order.extend(best_first(&costs).into_iter().map(|at| there[at]));
    }
    order.extend(bad);
    order.into_iter().filter_map(|trial| trial.point.as_deref()).collect()
}

/// The proposal of a tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization",
/// NIPS 2011) for one parameter, which needs the order of the trials alone.
fn tpe(parameter: &Parameter, at: usize, ranked: &[&[f64]], stream: Stream) -> f64 {
    const LEGAL: &str = "the range is not empty, and values lie within it";
    let mut rng = stream.rng();
    let mut asked = match parameter.choices() {
        Some(choices) => TpeOptimizer::new(histogram_estimator(), categorical_range(choices).expect(LEGAL)),
        None => TpeOptimizer::new(parzen_estimator(), range(0.0, 1.0).expect(LEGAL)),
    };
    for (rank, point) in ranked.iter().enumerate() {
        let value = if parameter.choices().is_some() { Some(point[at]) } else { parameter.unit(point[at]) };
        asked.tell(value.unwrap_or(f64::NAN), rank as f64).expect(LEGAL);
    }
    let found = asked.ask(&mut rng).expect(LEGAL);
    parameter.choices().map_or_else(|| parameter.at(found), |_| found.floor())
}

/// Point number `index` of the grid: the last parameter changes first.
fn grid_point(parameters: &[Parameter], index: usize) -> Vec<f64> {
    let mut left = index;
    let mut point: Vec<f64> = Vec::new();
    for parameter in parameters.iter().rev() {
        let values = parameter.grid();
        point.push(values[left % values.len()]);
        left /= values.len();
    }
    point.reverse();
    point
}

#[cfg(test)]
mod tests;
