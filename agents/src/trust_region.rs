//! Steps to the edge of a trust region (TRPO, Schulman et al. 2015, arXiv 1502.05477, appendix C).

/// Steps of the conjugate gradient.
const STEPS: usize = 10;
/// Share of the identity that is added to the information, which few samples leave singular.
const DAMPING: f64 = 1e-3;
/// Times that a step is halved before it is given up.
pub const HALVINGS: usize = 10;

/// An approximate solution x of (F + damping) x = `gradient` by the conjugate gradient (Hestenes and Stiefel 1952);
/// `product` is the product of a vector with F.
fn conjugate_gradient(gradient: &[f64], mut product: impl FnMut(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut x = vec![0.0; gradient.len()];
    let mut rest = gradient.to_vec();
    let mut direction = rest.clone();
    let mut square = dot(&rest, &rest);
    let enough = 1e-10 * square;
    for _ in 0..STEPS {
        if square <= enough {
            break;
        }
        let mut along = product(&direction);
        along.iter_mut().zip(&direction).for_each(|(a, d)| *a += DAMPING * d);
        let length = square / dot(&direction, &along);
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += length * d);
        rest.iter_mut().zip(&along).for_each(|(r, a)| *r -= length * a);
        let next = dot(&rest, &rest);
        direction.iter_mut().zip(&rest).for_each(|(d, r)| *d = r + next / square * *d);
        square = next;
    }
    x
}

/// The longest step against `gradient` in the natural direction whose divergence is `most` to second order: -beta x with
/// F x = gradient and beta^2 x'Fx / 2 = most. `product` is the product of a vector with Fisher's information F. `None` if
/// no direction is downhill.
pub fn step(gradient: &[f64], most: f64, product: impl FnMut(&[f64]) -> Vec<f64>) -> Option<Vec<f64>> {
    let x = conjugate_gradient(gradient, product);
    // x'(F + damping) x, which conjugacy makes the product with the gradient
    let curvature = dot(&x, gradient);
    let beta = (2.0 * most / curvature).sqrt();
    (curvature > 0.0 && beta.is_finite()).then(|| x.iter().map(|x| -beta * x).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without damping to speak of, the step is that of the exact inverse, worked out by hand for a 2 x 2 matrix.
    #[test]
    fn the_step_is_natural_and_as_long_as_allowed() {
        let information = |v: &[f64]| vec![400.0 * v[0] + 100.0 * v[1], 100.0 * v[0] + 900.0 * v[1]];
        let gradient = [3.0, -1.0];
        let step = step(&gradient, 0.01, information).unwrap();
        // the inverse is [900 -100; -100 400] / 350000, and its product with the gradient [2800, -700] / 350000
        assert!((step[0] / step[1] + 4.0).abs() < 1e-4 && step[0] < 0.0, "{step:?}");
        let moved = information(&step);
        assert!((0.5 * dot(&step, &moved) - 0.01).abs() < 1e-6, "{step:?}");
    }

    #[test]
    fn there_is_no_step_without_a_slope() {
        assert_eq!(step(&[0.0, 0.0], 0.01, |v| v.to_vec()), None);
        assert_eq!(step(&[f64::NAN, 0.0], 0.01, |v| v.to_vec()), None);
    }
}
