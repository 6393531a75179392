//! The gradient on whole lives of a recurrent policy, against differences of its loss.

use crate::synthetic::Lcg;
use metadrift_agents::{
    batch::{Batch, Lives},
    layout::{Head, Layout},
    native::{LifeGradients, PreparedLives},
    objective::{ClippedLoss, LifeObjective, LifePolicy, LifeStats},
    recurrent::{RecurrentPolicy, before},
};

const OBS: usize = 3;

pub fn layouts() -> [Layout; 2] {
    [Head::Categorical(3), Head::Gaussian(2)].map(|head| Layout::recurrent(OBS, 7, 5, head))
}

/// Made-up lives of `lanes` lanes; log-probabilities around those of an even choice.
pub fn lives(layout: &Layout, lanes: usize, steps: usize, rng: &mut Lcg) -> Lives {
    let rows = lanes * steps;
    let inputs = layout.blocks()[0].dims[0];
    let action = match layout.head() {
        Head::Categorical(n) => (0..rows).map(|row| (row * 7 % n) as f32).collect(),
        Head::Gaussian(dim) | Head::StateGaussian(dim) => (0..rows * dim).map(|_| rng.normal()).collect(),
    };
    let batch = Batch {
        action,
        log_prob: (0..rows).map(|_| -1.5 + 0.3 * rng.normal()).collect(),
        advantage: (0..rows).map(|_| rng.normal()).collect(),
        ..Batch::default()
    };
    let inputs = (0..rows * inputs).map(|_| rng.normal()).collect();
    Lives { lanes, inputs, batch, target: (0..rows).map(|_| rng.normal()).collect() }
}

pub fn objective() -> LifeObjective {
    LifeObjective { policy: LifePolicy::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 }), value_coef: 0.25 }
}

pub fn loss(stats: &LifeStats) -> f64 {
    loss_of(stats, 0.05)
}

fn loss_of(stats: &LifeStats, ent_coef: f64) -> f64 {
    stats.policy_loss + 0.25 * stats.value_loss - ent_coef * stats.entropy
}

pub fn parameters(layout: &Layout, rng: &mut Lcg) -> Vec<f64> {
    (0..layout.num_params()).map(|_| 0.5 * f64::from(rng.normal())).collect()
}

/// Objectives, and the weight of the entropy in their loss.
pub fn objectives() -> [(LifeObjective, f64); 2] {
    [(objective(), 0.05), (LifeObjective { policy: LifePolicy::Likelihood, value_coef: 0.25 }, 0.0)]
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    for (layout, (objective, ent_coef)) in layouts().into_iter().flat_map(|l| objectives().map(|o| (l.clone(), o))) {
        let mut rng = Lcg(11);
        let groups = [lives(&layout, 4, 30, &mut rng), lives(&layout, 2, 30, &mut rng)];
        let prepared = groups.each_ref().map(|lives| PreparedLives::<f64>::new(lives, 30));
        let all: Vec<&PreparedLives<f64>> = prepared.iter().collect();
        let params = parameters(&layout, &mut rng);
        let mut gradients = LifeGradients::<f64>::new(layout.clone(), 2);
        let (gradient, _) = gradients.gradient(&params, &all, &objective);
        for _ in 0..8 {
            let direction: Vec<f64> = params.iter().map(|_| f64::from(rng.normal())).collect();
            let mut at = |step: f64| {
                let moved: Vec<f64> = params.iter().zip(&direction).map(|(p, d)| p + step * d).collect();
                loss_of(&gradients.gradient(&moved, &all, &objective).1, ent_coef)
            };
            let step = 1e-6;
            let difference = (at(step) - at(-step)) / (2.0 * step);
            let product: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            assert!((difference - product).abs() < 1e-7 * product.abs().max(1.0), "{difference} {product}");
        }
    }
}

#[test]
fn every_parameter_has_its_place() {
    let layout = &layouts()[1];
    let mut rng = Lcg(3);
    let lives = lives(layout, 3, 12, &mut rng);
    let prepared = PreparedLives::<f64>::new(&lives, 12);
    let params = parameters(layout, &mut rng);
    let mut gradients = LifeGradients::<f64>::new(layout.clone(), 1);
    let (gradient, _) = gradients.gradient(&params, &[&prepared], &objective());
    for block in layout.blocks() {
        let at = block.range.start + block.range.len() / 2;
        let mut shifted = |step: f64| {
            let mut moved = params.clone();
            moved[at] += step;
            loss(&gradients.gradient(&moved, &[&prepared], &objective()).1)
        };
        let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        assert!((difference - gradient[at]).abs() < 1e-7, "{}: {difference} {}", block.name, gradient[at]);
    }
}

#[test]
fn stretches_cut_derivatives_and_not_the_memory() {
    let layout = &layouts()[0];
    let mut rng = Lcg(5);
    let lives = lives(layout, 2, 24, &mut rng);
    let params = parameters(layout, &mut rng);
    let mut gradients = LifeGradients::<f64>::new(layout.clone(), 1);
    let mut of = |steps| gradients.gradient(&params, &[&PreparedLives::new(&lives, steps)], &objective());
    let (whole, stats) = of(24);
    for steps in [1, 5, 12] {
        let (cut, same) = of(steps);
        assert!((loss(&same) - loss(&stats)).abs() < 1e-12, "{steps}");
        assert!(cut.iter().zip(&whole).any(|(a, b)| (a - b).abs() > 1e-6), "{steps}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let layout = &layouts()[0];
    let mut rng = Lcg(7);
    let groups: Vec<PreparedLives<f32>> =
        (0..4).map(|_| PreparedLives::new(&lives(layout, 3, 10, &mut rng), 5)).collect();
    let all: Vec<&PreparedLives<f32>> = groups.iter().collect();
    let params: Vec<f32> = parameters(layout, &mut rng).iter().map(|p| *p as f32).collect();
    let one = LifeGradients::new(layout.clone(), 1).gradient(&params, &all, &objective());
    assert_eq!(one, LifeGradients::new(layout.clone(), 3).gradient(&params, &all, &objective()));
}

#[test]
fn lives_that_were_acted_step_by_step_have_the_same_probabilities() {
    const LANES: usize = 5;
    const STEPS: usize = 40;
    for layout in layouts() {
        let mut rng = Lcg(13);
        let params: Vec<f32> = parameters(&layout, &mut rng).iter().map(|p| *p as f32).collect();
        let mut policy = RecurrentPolicy::new(&layout, &params, LANES);
        let act_dim = layout.head().act_dim();
        let width = layout.inputs();
        let mut lives = Lives { lanes: LANES, target: vec![0.0; LANES * STEPS], ..Lives::default() };
        let mut told = vec![0.0; LANES * width];
        for _ in 0..STEPS {
            let obs: Vec<f32> = (0..LANES * OBS).map(|_| rng.normal()).collect();
            for (input, obs) in told.chunks_exact_mut(width).zip(obs.chunks_exact(OBS)) {
                input[..OBS].copy_from_slice(obs);
            }
            lives.inputs.extend_from_slice(&told);
            policy.observe(&obs);
            let (mut action, mut log_prob) = (vec![0.0; LANES * act_dim], vec![0.0; LANES]);
            let uniform = |rng: &mut Lcg| 1.0 / (1.0 + (-rng.normal()).exp());
            policy.sample(|_| std::array::from_fn(|_| uniform(&mut rng)), &mut action, &mut log_prob);
            let reward: Vec<f32> = (0..LANES).map(|_| rng.normal()).collect();
            let ended = |lane: usize| reward[lane] > 1.0;
            policy.outcome(&action, &reward, ended);
            for (lane, input) in told.chunks_exact_mut(width).enumerate() {
                let action = &action[lane * act_dim..(lane + 1) * act_dim];
                before(layout.head(), action, reward[lane], ended(lane), &mut input[OBS..]);
            }
            lives.batch.action.extend(action);
            lives.batch.log_prob.extend(log_prob);
        }
        lives.batch.advantage = vec![1.0; LANES * STEPS];
        let prepared = PreparedLives::<f32>::new(&lives, 7);
        let (_, stats) = LifeGradients::new(layout.clone(), 1).gradient(&params, &[&prepared], &objective());
        // ratios of 1: nothing has moved, nothing is clipped, and the gain is the mean advantage
        assert!(stats.approx_kl.abs() < 1e-6 && stats.clip_fraction == 0.0, "{stats:?}");
        assert!((stats.policy_loss + 1.0).abs() < 1e-5, "{stats:?}");
    }
}
