//! Tests of the agents.

use super::*;
use crate::layout::Head;

#[test]
fn subsets_are_the_parameters_that_they_name() {
    let layout = Layout::new(3, &[4], Head::Gaussian(2));
    let count = |adapts, adapt_log_std| {
        let maml = MamlConfig { adapts, adapt_log_std, ..MamlConfig::default() };
        adapting(&layout, &maml).into_iter().filter(|adapts| *adapts).count()
    };
    assert_eq!(count(Subset::All, false), 3 * 4 + 4 + 4 * 2 + 2);
    assert_eq!(count(Subset::Head, true), 4 * 2 + 2 + 2);
    assert_eq!(count(Subset::Biases, false), 4 + 2);
}

/// Three of four actions are the first one under the policy that collected the data, one of two under the start. The
/// gradient of the expected advantage at the start is 1/2 x 1 x (1 - 1/2) = 1/4 by the first logit; without the weights it
/// would be 3/4 x 1/2.
#[test]
fn data_of_an_adapted_policy_count_as_often_as_the_start_would_have_them() {
    let layout = Layout::new(1, &[], Head::Categorical(2));
    let backend = crate::backend::open(BackendChoice::Native, layout, crate::device::Device::Cpu, 0, 1).unwrap();
    let estimator = Estimator { gamma: 0.9, gae_lambda: 0.9, threads: 1 };
    let agent = Adaptive::new(backend, InnerLoss::LVC, estimator, vec![0.0; 4], vec![1.0; 4]);
    let [often, seldom] = [0.75f32.ln(), 0.25f32.ln()];
    let batch = Batch {
        obs: vec![0.0; 4],
        action: vec![0.0, 0.0, 0.0, 1.0],
        log_prob: vec![often, often, often, seldom],
        advantage: vec![1.0, 1.0, 1.0, 0.0],
        episodes: vec![1; 4],
        spread: 1.0,
        ..Batch::default()
    };
    let stepped = |mut agent: Adaptive, from: f32| {
        agent.begin(1);
        agent.adapted[0][2] = from;
        agent.step(std::slice::from_ref(&batch)).unwrap();
        agent.adapted[0].clone()
    };
    // from the start, wherever the policy is
    for from in [0.0, 3.0] {
        let adapted = stepped(agent.clone().anchored(1), from);
        assert!((adapted[2] - 0.25).abs() < 1e-6 && (adapted[3] + 0.25).abs() < 1e-6, "{adapted:?}");
    }
    // the second step: the first action has probability p = e^0.5 / (1 + e^0.5) there, and slope p (1 - p)
    let p = 0.5f32.exp() / (1.0 + 0.5f32.exp());
    let twice = stepped(agent.anchored(2), 0.0);
    assert!((twice[2] - (0.25 + p * (1.0 - p))).abs() < 1e-6, "{twice:?}");
}

#[test]
fn a_context_or_changes_of_low_rank_adapt_and_nothing_beside_them() {
    let plain = Layout::new(3, &[4], Head::Categorical(2));
    let names = |layout: &Layout, adapts| {
        let maml = MamlConfig { adapts, ..MamlConfig::default() };
        let moves = adapting(layout, &maml);
        let found = layout.blocks().iter().filter(|block| moves[block.range.clone()].iter().all(|moves| *moves));
        found.map(|block| block.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&plain.clone().with_context(3), Subset::Context), ["context"]);
    let factors = ["layer0.left", "layer0.right", "layer1.left", "layer1.right"];
    assert_eq!(names(&plain.with_low_rank(2), Subset::LowRank), factors);
}

#[test]
fn log_standard_deviations_that_are_outputs_stay_without_their_columns_of_the_last_layer() {
    let layout = Layout::new(1, &[2], Head::StateGaussian(1));
    let of = |adapts, adapt_log_std| adapting(&layout, &MamlConfig { adapts, adapt_log_std, ..MamlConfig::default() });
    // two weights and biases of the hidden layer; rows (mean, log-std) for each unit; their biases
    let (yes, no) = (true, false);
    assert_eq!(of(Subset::All, no), [yes, yes, yes, yes, yes, no, yes, no, yes, no]);
    assert_eq!(of(Subset::All, yes), [yes; 10]);
    assert_eq!(of(Subset::Head, no), [no, no, no, no, yes, no, yes, no, yes, no]);
    assert_eq!(of(Subset::Biases, yes), [no, no, yes, yes, no, no, no, no, yes, yes]);
    // the columns of the last right factor, [1, 2], behind the 10 and the factors [1, 1], [1, 2], [2, 1]
    let products = layout.with_low_rank(1);
    let maml = MamlConfig { adapts: Subset::LowRank, adapt_log_std: no, ..MamlConfig::default() };
    assert_eq!(adapting(&products, &maml)[10..], [yes, yes, yes, yes, yes, yes, no]);
}
