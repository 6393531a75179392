//! Means of estimators over sampled data.

use metadrift_agents::{sampling::beyond_others, stop};
use metadrift_envs::rng::{Purpose, Stream, StreamRng};
use rand::Rng;

use super::{
    Bed, Estimator, Spread,
    bed::{Replication, Sampling},
};

/// Replications that are differentiated at a time, and among which the leave-one-out baseline is formed.
pub const CHUNK: u64 = 4096;

/// Mean and variance of `estimator` over `replications` replications of `steps` steps with `episodes` episodes each;
/// `progress` hears of every part that is done how large it is.
pub fn replicate(
    bed: &Bed,
    estimator: Estimator,
    (steps, episodes): (usize, u32),
    (seed, replications): (u64, u64),
    mut progress: impl FnMut(u64),
) -> Spread {
    let states = bed.problem.theta.len();
    let (mut sum, mut squares) = (vec![0.0; states], vec![0.0; states]);
    let mut done = 0;
    while done < replications {
        stop::check();
        let size = CHUNK.min(replications - done) as usize;
        let mut rng = Stream::new(seed, Purpose::Action).iteration((done / CHUNK) as u32).rng();
        let drawn = draw(bed, estimator, (steps, episodes), size, &mut rng);
        let earned: Vec<f64> = drawn.iter().map(|one| bed.problem.value(&one.adapted)).collect();
        let baseline = match estimator.sampling {
            Sampling::LeaveOneOut => earned.iter().zip(beyond_others(&earned)).map(|(all, more)| all - more).collect(),
            Sampling::Absent | Sampling::Plain => vec![0.0; size],
        };
        for estimate in bed.estimates(estimator, drawn, &baseline) {
            for ((sum, square), g) in sum.iter_mut().zip(&mut squares).zip(&estimate) {
                *sum += g;
                *square += g * g;
            }
        }
        done += size as u64;
        progress(size as u64);
    }
    Spread::of_sums(replications as f64, &sum, &squares)
}

/// Adapts `size` times to sampled episodes.
fn draw(
    bed: &Bed,
    estimator: Estimator,
    (steps, episodes): (usize, u32),
    size: usize,
    rng: &mut StreamRng,
) -> Vec<Replication> {
    let theta = bed.problem.theta.clone();
    let mut all = vec![Replication { supports: Vec::with_capacity(steps), adapted: theta }; size];
    for _ in 0..steps {
        let thetas: Vec<Vec<f64>> = all.iter().map(|one| one.adapted.clone()).collect();
        let sample = |theta: &Vec<f64>| {
            let probabilities = bed.problem.probabilities(theta);
            let picked: Vec<usize> = (0..episodes).map(|_| pick(&probabilities, rng)).collect();
            bed.batch(theta, picked.iter().map(|at| (&bed.problem.outcomes[*at], 1.0)))
        };
        let batches: Vec<_> = thetas.iter().map(sample).collect();
        let adapted = bed.adapt(estimator.inner, &thetas, &batches);
        for ((one, batch), theta) in all.iter_mut().zip(batches).zip(adapted) {
            one.supports.push(batch);
            one.adapted = theta;
        }
    }
    all
}

/// An index drawn with `probabilities`.
fn pick(probabilities: &[f64], rng: &mut StreamRng) -> usize {
    // 53 random bits
    let mut left = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    for (at, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return at;
        }
    }
    probabilities.len() - 1
}
