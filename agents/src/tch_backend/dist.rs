//! The action distributions on tensors. `out` are head outputs `[tasks, samples, outputs]`; `params` are the blocks
//! they came from (`log_std`, if it is free, is the last one, `[tasks, 1, act_dim]`); every result is `[tasks, samples]`.

use tch::{Kind, Tensor};

use crate::layout::{Head, LOG_STD};

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// Log-probability of `action` `[tasks, samples, act_dim]` (indices for a categorical head).
pub(super) fn log_prob(head: Head, params: &[Tensor], out: &Tensor, action: &Tensor) -> Tensor {
    match head {
        Head::Categorical(_) => out.log_softmax(-1, None::<Kind>).gather(-1, action, false).squeeze_dim(-1),
        Head::Gaussian(_) | Head::StateGaussian(_) => {
            let (mean, log_std) = gaussian(head, params, out);
            let z = (action - mean) * log_std.neg().exp();
            (&z * &z * -0.5 - log_std - HALF_LOG_TAU).sum_dim_intlist(-1, false, None::<Kind>)
        }
    }
}

/// Entropy at every sample.
pub(super) fn entropy(head: Head, params: &[Tensor], out: &Tensor) -> Tensor {
    match head {
        Head::Categorical(_) => {
            let log_p = out.log_softmax(-1, None::<Kind>);
            (log_p.exp() * log_p).sum_dim_intlist(-1, false, None::<Kind>).neg()
        }
        Head::Gaussian(_) | Head::StateGaussian(_) => {
            let (mean, log_std) = gaussian(head, params, out);
            let per_dim: Tensor = log_std + (HALF_LOG_TAU + 0.5);
            (per_dim + mean.zeros_like()).sum_dim_intlist(-1, false, None::<Kind>)
        }
    }
}

/// KL(old || new) at every sample.
pub(super) fn kl(head: Head, old: (&[Tensor], &Tensor), new: (&[Tensor], &Tensor)) -> Tensor {
    match head {
        Head::Categorical(_) => {
            let (old, new) = (old.1.log_softmax(-1, None::<Kind>), new.1.log_softmax(-1, None::<Kind>));
            (old.exp() * (&old - new)).sum_dim_intlist(-1, false, None::<Kind>)
        }
        Head::Gaussian(_) | Head::StateGaussian(_) => {
            let ((m_old, s_old), (m_new, s_new)) = (gaussian(head, old.0, old.1), gaussian(head, new.0, new.1));
            let spread = (&s_old * 2.0).exp() + (m_old - m_new).square();
            let per_dim = &s_new - s_old + spread * (&s_new * -2.0).exp() * 0.5 - 0.5;
            per_dim.sum_dim_intlist(-1, false, None::<Kind>)
        }
    }
}

/// Means `[tasks, samples, act_dim]` and log standard deviations, which may lack the samples' dimension.
fn gaussian(head: Head, params: &[Tensor], out: &Tensor) -> (Tensor, Tensor) {
    if let Head::StateGaussian(dim) = head {
        let dim = dim as i64;
        return (out.narrow(-1, 0, dim), out.narrow(-1, dim, dim).clamp(LOG_STD[0], LOG_STD[1]));
    }
    (out.shallow_clone(), params.last().expect("a policy has blocks").shallow_clone())
}
