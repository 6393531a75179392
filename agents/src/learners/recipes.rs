//! Published methods that are settings of `learner = "maml"`: they differ in the objective, not in the loop.

/// A method by its settings.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Name, as in `--learner NAME`.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// Source of the method.
    pub paper: &'static str,
    /// Its settings, `KEY=VALUE`. All others are the preset's.
    pub sets: &'static [&'static str],
}

/// Settings of `[ppo]` that a step of TRPO does not read, at their defaults.
const TRUST_REGION: &[&str] = &[
    "maml.estimator=score",
    "maml.outer=trpo",
    "ppo.outer_lr=1e-3",
    "ppo.outer_epochs=5",
    "ppo.clip_eps=0.2",
    "ppo.kl_coef=5e-4",
    "ppo.max_grad_norm=0.5",
];

/// The recipes.
pub const ALL: &[Recipe] = &[
    Recipe {
        name: "promp",
        about: "Likelihood ratio inside, PPO with a KL penalty outside: the default of `maml`",
        paper: "Rothfuss et al. 2019, arXiv 1810.06784",
        sets: &["maml.estimator=lvc", "maml.outer=ppo"],
    },
    Recipe {
        name: "maml-ppo",
        about: "Score function inside, PPO outside",
        paper: "Finn et al. 2017, arXiv 1703.03400, with the outer loss of Schulman et al. 2017, arXiv 1707.06347",
        sets: &["maml.estimator=score", "maml.outer=ppo"],
    },
    Recipe {
        name: "trpo-maml",
        about: "Score function inside, a trust region outside: the first MAML for reinforcement learning",
        paper: "Finn et al. 2017, arXiv 1703.03400",
        sets: TRUST_REGION,
    },
    Recipe {
        name: "vpg-maml",
        about: "Score function inside, one step along the policy gradient outside",
        paper: "Finn et al. 2017, arXiv 1703.03400",
        sets: &["maml.estimator=score", "maml.outer=policy-gradient", "ppo.outer_epochs=1", "ppo.clip_eps=0.2"],
    },
    Recipe {
        name: "e-maml",
        about: "Score function inside, credit for what adaptation saw, PPO outside",
        paper: "Stadie et al. 2018, arXiv 1803.01118",
        sets: &["maml.estimator=score", "maml.sampling_term=leave-one-out", "maml.outer=ppo"],
    },
    Recipe {
        name: "dice-maml",
        about: "DiCE inside, PPO outside",
        paper: "Foerster et al. 2018, arXiv 1802.05098",
        sets: &["maml.estimator=dice", "maml.outer=ppo"],
    },
    Recipe {
        name: "fomaml",
        about: "No second derivatives",
        paper: "Finn et al. 2017, arXiv 1703.03400, section 5.2",
        sets: &["maml.first_order=true", "maml.outer=ppo"],
    },
    Recipe {
        name: "meta-sgd",
        about: "A learned step size for each parameter",
        paper: "Li et al. 2017, arXiv 1707.09835",
        sets: &["maml.learn_inner_lr=true", "maml.outer=ppo"],
    },
    Recipe {
        name: "learned-step",
        about: "A learned rule takes the inner steps: two small recurrent units, shared by all parameters",
        paper: "Shape of Lan et al. 2023, arXiv 2302.01470, inside Finn et al. 2017, arXiv 1703.03400",
        sets: &["maml.update_rule=learned", "maml.outer=ppo"],
    },
    Recipe {
        name: "anil",
        about: "Only the last layer adapts",
        paper: "Raghu et al. 2020, arXiv 1909.09157",
        sets: &["maml.adapts=head", "maml.outer=ppo"],
    },
    Recipe {
        name: "cavia",
        about: "Only context parameters adapt, inputs beside the observation that are 0 before",
        paper: "Zintgraf et al. 2019, arXiv 1810.03642",
        sets: &["maml.adapts=context", "maml.outer=ppo"],
    },
    Recipe {
        name: "cvar-maml",
        about: "The mean return of the worst fifth of the tasks grows",
        paper: "Wang et al. 2023, arXiv 2310.00708",
        sets: &["maml.risk=cvar", "maml.risk_level=0.2", "maml.outer=ppo"],
    },
];

/// The recipe of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Recipe> {
    ALL.iter().find(|recipe| recipe.name == name)
}
