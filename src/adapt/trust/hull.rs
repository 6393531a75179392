//! The distance from a world to mixtures of the worlds nearest to it.

use nalgebra::{DMatrix, DVector};

use super::model::Model;

/// Number of the nearest worlds in a mixture.
const NEAREST: usize = 20;
/// Most steps of the search for the best mixture.
const STEPS: usize = 500;
/// Share of the distance by which a mixture may miss the best one.
const PRECISION: f64 = 1e-3;

/// The distance from `model` to the nearest of `others`, and to the nearest mixture of those next to it: their weights are not
/// negative and add up to 1. So a world between those of training is as good as one of them, however few they are.
pub fn distances<'a>(model: &Model, others: impl Iterator<Item = &'a Model>) -> [f64; 2] {
    let mut others: Vec<(f64, &Model)> = others.map(|other| (model.distance(other), other)).collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    others.truncate(NEAREST);
    let apart: Vec<DMatrix<f64>> = others.iter().map(|(_, other)| &other.weights - &model.weights).collect();
    let errors: Vec<DMatrix<f64>> = apart.iter().map(|apart| model.errors(apart)).collect();
    let products = DMatrix::from_fn(apart.len(), apart.len(), |i, j| errors[i].dot(&apart[j]));
    [others[0].0, least(&products)]
}

/// The least value of w' `products` w over mixtures w, by gradient steps with momentum (Beck and Teboulle 2009).
fn least(products: &DMatrix<f64>) -> f64 {
    let size = products.trace();
    if size <= 0.0 {
        return 0.0;
    }
    let mut mixture = DVector::zeros(products.nrows());
    mixture[0] = 1.0;
    let (mut ahead, mut momentum) = (mixture.clone(), 1.0_f64);
    let mut best = f64::INFINITY;
    for _ in 0..STEPS {
        let next = onto_mixtures(&ahead - products * &ahead / size);
        let grown = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
        ahead = &next + (&next - &mixture) * ((momentum - 1.0) / grown);
        (mixture, momentum) = (next, grown);
        let slope = products * &mixture;
        let value = slope.dot(&mixture);
        best = best.min(value);
        // by convexity the least value is no further away
        if 2.0 * (value - slope.min()) <= PRECISION * value {
            break;
        }
    }
    best.max(0.0)
}

/// The mixture nearest to `weights` (Duchi et al. 2008, "Efficient projections onto the l1-ball").
fn onto_mixtures(weights: DVector<f64>) -> DVector<f64> {
    let mut sorted: Vec<f64> = weights.iter().copied().collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (k, weight) in sorted.into_iter().enumerate() {
        sum += weight;
        let wanted = (sum - 1.0) / (k + 1) as f64;
        if weight > wanted {
            shift = wanted;
        }
    }
    weights.map(|weight| (weight - shift).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixtures_by_hand() {
        let found = onto_mixtures(DVector::from_vec(vec![0.9, 0.5, -1.0]));
        // less 0.2 each: 0.7 + 0.3 = 1
        assert!((found - DVector::from_vec(vec![0.7, 0.3, 0.0])).amax() < 1e-12);
    }

    #[test]
    fn the_nearest_mixture_by_hand() {
        // points (1, 1), (1, -2) and (3, 0) seen from the origin: the first two have (1, 0) between them, at distance 1
        let points = [[1.0, 1.0], [1.0, -2.0], [3.0, 0.0]];
        let products = DMatrix::from_fn(3, 3, |i, j| points[i][0] * points[j][0] + points[i][1] * points[j][1]);
        assert!((least(&products) - 1.0).abs() < 2e-3);
        // with (-1, 0) the origin is inside
        let points = [[1.0, 1.0], [1.0, -2.0], [-1.0, 0.0]];
        let products = DMatrix::from_fn(3, 3, |i, j| points[i][0] * points[j][0] + points[i][1] * points[j][1]);
        assert!(least(&products) < 1e-6);
    }
}
