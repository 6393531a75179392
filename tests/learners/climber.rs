//! A learner of another crate: it climbs by random changes of the policy, and keeps the best one.

use std::sync::Arc;

use metadrift_agents::{
    advantage::Estimator,
    agent::{Adaptive, Agent, even_rates},
    backend::{self, Backend, NoBackend},
    keys::{Absent, Key, NOT_NEGATIVE, NUMBER, OwnConfig, Section, key, own},
    learner::{Entry, Ground, Learner, Learns, any, feedforward},
    memory::{Sizes, Taken},
    objective::InnerLoss,
    ranges::{OutOfRange, Range, check_in},
    report::{Diverged, Report, Stopwatch},
    settings::{MamlConfig, Settings},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
};
use metadrift_envs::{Purpose, Stream};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// The section `[climber]`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClimberConfig {
    /// Standard deviation of a change.
    sigma: f64,
    /// Iteration from which on it acts at random; from the tenth one on it keeps its best policy. 0 for never.
    falls: u32,
}

impl Default for ClimberConfig {
    fn default() -> Self {
        ClimberConfig { sigma: 0.5, falls: 0 }
    }
}

impl OwnConfig for ClimberConfig {
    const SECTION: &'static str = "climber";
    const KEYS: &'static [Key] = &[
        key("climber.sigma", NUMBER, Absent::Is("0.5"), NOT_NEGATIVE, "", "Standard deviation of a change"),
        key(
            "climber.falls",
            NUMBER,
            Absent::Is("0"),
            NOT_NEGATIVE,
            "",
            "Iteration from which on it fails; 0 for never",
        ),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        check_in("climber.sigma", self.sigma, self.sigma, Range::NotNegative)
    }
}

pub const CLIMBER: Entry = Entry {
    name: "climber",
    about: "Random changes to one policy, kept if they help",
    details: "",
    ignores: &[
        "rollout.num_steps",
        "policy.init_log_std",
        "maml.*",
        "!maml.inner_lr",
        "!maml.adapts",
        "!maml.adapts_size",
        "ppo.*",
        "!ppo.gamma",
        "!ppo.gae_lambda",
    ],
    own: Some(Section::of::<ClimberConfig>()),
    settings: None,
    learns: Learns::Episodes,
    check: any,
    layout: feedforward,
    demand,
    size: |settings| format!("a climber on {} tasks", settings.rollout.num_tasks),
    memory: |_, sizes: &Sizes| Taken { data: 0, networks: sizes.networks(sizes.params, 1), keys: "policy.hidden" },
    build,
};

fn demand(settings: &Settings) -> Demand {
    let rollout = &settings.rollout;
    let tasks = rollout.num_tasks;
    let lanes = rollout.num_envs;
    let steps = settings.whole_episodes();
    Demand::Tasks { tasks, lanes, steps, episodes: settings.episodes(), phases: 1, whole: true }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let Ground { layout, device, backend, threads, .. } = ground;
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let best = settings.policy.init.draw(&layout, 0.0, &mut rng);
    let backend = backend::open(backend, layout, device, 0, threads)?;
    let estimator = Estimator::new(&settings.ppo, threads);
    let config: ClimberConfig = own(&settings.own);
    let (seed, maml) = (settings.seed, settings.maml.clone());
    Ok(Box::new(Climber { best, score: None, config, seed, maml, backend, estimator }))
}

struct Climber {
    best: Vec<f32>,
    score: Option<f64>,
    config: ClimberConfig,
    seed: u64,
    maml: MamlConfig,
    backend: Arc<dyn Backend>,
    estimator: Estimator,
}

impl Learner for Climber {
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let watch = Stopwatch::start();
        let mut rng = Stream::new(self.seed, Purpose::Shuffle).iteration(iteration).rng();
        let mut change = || -> f32 { StandardNormal.sample(&mut rng) };
        let tried: Vec<f32> = self.best.iter().map(|p| p + self.config.sigma as f32 * change()).collect();
        let tried: Vec<f32> = match self.config.falls {
            0 => tried,
            falls if iteration >= falls => vec![0.0; tried.len()],
            _ if iteration >= 10 => self.best.clone(),
            _ => tried,
        };
        let params = vec![tried.clone(); source.begin(iteration)];
        let rollout = source.collect(0, Policies { layout: self.backend.layout(), params: &params })?;
        let returns = rollout.returns();
        let score = returns.iter().sum::<f64>() / returns.len() as f64;
        if self.score.is_none_or(|best| score > best) {
            (self.best, self.score) = (tried, Some(score));
        }
        let metrics = vec![("return", score), ("return/best", self.score.unwrap_or(score))];
        let timing = watch.timing(rollout.num_valid());
        Ok(Report { metrics, timing, return_post: score, return_unadapted: None, informative: true })
    }

    fn agent(&self) -> Box<dyn Agent> {
        let rates = even_rates(self.backend.layout(), &self.maml);
        Box::new(Adaptive::new(self.backend.clone(), InnerLoss::LVC, self.estimator, self.best.clone(), rates))
    }

    fn scale_steps(&mut self, factor: f64) {
        self.config.sigma *= factor;
    }

    fn save(&self, state: &mut State) {
        state.put("best", &self.best);
        state.set("score", self.score);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let score = state.value("score")?;
        self.best = state.tensor("best", self.best.len())?;
        self.score = score;
        Ok(())
    }
}
