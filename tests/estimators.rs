//! The estimators of the meta-gradient against exact values: the table of scripts/estimators_reference.py, an enumeration
//! that shares no code with this one, and values worked out with the formulas.

use metadrift::estimators::{
    Bed, Estimator, Sampling, means,
    problem::{DataSets, Name},
    relative_error, replicate,
};
use metadrift_agents::objective::InnerLoss;
use serde_json::Value;

use crate::command::Place;

fn estimator(name: &str) -> Estimator {
    let of = |inner, sampling| Estimator { inner, first_order: false, sampling };
    match name {
        "first-order" => Estimator { first_order: true, ..of(InnerLoss::LVC, Sampling::Absent) },
        "score" => of(InnerLoss::Score, Sampling::Absent),
        "lvc" => of(InnerLoss::LVC, Sampling::Absent),
        "dice" => of(InnerLoss::DICE, Sampling::Absent),
        "loaded-dice" => of(InnerLoss::LoadedDice(0.9), Sampling::Absent),
        "score-sampling" => of(InnerLoss::Score, Sampling::Plain),
        "score-sampling-loo" => of(InnerLoss::Score, Sampling::LeaveOneOut),
        // refused in a configuration: these count the same effect twice
        "lvc-sampling" => of(InnerLoss::LVC, Sampling::Plain),
        "dice-sampling" => of(InnerLoss::DICE, Sampling::Plain),
        other => panic!("{other}"),
    }
}

fn bed(name: &str) -> (Bed, usize) {
    let name = match name {
        "p1" => Name::P1,
        "p2" => Name::P2,
        _ => Name::P3,
    };
    let problem = name.problem();
    let outcomes = problem.outcomes.len();
    (Bed::new(problem, 2), outcomes)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], within: f64, what: &str) {
    let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(far <= within, "{what}: {found:?}, expected {expected:?}");
}

#[test]
fn means_over_all_data_are_those_of_an_independent_enumeration() {
    let table: Value = serde_json::from_str(include_str!("data/estimators.json")).unwrap();
    for row in table.as_array().unwrap() {
        let name = row["problem"].as_str().unwrap();
        let (bed, outcomes) = bed(name);
        let steps = row["inner_steps"].as_u64().unwrap() as usize;
        let sets = DataSets::new(row["episodes"].as_u64().unwrap() as u32, outcomes);
        let what = format!("{name}, {steps} steps, {} episodes", sets.episodes);
        assert_near(&bed.problem.gradient(steps, &sets), &numbers(&row["J_N"]), 1e-9, &what);
        assert_near(&bed.problem.limit_gradient(steps), &numbers(&row["J_inf"]), 1e-9, &what);
        for (name, mean) in row["mean"].as_object().unwrap() {
            let found = means(&bed, estimator(name), steps, &sets).mean;
            assert_near(&found, &numbers(mean), 1e-9, &format!("{what}, {name}"));
        }
    }
}

/// P1: two arms, theta 0.3, step size 2. Columns: episodes, means of first order, plain, LVC = DiCE, plain + sampling = the
/// gradient of J_N, DiCE + sampling, and standard deviations of plain + sampling and of DiCE.
#[test]
fn the_table_of_the_bandit() {
    let table = [
        (1, [0.208895, 0.157625, 0.195606, 0.202916, 0.240898], [0.2483, 0.0420]),
        (2, [0.211965, 0.156245, 0.197523, 0.201045, 0.242323], [0.4167, 0.0302]),
        (5, [0.213693, 0.155261, 0.198548, 0.199959, 0.243247], [0.7189, 0.0196]),
        (10, [0.214254, 0.154885, 0.198866, 0.199575, 0.243556], [1.0456, 0.0140]),
        (50, [0.214697, 0.154562, 0.199111, 0.199253, 0.243803], [2.3906, 0.0063]),
        (100, [0.214752, 0.154520, 0.199141, 0.199212, 0.243833], [3.3902, 0.0045]),
    ];
    let (bed, outcomes) = bed("p1");
    assert_near(&bed.problem.limit_gradient(1), &[0.199_170], 5e-7, "J_inf");
    for (episodes, expected, sds) in table {
        let sets = DataSets::new(episodes, outcomes);
        let all = ["first-order", "score", "lvc", "score-sampling", "dice-sampling"];
        for (name, expected) in all.into_iter().zip(expected) {
            let found = means(&bed, estimator(name), 1, &sets).mean;
            assert_near(&found, &[expected], 6e-7, &format!("{name}, {episodes} episodes"));
        }
        assert_near(&bed.problem.gradient(1, &sets), &[expected[3]], 6e-7, "J_N");
        for (name, sd) in ["score-sampling", "dice"].into_iter().zip(sds) {
            assert_near(&[means(&bed, estimator(name), 1, &sets).sd()], &[sd], 6e-5, name);
        }
    }
}

/// P2: two states, three steps. The published relative errors to the gradient of J_N and the spreads.
#[test]
fn the_errors_of_the_two_states() {
    let (bed, outcomes) = bed("p2");
    let rows = [
        ("first-order", 0.096, 0.087),
        ("score", 0.292, 0.096),
        ("lvc", 0.072, 0.101),
        ("dice", 0.011, 0.082),
        ("score-sampling", 0.0, 4.395),
        ("lvc-sampling", 0.347, 4.403),
        ("dice-sampling", 0.281, 4.456),
    ];
    let sets = DataSets::new(4, outcomes);
    let exact = bed.problem.gradient(1, &sets);
    for (name, error, sd) in rows {
        let spread = means(&bed, estimator(name), 1, &sets);
        assert_near(&[relative_error(&spread.mean, &exact), spread.sd()], &[error, sd], 6e-4, name);
    }
    for (episodes, dice, lvc, sd) in [(1, 0.048, 0.083, 2.068), (2, 0.023, 0.075, 3.043), (6, 0.007, 0.071, 5.422)] {
        let sets = DataSets::new(episodes, outcomes);
        let exact = bed.problem.gradient(1, &sets);
        let error = |name| relative_error(&means(&bed, estimator(name), 1, &sets).mean, &exact);
        let plain = means(&bed, estimator("score-sampling"), 1, &sets);
        assert_near(&[error("dice"), error("lvc"), plain.sd()], &[dice, lvc, sd], 6e-4, "other numbers of episodes");
        assert!(relative_error(&plain.mean, &exact) < 1e-9);
        // the baseline of the sampling term moves no mean and cuts the spread at least fivefold
        let centred = means(&bed, estimator("score-sampling-loo"), 1, &sets);
        assert!(relative_error(&centred.mean, &exact) < 1e-9);
        assert!(centred.sd() * 5.0 < plain.sd(), "{} {}", centred.sd(), plain.sd());
    }
}

/// Both instruments pay the same, so only the sampling term sees that one of them shows more.
#[test]
fn only_the_sampling_term_credits_what_adaptation_sees() {
    let (bed, outcomes) = bed("p3");
    let sets = DataSets::new(1, outcomes);
    let exact = bed.problem.gradient(1, &sets)[0];
    assert!(exact > 0.005);
    for name in ["first-order", "score", "lvc"] {
        assert!(means(&bed, estimator(name), 1, &sets).mean[0].abs() < 1e-12, "{name}");
    }
    assert_near(&means(&bed, estimator("score-sampling"), 1, &sets).mean[..1], &[exact], 1e-9, "sampling");
}

#[test]
fn sampled_means_are_the_enumerated_ones_within_their_errors() {
    let (bed, outcomes) = bed("p2");
    for (name, steps) in [("lvc", 1), ("dice", 2), ("score-sampling-loo", 1), ("score-sampling-loo", 2)] {
        let (episodes, replications) = (2, 40_000);
        let exact = means(&bed, estimator(name), steps, &DataSets::new(episodes, outcomes));
        let found = replicate(&bed, estimator(name), (steps, episodes), (3, replications), |_| {});
        for ((found, exact), variance) in found.mean.iter().zip(&exact.mean).zip(&exact.variance) {
            let z = (found - exact) / (variance / replications as f64).sqrt();
            assert!(z.abs() < 4.0, "{name}, {steps} steps: z = {z}");
        }
        assert!((found.sd() / exact.sd() - 1.0).abs() < 0.05, "{name}: {} {}", found.sd(), exact.sd());
        let again =
            replicate(&Bed::new(Name::P2.problem(), 1), estimator(name), (steps, episodes), (3, replications), |_| {});
        assert_eq!(again.mean, found.mean, "threads change no bit");
    }
}

#[test]
fn the_command_prints_an_object_a_line_and_refuses_what_it_would_not_read() {
    let place = Place::new();
    let told = place.expect(0, "estimators --problem p1 --episodes 2 --format json");
    let rows: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 7);
    for row in &rows {
        let keys =
            ["problem", "estimator", "target", "inner_steps", "episodes", "mode", "exact", "mean", "sd", "rel_error"];
        assert!(keys.iter().all(|key| !row[*key].is_null()), "{row}");
        assert_eq!(row.get("lambda").is_some(), row["estimator"] == "loaded-dice", "{row}");
    }
    assert_near(&numbers(&rows[5]["mean"]), &[0.201_045], 6e-7, "score-sampling");
    for (arguments, reason) in [
        ("estimators --estimator score --lambda 0.5", "--lambda is only read with --estimator loaded-dice or all"),
        ("estimators --seed 1", "--replications and --seed are only read with --mode monte-carlo"),
        ("estimators --inner-steps 3", "too many to enumerate"),
        ("estimators --svg x.png", "a file that ends in .svg"),
        ("estimators --svg x.svg --csv x.svg", "name the same file"),
    ] {
        let told = place.expect(2, arguments);
        assert!(told.contains(reason), "{arguments}: {told}");
    }
    let told = place.expect(0, "estimators");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}
