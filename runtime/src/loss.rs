//! The losses of a policy on samples.

/// The inner loss, by its derivatives at the parameters where they are taken. With A an advantage, l a log-probability
/// and r the ratio of the policy to the collecting one, all have the slope -mean(A r dl), where the score function has
/// r = 1; they differ in the second derivative, the one that a meta-gradient adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InnerLoss {
    /// The score function, as in the first MAML (Finn et al. 2017): A d2l. It is the derivative of the inner step on given
    /// data, but not an estimate of the Hessian of the return.
    Score,
    /// Loaded DiCE (Farquhar et al. 2019, arXiv 1909.10549) with its lambda: A r (d2l + dl dl' + dv dl' + dl dv'), where
    /// v = sum of lambda^(t-u) l_u over the earlier steps u of the episode.
    LoadedDice(f64),
}

impl InnerLoss {
    /// The low-variance curvature estimate (Rothfuss et al. 2019, arXiv 1810.06784), A r (d2l + dl dl'): the second
    /// derivative of the likelihood ratio, without the products of different steps.
    pub const LVC: InnerLoss = InnerLoss::LoadedDice(0.0);
    /// DiCE (Foerster et al. 2018, arXiv 1802.05098), an unbiased estimate of the Hessian of the return if advantages
    /// are rewards to go.
    pub const DICE: InnerLoss = InnerLoss::LoadedDice(1.0);
}

/// PPO's loss: minus the mean gain, which is flat where the ratio has left its range in the direction of the advantage,
/// and minus the entropy bonus.
#[derive(Clone, Copy, Debug)]
pub struct ClippedLoss {
    /// Half width of the clipping range of the ratio of the policy to the collecting one: 1 ± this. Infinity clips
    /// nothing: the plain policy gradient.
    pub clip_eps: f64,
    /// Weight of the policy's entropy.
    pub ent_coef: f64,
}
