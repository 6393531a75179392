use super::*;

#[test]
fn aggregates_by_hand() {
    // 1..=20 with one outlier: the middle half is 6..=15
    let mut scores: Vec<f64> = (1..=20).map(f64::from).collect();
    scores[19] = 1000.0;
    let summary = Summary::of(&scores, 0);
    assert_eq!((summary.mean, summary.iqm, summary.worst_decile), (59.5, 10.5, 1.5));
    assert_eq!(bootstrap::percentile(&[1.0, 2.0, 4.0], 0.75), 3.0);
}

#[test]
fn the_interval_of_an_interquartile_mean_is_that_of_a_trimmed_mean() {
    // 25 % trimmed mean of a uniform law on (0, 1): asymptotic variance 1/6 a score (Huber 1981, section 3.3)
    let scores: Vec<f64> = (0..400).map(|i| (f64::from(i * 123 % 400) + 0.5) / 400.0).collect();
    let halves = [scores[..200].to_vec(), scores[200..].to_vec()];
    for groups in [&[scores][..], &halves] {
        let (middle, [low, high]) = grouped_iqm(groups, 1);
        let error = 1.96 * (1.0f64 / 6.0 / 400.0).sqrt();
        assert!((middle - 0.5).abs() < 1e-12, "{middle}");
        assert!((low - 0.5 + error).abs() < 0.006 && (high - 0.5 - error).abs() < 0.006, "{low} {high} {error}");
    }
    // groups far apart do not widen it: each keeps its share of the runs
    let apart = [vec![0.0; 10], vec![1.0; 10]];
    assert_eq!(grouped_iqm(&apart, 0), (0.5, [0.5, 0.5]));
}

#[test]
fn the_interval_is_that_of_the_normal_law() {
    // 200 scores of 0 and 200 of 1: standard error of the mean 0.5 / sqrt(400) = 0.025
    let scores: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
    let [low, high] = Summary::of(&scores, 3).ci95;
    assert!((low - (0.5 - 1.96 * 0.025)).abs() < 0.005 && (high - (0.5 + 1.96 * 0.025)).abs() < 0.005);
    assert_eq!(Summary::of(&[7.0; 5], 1).ci95, [7.0, 7.0]);
    // pairs that all differ by 2 leave no doubt, however far apart the tasks are
    let better: Vec<f64> = scores.iter().map(|score| 100.0 * score + 2.0).collect();
    let worse: Vec<f64> = scores.iter().map(|score| 100.0 * score).collect();
    assert_eq!(Difference::paired(&better, &worse, 0), Difference { mean: 2.0, ci95: [2.0, 2.0] });
    assert!(Difference::paired(&worse, &better, 0).is_negative());
}
