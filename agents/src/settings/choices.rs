//! The words of the section `[maml]`.

use serde::{Deserialize, Serialize};

/// The inner step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateRule {
    /// The rates times the gradient.
    #[default]
    Gradient,
    /// The rates times the direction of a rule ([`crate::inner_rule`]), whose weights are learned with the meta-policy.
    Learned,
}

/// Estimators of the second derivative of the inner loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InnerEstimator {
    /// The score function ([`crate::objective::InnerLoss::Score`]).
    Score,
    /// The low-variance curvature estimate ([`crate::objective::InnerLoss::LVC`]).
    #[default]
    Lvc,
    /// DiCE ([`crate::objective::InnerLoss::DICE`]).
    Dice,
    /// Loaded DiCE ([`crate::objective::InnerLoss::LoadedDice`]).
    LoadedDice,
}

/// The credit of the meta-policy for the data that adaptation saw (E-MAML, Stadie et al. 2018, arXiv 1803.01118;
/// Al-Shedivat et al. 2018, arXiv 1710.03641).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingTerm {
    /// None.
    #[default]
    None,
    /// The return after adaptation.
    Plain,
    /// That return beyond the mean of the other tasks of the iteration: the same in the mean, with less noise.
    LeaveOneOut,
}

/// The parameters that adaptation changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subset {
    /// All.
    #[default]
    All,
    /// The last layer (ANIL, Raghu et al. 2020, arXiv 1909.09157), and the exploration noise if that adapts.
    Head,
    /// The biases of all layers, and the exploration noise if that adapts.
    Biases,
    /// Context parameters, which are inputs beside the observation and 0 before adaptation (CAVIA, Zintgraf et al. 2019,
    /// arXiv 1810.03642), and the exploration noise if that adapts.
    Context,
    /// Changes of low rank of all weights (LoRA, Hu et al. 2022, arXiv 2106.09685), and the exploration noise if that
    /// adapts.
    LowRank,
}

/// The step of the meta-policy on the experience of an iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outer {
    /// Several steps of Adam on PPO's clipped loss.
    #[default]
    Ppo,
    /// One step in the natural direction to the edge of a trust region (TRPO, Schulman et al. 2015, arXiv 1502.05477).
    Trpo,
    /// One step of Adam along the policy gradient.
    PolicyGradient,
}

/// The figure of the returns after adaptation, over the tasks of an iteration, that is to grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Their mean.
    #[default]
    Mean,
    /// Their mean minus `risk_level` times their variance.
    Variance,
    /// The mean of the worst share `risk_level` of them: the conditional value at risk.
    Cvar,
}

/// The values that advantages are measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineChoice {
    /// Those of [`crate::baseline::LinearBaseline`], fitted to each task's data of each phase.
    #[default]
    Linear,
    /// Those of a network that all tasks share ([`crate::value::Shared`]).
    Network,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
