//! The meta-objective that a backend differentiates, and its statistics.

pub use metadrift_runtime::loss::{ClippedLoss, InnerLoss};

/// The loss of the adapted policy on the query data.
#[derive(Clone, Copy, Debug)]
pub enum OuterLoss {
    /// PPO's loss.
    Clipped(ClippedLoss),
    /// Minus the log-likelihood of the actions, each times its advantage: the loss of labels.
    Likelihood,
    /// The distance from the policy that collected the data, mean of r - 1 - log r. Its second derivative where r = 1 is
    /// Fisher's information. Tasks count alike, and there is no sampling term.
    Divergence,
}

/// The numbers that define the meta-objective.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// The loss that adaptation descends.
    pub inner: InnerLoss,
    /// The loss of the adapted policy.
    pub outer: OuterLoss,
    /// Weight of KL(old meta-policy || meta-policy) on the states visited before adaptation.
    pub kl_coef: f64,
    /// True if second derivatives are left out.
    pub first_order: bool,
    /// True if the inner rates get a gradient too.
    pub learn_rates: bool,
}

/// Means over the tasks of one evaluation of the meta-objective.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ObjectiveStats {
    /// The meta-loss.
    pub loss: f64,
    /// Inner surrogate loss, summed over the inner steps.
    pub inner_loss: f64,
    /// KL(old meta-policy || meta-policy) on the states visited before adaptation.
    pub kl: f64,
    /// Entropy of the adapted policy on the query states.
    pub entropy: f64,
    /// Share of query samples whose ratio lies outside the clipping range.
    pub clip_fraction: f64,
    /// Distance of the adapted policy from the one that collected the query data: mean of r - 1 - log r.
    pub approx_kl: f64,
}

/// The loss of a recurrent policy on whole lives.
#[derive(Clone, Copy, Debug)]
pub struct LifeObjective {
    /// The part of it that the policy's outputs enter.
    pub policy: LifePolicy,
    /// Weight of half the squared error of the value.
    pub value_coef: f64,
}

/// The loss of the actions of lives.
#[derive(Clone, Copy, Debug)]
pub enum LifePolicy {
    /// PPO's loss.
    Clipped(ClippedLoss),
    /// Minus the log-likelihood of the actions, each weighted by its advantage.
    Likelihood,
}

/// Means over the samples of one evaluation of the loss on lives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LifeStats {
    /// Minus the clipped gain, or minus the log-likelihood.
    pub policy_loss: f64,
    /// Half the squared error of the value.
    pub value_loss: f64,
    /// Entropy of the policy.
    pub entropy: f64,
    /// Share of samples whose ratio lies outside the clipping range.
    pub clip_fraction: f64,
    /// Distance of the policy from the one that collected: mean of r - 1 - log r.
    pub approx_kl: f64,
}

/// Scales `gradient` down to `max_norm` and returns its earlier norm.
pub(crate) fn clip_norm(gradient: &mut [f32], max_norm: f64) -> f64 {
    let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    if norm > max_norm {
        let scale = (max_norm / norm) as f32;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}
