//! The legal range of every number outside `[task]`. Counts name random streams, which end at 2^24.

use metadrift_agents::{
    layout::LOG_STD,
    ranges::{OutOfRange, Range, check, check_in, check_widths},
    settings::{LogStd, SamplingTerm},
};
use metadrift_envs::rng::MAX_INDEX;

use super::Config;

/// Largest number of tasks or lanes.
pub const MAX_WIDTH: u64 = 100_000;
/// Largest number of steps of a lane in one phase.
pub const MAX_STEPS: u64 = 1_000_000;

impl Config {
    /// Checks every number outside `[task]` against its legal range.
    pub(super) fn check_ranges(&self) -> Result<(), OutOfRange> {
        use Range::{Between, Discount, NotNegative, Positive, Share, Whole};
        let (r, p) = (&self.rollout, &self.ppo);
        check_in("iterations", self.iterations, self.iterations as f64, Whole(1, u64::from(MAX_INDEX)))?;
        check_in("rollout.num_tasks", r.num_tasks, r.num_tasks as f64, Whole(1, MAX_WIDTH))?;
        check_in("rollout.num_envs", r.num_envs, r.num_envs as f64, Whole(1, MAX_WIDTH))?;
        check_in("rollout.num_steps", r.num_steps, r.num_steps as f64, Whole(0, MAX_STEPS))?;
        let episodes = r.episodes_per_env;
        check_in("rollout.episodes_per_env", episodes, episodes.into(), Whole(0, MAX_STEPS))?;
        let log_std = self.policy.init_log_std;
        check_in("policy.init_log_std", log_std, log_std.into(), Between(-10.0, 3.0))?;
        let free = self.policy.log_std == LogStd::Free || (LOG_STD[0]..=LOG_STD[1]).contains(&log_std.into());
        check("policy.init_log_std", log_std, free, "-5 to 2 with policy.log_std = \"state\"")?;
        check("policy.window", self.policy.window, self.policy.window <= 64, "0 to 64")?;
        self.maml.check()?;
        self.maml.check_outer(p)?;
        let others = self.maml.sampling_term != SamplingTerm::LeaveOneOut || r.num_tasks > 1;
        check("rollout.num_tasks", r.num_tasks, others, "at least 2 with maml.sampling_term = \"leave-one-out\"")?;
        check_in("ppo.outer_lr", p.outer_lr, p.outer_lr, NotNegative)?;
        check_in("ppo.outer_epochs", p.outer_epochs, p.outer_epochs as f64, Whole(1, 1000))?;
        check_in("ppo.clip_eps", p.clip_eps, p.clip_eps, Share)?;
        check_in("ppo.kl_coef", p.kl_coef, p.kl_coef, NotNegative)?;
        check_in("ppo.ent_coef", p.ent_coef, p.ent_coef, NotNegative)?;
        check_in("ppo.max_grad_norm", p.max_grad_norm, p.max_grad_norm, Positive)?;
        check_in("ppo.gamma", p.gamma, p.gamma, Discount)?;
        check_in("ppo.gae_lambda", p.gae_lambda, p.gae_lambda, Between(0.0, 1.0))?;
        let keep = self.checkpoint.keep;
        check_in("checkpoint.every", self.checkpoint.every, self.checkpoint.every as f64, Whole(1, u64::MAX))?;
        check_in("checkpoint.keep", keep, keep as f64, Whole(1, u64::MAX))?;
        check_in("checkpoint.tries", self.checkpoint.tries, self.checkpoint.tries as f64, Whole(0, 30))?;
        check_widths("policy.hidden", &self.policy.hidden)
    }

    /// Checks that a folder can have the configuration's name.
    pub(super) fn check_name(&self) -> Result<(), OutOfRange> {
        let name_ok = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &self.name;
        let legal = !name.is_empty() && !name.starts_with('.') && name.chars().all(name_ok) && name != "tb";
        check("name", name, legal, "letters, digits, `-`, `_` and `.`, not starting with `.`, and not `tb`")
    }
}
