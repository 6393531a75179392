//! The two action distributions on tensors. `out` are head outputs `[tasks, samples, outputs]`; `params` are the blocks
//! they came from (`log_std` is the last one, `[tasks, 1, act_dim]`); every result is `[tasks, samples]`.

use tch::{Kind, Tensor};

use crate::layout::Head;

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

/// Log-probability of `action` `[tasks, samples, act_dim]` (indices for a categorical head).
pub(super) fn log_prob(head: Head, params: &[Tensor], out: &Tensor, action: &Tensor) -> Tensor {
    match head {
        Head::Categorical(_) => out.log_softmax(-1, None::<Kind>).gather(-1, action, false).squeeze_dim(-1),
        Head::Gaussian(_) => {
            let log_std = log_std(params);
            let z = (action - out) * log_std.neg().exp();
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
        Head::Gaussian(_) => {
            let per_dim: Tensor = log_std(params) + (HALF_LOG_TAU + 0.5);
            (per_dim + out.zeros_like()).sum_dim_intlist(-1, false, None::<Kind>)
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
        Head::Gaussian(_) => {
            let (s_old, s_new) = (log_std(old.0), log_std(new.0));
            let spread = (s_old * 2.0).exp() + (old.1 - new.1).square();
            let per_dim = s_new - s_old + spread * (s_new * -2.0).exp() * 0.5 - 0.5;
            per_dim.sum_dim_intlist(-1, false, None::<Kind>)
        }
    }
}

fn log_std(params: &[Tensor]) -> &Tensor {
    params.last().expect("a policy has blocks")
}
