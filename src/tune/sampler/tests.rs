use super::*;
use crate::tune::{file::Sampler, importance::importance, plan::tests::SPACE};

/// A search over a step size on a logarithmic scale, and a discount.
fn plan(sampler: &str, seed: u64) -> Plan {
    let text = format!(
        "[tune]\nname = \"x\"\nbase = \"cartpole-flip\"\nsampler = \"{sampler}\"\ntrials = 60\nseed = {seed}\n[tune.space]\n\
         \"maml.inner_lr\" = {{ low = 0.001, high = 10.0, log = true }}\n\"ppo.gamma\" = {{ low = 0.5, high = 0.9999 }}\n\
         \"maml.estimator\" = [\"lvc\", \"dice\", \"score\"]\n"
    );
    Plan::parse("x", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn finished(number: u64, point: Vec<f64>, value: f64) -> Trial {
    Trial {
        id: number,
        number,
        state: State::Complete,
        point: Some(point),
        scores: vec![vec![value]],
        worker: None,
        claim: 1,
        failure: None,
        is_own: true,
    }
}

/// The best of 60 trials on a quadratic whose maximum is 0 at 0.1, 0.7 and the second choice.
fn best_of_60(sampler: &str, seed: u64) -> (f64, Vec<Trial>) {
    let (plan, mut trials) = (plan(sampler, seed), Vec::new());
    for number in 0..60 {
        let point = propose(&plan, &trials);
        let [kind, rate, gamma] = point[..] else { panic!("{point:?}") };
        let value = -(rate.log10() + 1.0).powi(2) - 10.0 * (gamma - 0.7).powi(2) - f64::from(u8::from(kind != 1.0));
        trials.push(finished(number, point, value));
    }
    let best = trials.iter().map(|trial| trial.scores[0][0]).fold(f64::NEG_INFINITY, f64::max);
    (best, trials)
}

#[test]
fn tpe_finds_better_values_than_chance() {
    let median = |sampler: &str| {
        let mut found: Vec<f64> = (0..15).map(|seed| best_of_60(sampler, seed).0).collect();
        found.sort_by(f64::total_cmp);
        found[7]
    };
    let (tpe, random) = (median("tpe"), median("random"));
    // the maximum is 0: less than half of the distance is left
    assert!(tpe < 0.0 && random < 0.0 && 2.0 * tpe > random, "{tpe} {random}");
}

/// The least of 60 values of a function like a search for step sizes: a ridge on two logarithmic scales, one parameter that
/// matters little, and a cliff.
fn least_of_60(sampler: &str, seed: u64) -> f64 {
    let text = format!(
        "[tune]\nname = \"x\"\nbase = \"cartpole-flip\"\nsampler = \"{sampler}\"\ntrials = 60\nseed = {seed}\n\
         objectives = [{{ metric = \"score\", direction = \"minimize\" }}]\n[tune.space]\n\
         \"maml.inner_lr\" = {{ low = 1e-3, high = 10.0, log = true }}\n\
         \"ppo.ent_coef\" = {{ low = 0.0, high = 1.0 }}\n\"ppo.gae_lambda\" = {{ low = 0.0, high = 1.0 }}\n\
         \"ppo.outer_lr\" = {{ low = 1e-5, high = 0.1, log = true }}\n"
    );
    let plan = Plan::parse("x", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut trials: Vec<Trial> = Vec::new();
    for number in 0..60 {
        let point = propose(&plan, &trials);
        let [inner, c, d, outer] = point[..] else { panic!("{point:?}") };
        let (a, b, cliff) = (inner.log10() + 1.0, outer.log10() + 2.7, f64::from(u8::from(d > 0.8)));
        let value =
            (a + 0.6 * b).powi(2) + 2.0 * (b - 0.3).powi(2) + 0.05 * (c - 0.3).abs() + cliff + (d - 0.5).powi(2);
        trials.push(finished(number, point, value));
    }
    trials.iter().map(|trial| trial.scores[0][0]).fold(f64::INFINITY, f64::min)
}

#[test]
fn tpe_is_about_as_good_as_that_of_optuna() {
    let median = |sampler: &str| {
        let mut found: Vec<f64> = (0..21).map(|seed| least_of_60(sampler, seed)).collect();
        found.sort_by(f64::total_cmp);
        found[10]
    };
    // medians of this function after 60 trials: 0.036 by Optuna 5.0 (20 seeds); at random 0.178 (4,000 searches of a program
    // of its own), and 0.107 to 0.285 are 98 % of those of 21 searches
    let (tpe, random) = (median("tpe"), median("random"));
    assert!(tpe < 0.06 && (0.107..0.285).contains(&random), "{tpe} {random}");
}

#[test]
fn proposals_follow_from_the_seed_and_the_trials() {
    let points = |sampler: &str, seed: u64| -> Vec<Option<Vec<f64>>> {
        best_of_60(sampler, seed).1.into_iter().map(|trial| trial.point).collect()
    };
    for sampler in ["tpe", "random"] {
        assert_eq!(points(sampler, 3), points(sampler, 3));
        assert_ne!(points(sampler, 3), points(sampler, 4));
    }
}

#[test]
fn a_grid_is_gone_through_in_the_order_of_a_hand() {
    let text = SPACE.replace("trials = 27", "sampler = \"grid\"").replace("log = true", "log = true, points = 3");
    let plan = Plan::parse("x", &text).unwrap();
    assert_eq!(plan.file.sampler, Sampler::Grid);
    let mut trials = Vec::new();
    for number in 0..24 {
        let point = propose(&plan, &trials);
        trials.push(finished(number, point, 0.0));
    }
    let points: Vec<&Vec<f64>> = trials.iter().filter_map(|trial| trial.point.as_ref()).collect();
    assert_eq!(
        points[..5],
        [&[0.0, 0.01, 1.0], &[0.0, 0.01, 2.0], &[0.0, 0.01, 3.0], &[0.0, 0.01, 4.0], &[0.0, 0.1, 1.0],]
    );
    assert_eq!((points[12], points[23]), (&vec![1.0, 0.01, 1.0], &vec![1.0, 1.0, 4.0]));
}

#[test]
fn the_importance_is_the_share_of_the_variance() {
    let (plan, (_, mut trials)) = (plan("random", 0), best_of_60("random", 0));
    // a linear value: variances of the shares of the ranges are equal (1/12), so that 3 and 1 weigh 9 to 1
    for trial in &mut trials {
        let point = trial.point.as_ref().unwrap();
        let unit = |at: usize| plan.parameters[at].unit(point[at]).unwrap();
        trial.scores = vec![vec![3.0 * unit(1) + unit(2)]];
    }
    let shares = importance(&plan, &trials, 0).unwrap();
    assert!(shares[0] < 0.05 && (shares[1] - 0.9).abs() < 0.15 && (shares[2] - 0.1).abs() < 0.1, "{shares:?}");
    trials.iter_mut().for_each(|trial| trial.scores = vec![vec![500.0]]);
    assert_eq!(importance(&plan, &trials, 0), None, "nothing varies");
    assert_eq!(importance(&plan, &trials[..5], 0), None);
}
