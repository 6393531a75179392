//! The outer step of MAML: a trust region against its definition, and the weights of tasks.

use crate::synthetic::{Lcg, batch, differences, distance, layouts, meta_batch, params, wide};
use metadrift_agents::{
    backend::{self, BackendChoice},
    batch::MetaBatch,
    device::Device,
    layout::{Head, Layout},
    learners::maml::Maml,
    native::NativeBackend,
    objective::{ClippedLoss, InnerLoss, Objective, OuterLoss},
    params::{POLICY, Params, RATES},
    settings::{MamlConfig, Outer, PpoConfig},
};

const FREE: OuterLoss = OuterLoss::Clipped(ClippedLoss { clip_eps: f64::INFINITY, ent_coef: 0.0 });

fn objective(outer: OuterLoss) -> Objective {
    Objective { inner: InnerLoss::LVC, outer, kl_coef: 0.0, first_order: false, learn_rates: false }
}

/// The gradient and the loss of `outer` at `theta` with inner rates of 0.1.
fn gradient(layout: &Layout, theta: &[f32], data: &MetaBatch, outer: OuterLoss) -> (Vec<f64>, f64) {
    let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 1).unwrap();
    let at = Params::new([(POLICY, theta.to_vec()), (RATES, vec![0.1; theta.len()])]);
    let (gradient, stats) = backend.problem(theta, data).gradient(&at, &objective(outer));
    (wide(&gradient), stats.loss)
}

fn maml(layout: &Layout, theta: &[f32], inner_steps: usize) -> Maml {
    let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 1).unwrap();
    let maml = MamlConfig { outer: Outer::Trpo, inner_steps, ..MamlConfig::default() };
    Maml::new(maml, PpoConfig::default(), backend, theta.to_vec(), 1)
}

/// Without adaptation and for a linear softmax policy, Fisher's information is the mean of the scores' outer products: the
/// step is the solution of (F + damping) x = gradient, by Gaussian elimination, at the length of the trust region.
#[test]
fn a_step_of_trpo_is_the_natural_one() {
    let layout = Layout::new(1, &[], Head::Categorical(2));
    let theta = vec![0.4f32, -0.3, 0.1, 0.2];
    let data = MetaBatch { query: vec![batch(&layout, &theta, 400, &mut Lcg(4))], ..MetaBatch::default() };
    let query = &data.query[0];
    let mut system = vec![vec![0.0; 5]; 4];
    for i in 0..400 {
        let x = f64::from(query.obs[i]);
        let logits = [0, 1].map(|k| f64::from(theta[k]) * x + f64::from(theta[2 + k]));
        let p = logits.map(|l| l.exp() / (logits[0].exp() + logits[1].exp()));
        let score = [0, 1].map(|k| f64::from(u8::from(k == query.action[i] as usize)) - p[k]);
        let score = [score[0] * x, score[1] * x, score[0], score[1]];
        for (row, a) in system.iter_mut().zip(score) {
            row.iter_mut().zip(score).for_each(|(sum, b)| *sum += a * b / 400.0);
        }
    }
    let (slope, before) = gradient(&layout, &theta, &data, FREE);
    system.iter_mut().zip(&slope).enumerate().for_each(|(i, (row, g))| {
        row[i] += 1e-3;
        row[4] = *g;
    });
    let natural = solve(system);
    let curvature: f64 = natural.iter().zip(&slope).map(|(x, g)| x * g).sum();
    let length = (2.0 * 0.01 / curvature).sqrt();

    let mut learner = maml(&layout, &theta, 0);
    let metrics = learner.update(&data).unwrap();
    let metric = |name: &str| metrics.iter().find(|(known, _)| *known == name).unwrap().1;
    let share = metric("trust_region/step");
    assert!(share > 0.0 && metric("loss/meta") < before && metric("kl/query") <= 0.01, "{metrics:?}");
    for ((moved, start), x) in learner.params().part(POLICY).iter().zip(&theta).zip(&natural) {
        let (step, expected) = (f64::from(moved - start), -share * length * x);
        assert!((step - expected).abs() < 0.01 * length * curvature.sqrt(), "{step} {expected}");
    }
}

/// The solution of the linear equations whose rows end with their right-hand sides.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for i in 0..n {
        let largest = (i..n).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs())).unwrap();
        rows.swap(i, largest);
        for j in (0..n).filter(|j| *j != i) {
            let share = rows[j][i] / rows[i][i];
            let pivot = rows[i].clone();
            rows[j].iter_mut().zip(pivot).for_each(|(x, p)| *x -= share * p);
        }
    }
    (0..n).map(|i| rows[i][n] / rows[i][i]).collect()
}

#[test]
fn a_step_of_trpo_through_adaptation_stays_near_and_descends() {
    for layout in layouts() {
        let mut rng = Lcg(12);
        let theta = params(&layout, &mut rng);
        let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 1).unwrap();
        let support: Vec<_> = (0..3).map(|_| batch(&layout, &theta, 60, &mut rng)).collect();
        let adapted = backend.adapt(InnerLoss::LVC, &vec![theta.clone(); 3], &vec![0.1; theta.len()], &support);
        let query = adapted.iter().map(|phi| batch(&layout, phi, 60, &mut rng)).collect();
        let data = MetaBatch { supports: vec![support], query, ..MetaBatch::default() };
        let (_, before) = gradient(&layout, &theta, &data, FREE);
        let mut learner = maml(&layout, &theta, 1);
        let metrics = learner.update(&data).unwrap();
        let metric = |name: &str| metrics.iter().find(|(known, _)| *known == name).unwrap().1;
        assert!(metric("trust_region/step") > 0.0, "{metrics:?}");
        assert!(metric("loss/meta") < before, "{metrics:?}");
        // as far as the trust region lets it, or half of that, or a quarter: the loss is not quadratic
        assert!((0.01 / 20.0..=0.01).contains(&metric("kl/query")), "{metrics:?}");
    }
}

#[test]
fn weights_scale_what_a_task_adds() {
    for layout in layouts() {
        let mut rng = Lcg(2);
        let theta = params(&layout, &mut rng);
        let data = meta_batch(&layout, &theta, 1, 2, &mut rng);
        let only = |task: usize| MetaBatch {
            supports: vec![vec![data.supports[0][task].clone()]],
            query: vec![data.query[task].clone()],
            ..MetaBatch::default()
        };
        let each = [0, 1].map(|task| gradient(&layout, &theta, &only(task), FREE).0);
        let weighted = MetaBatch { weight: vec![0.5, -2.0], ..data.clone() };
        let both = gradient(&layout, &theta, &weighted, FREE).0;
        for ((both, a), b) in both.iter().zip(&each[0]).zip(&each[1]) {
            assert!((both - 0.5 * (0.5 * a - 2.0 * b)).abs() < 1e-5, "{both} {a} {b}");
        }
    }
}

/// The meta-gradient by policy and rates against differences of the meta-loss in f64, for every combination of losses that
/// the recipes have; data are fixed, and of policies nearby, as in a later epoch. DiCE is no function's second derivative
/// away from the collecting policy; tests/estimators.rs of the program compares it with exact values.
#[test]
fn every_recipes_meta_gradient_is_that_of_its_loss() {
    let clipped = OuterLoss::Clipped(ClippedLoss { clip_eps: 0.2, ent_coef: 0.05 });
    let cases = [
        (InnerLoss::LVC, clipped, false),
        (InnerLoss::Score, clipped, false),
        (InnerLoss::Score, clipped, true),
        (InnerLoss::LVC, FREE, false),
        (InnerLoss::Score, OuterLoss::Divergence, false),
        (InnerLoss::Score, OuterLoss::Likelihood, false),
    ];
    for (layout, inner_steps) in layouts().into_iter().flat_map(|layout| [1, 2, 3].map(|k| (layout.clone(), k))) {
        for (inner, outer, credited) in cases {
            let mut rng = Lcg(40 + inner_steps as u64);
            let n = layout.num_params();
            let theta = params(&layout, &mut rng);
            let mut data = meta_batch(&layout, &theta, inner_steps, 2, &mut rng);
            data.weight = vec![0.7, 1.4];
            if credited {
                data.credit = vec![0.02, -0.03];
            }
            let mut at = wide(&theta);
            at.extend((0..n).map(|_| 0.2 + 0.1 * f64::from(rng.uniform())));
            let backend = NativeBackend::new(layout.clone(), 1);
            let objective = Objective { kl_coef: 0.3, learn_rates: true, inner, ..self::objective(outer) };
            let mut prepared = backend.prepare(&at[..n], &data);
            let mut look = |at: &[f64]| backend.meta_gradient(&at[..n], &at[n..], &mut prepared, &objective);
            let (mut gradient, by_rates, _) = look(&at);
            gradient.extend(by_rates);
            let numeric = differences(&at, |at| look(at).2.loss);
            let error = distance(&gradient, &numeric);
            assert!(error <= 1e-6, "{inner:?}, {outer:?}, credit {credited}, {inner_steps} steps: {error:e}");
        }
    }
}

/// Without second derivatives the gradient is that of the outer loss where adaptation ends, which knows nothing of the way.
#[test]
fn the_first_order_gradient_is_the_outer_one_at_the_adapted_policy() {
    for layout in layouts() {
        let mut rng = Lcg(6);
        let theta = params(&layout, &mut rng);
        let data = meta_batch(&layout, &theta, 1, 1, &mut rng);
        let backend = backend::open(BackendChoice::Native, layout.clone(), Device::Cpu, 0, 1).unwrap();
        let adapted =
            backend.adapt(InnerLoss::LVC, std::slice::from_ref(&theta), &vec![0.1; theta.len()], &data.supports[0]);
        let there = MetaBatch { query: data.query.clone(), ..MetaBatch::default() };
        let expected = gradient(&layout, &adapted[0], &there, FREE).0;
        let at = Params::new([(POLICY, theta.clone()), (RATES, vec![0.1; theta.len()])]);
        let first_order = Objective { first_order: true, ..objective(FREE) };
        let (found, _) = backend.problem(&theta, &data).gradient(&at, &first_order);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
