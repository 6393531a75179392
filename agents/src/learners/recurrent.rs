//! The learner behind [`rl2`](super::rl2) and [`distill`](super::distill): a recurrent policy, trained on whole lives. Its
//! memory begins with a life and goes on from episode to episode; it sees the action, the reward and the end of an episode
//! before each step, so that it can tell what world it is in.

use metadrift_random::{Purpose, Stream};

use crate::{
    adam::Adam,
    agent::{Agent, Remembering},
    backend::{self, LifeProblem, NoBackend},
    batch::Lives,
    init::Init,
    keys::{Section, own},
    layout::{Head, Layout},
    learner::{Ground, Learner},
    memory::{Sizes, Taken},
    objective::{ClippedLoss, LifeObjective, LifePolicy, LifeStats, clip_norm},
    report::{Diverged, Metrics, Report, Stopwatch},
    settings::{Plan, PpoConfig, Settings},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
};

mod config;
mod experience;
mod guard;

pub use config::RecurrentConfig;
pub(super) use experience::returns;
use experience::{Experience, Scale};
use guard::Guard;

/// Settings of the common sections that it does not read.
pub(super) const IGNORES: &[&str] = &[
    "rollout.num_tasks",
    "rollout.num_envs",
    "policy.hidden",
    "policy.activation",
    "policy.init",
    "policy.log_std",
    "policy.normalize_obs",
    "maml.*",
    "ppo.kl_coef",
];

/// Its own section.
pub(super) const OWN: Section = Section::of::<RecurrentConfig>();

/// The learner.
pub struct Recurrent {
    layout: Layout,
    /// `[num_params]`
    params: Vec<f32>,
    adam: Adam,
    /// Unit of the value network's answers, known after the first iteration.
    scale: Scale,
    guard: Guard,
    config: RecurrentConfig,
    ppo: PpoConfig,
    seed: u64,
    plan: Plan,
    /// Number of first iterations that imitate the teacher.
    imitate: u64,
    gradients: Box<dyn LifeProblem>,
    threads: usize,
}

impl Learner for Recurrent {
    /// One iteration:
    ///
    /// ```text
    /// lives <- every lane lives through a task of its own from the beginning, the memory from 0
    /// where much of what was learned is lost: params <- the best policy so far, the rate halved for a while; nothing else
    /// advantages: a fall ends the return, a time limit does not, for life goes on
    /// for each epoch
    ///     for each minibatch of lives
    ///         the memories are computed anew from the beginning of the lives
    ///         params <- Adam step along the gradient of the policy's loss and of the value's error; the former is
    ///                   PPO's clipped loss, or minus the log-likelihood of the teacher's actions
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let done = self.plan.done(iteration, source.env_steps());
        source.begin(iteration);
        let params = std::slice::from_ref(&self.params);
        let rollout = source.collect(0, Policies { layout: &self.layout, params })?;
        watch.lap("time/rollout_s");
        let steps = rollout.num_valid();
        let mut scale = self.scale;
        let imitates = u64::from(iteration) < self.imitate;
        let mut experience = Experience::new(rollout, &self.layout, &self.params, &self.ppo, &mut scale, self.threads);
        if imitates {
            experience.imitate(rollout);
        }
        watch.lap("time/advantage_s");
        let collapsed = if imitates {
            self.guard.begin(experience.returns.mean);
            None
        } else {
            self.guard.watch(&experience.returns, &self.params, &self.adam)
        };
        let learned = match collapsed {
            Some((params, adam)) => {
                (self.params, self.adam) = (params, adam);
                LEARNED.map(|name| (name, f64::NAN)).into()
            }
            None => self.update(&experience.groups, (iteration, done), self.objective(imitates))?,
        };
        watch.lap("time/update_s");
        self.scale = scale;
        let Experience { returns, informative, .. } = experience;
        let mut metrics = returns.metrics(source.env_steps());
        metrics.extend(learned);
        metrics.push(("collapses", f64::from(self.guard.returns())));
        Ok(Report {
            metrics,
            timing: watch.timing(steps),
            return_post: returns.mean,
            return_unadapted: None,
            informative,
        })
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(Remembering::new(self.layout.clone(), self.params.clone()))
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.outer_lr *= factor;
    }

    fn save(&self, state: &mut State) {
        state.put("params", &self.params);
        self.adam.save(state, "adam");
        state.set("value_scale", self.scale.0);
        self.guard.save(state);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let params = state.tensor("params", self.params.len())?;
        let adam = Adam::load(state, "adam", self.params.len())?;
        let guard = self.guard.loaded(state, self.params.len())?;
        self.scale = Scale(state.value("value_scale")?);
        (self.params, self.adam, self.guard) = (params, adam, guard);
        Ok(())
    }
}

impl Recurrent {
    /// All epochs on the lives of `groups`, when the share `done` of the run is over; the learner is as it was if a number
    /// is not finite.
    fn update(
        &mut self,
        groups: &[Lives],
        (iteration, done): (u32, f64),
        objective: LifeObjective,
    ) -> Result<Metrics, Diverged> {
        self.gradients.prepare(groups, self.config.stretch);
        let left = if self.config.anneal { 1.0 - done } else { 1.0 };
        let lr = self.ppo.outer_lr * left * self.guard.rate();
        let per_minibatch = groups.len().div_ceil(self.config.minibatches);
        let shuffle = Stream::new(self.seed, Purpose::Shuffle).iteration(iteration);
        let mut params = self.params.clone();
        let mut adam = self.adam.clone();
        let mut sums = [0.0; 6];
        let mut steps = 0.0;
        for epoch in 0..self.ppo.outer_epochs {
            let order = shuffle.task(epoch as u32).permutation(groups.len() as u32);
            for minibatch in order.chunks(per_minibatch) {
                crate::stop::check();
                let (mut gradient, stats) = self.gradients.gradient(&params, minibatch, &objective);
                let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
                let place = || format!("epoch {epoch}");
                let losses = [stats.policy_loss as f32, stats.value_loss as f32, norm as f32];
                Diverged::check(&losses, "a loss or its gradient", place).map_err(|error| error.advising(LOWER))?;
                adam.step_with(&mut params, &gradient, lr, Adam::MINIBATCH_EPSILON);
                let LifeStats { policy_loss, value_loss, entropy, clip_fraction, approx_kl } = stats;
                let seen = [policy_loss, value_loss, entropy, approx_kl, clip_fraction, norm];
                sums.iter_mut().zip(seen).for_each(|(sum, x)| *sum += x);
                steps += 1.0;
            }
        }
        Diverged::check(&params, "a parameter", || "after the update".into()).map_err(|e| e.advising(LOWER))?;
        (self.params, self.adam) = (params, adam);
        Ok(LEARNED.into_iter().zip(sums).map(|(name, sum)| (name, sum / steps)).collect())
    }

    fn objective(&self, imitates: bool) -> LifeObjective {
        let PpoConfig { clip_eps, ent_coef, .. } = self.ppo;
        let policy =
            if imitates { LifePolicy::Likelihood } else { LifePolicy::Clipped(ClippedLoss { clip_eps, ent_coef }) };
        LifeObjective { policy, value_coef: self.config.value_coef }
    }
}

/// Names of the means over the gradient steps of an update.
const LEARNED: [&str; 6] = ["loss/policy", "loss/value", "entropy", "approx_kl", "clip_fraction", "grad_norm"];

/// Settings of which smaller values keep numbers finite.
const LOWER: &str = "ppo.outer_lr";

pub(super) fn layout(settings: &Settings, obs_dim: usize, head: Head) -> Layout {
    let config: RecurrentConfig = own(&settings.own);
    Layout::recurrent(obs_dim, config.embedding, config.hidden, head)
}

/// The lives that it asks for; `imitate` iterations need a teacher.
pub(super) fn demand(settings: &Settings, imitate: u64) -> Demand {
    let config: RecurrentConfig = own(&settings.own);
    lives(settings, config.lanes, imitate)
}

/// Lives in `lanes` lanes, `taught` iterations of them with a teacher.
pub(super) fn lives(settings: &Settings, lanes: usize, taught: u64) -> Demand {
    let asked = settings.rollout.num_steps;
    // as long as CartPole's episodes, or two episodes where these are shorter
    let usual = (2 * settings.horizon as usize).clamp(1, 500.max(settings.horizon as usize));
    Demand::Lives { lanes, steps: if asked == 0 { usual } else { asked }, taught }
}

/// Its size in a few words.
pub(super) fn size(settings: &Settings) -> String {
    let config: RecurrentConfig = own(&settings.own);
    format!("{} lives of {} steps, memory {}", config.lanes, demand(settings, 0).steps(), config.hidden)
}

pub(super) fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let config: RecurrentConfig = own(&settings.own);
    let samples = (config.lanes * demand(settings, 0).steps()) as u128;
    // inputs twice, action, log-probability, advantage, target
    let copies = samples * (2 * 4 * (sizes.obs_dim as u128 + 8) + 4 * sizes.sample);
    let kept = 4 * (2 * config.embedding + 14 * config.hidden) as u128;
    let in_hand = match (sizes.graph, sizes.on_gpu) {
        (true, true) => 0,
        // a minibatch has whole groups of lanes
        (true, false) => {
            let groups = config.lanes.div_ceil(32).div_ceil(config.minibatches);
            (groups * 32 * demand(settings, 0).steps()) as u128 * kept
        }
        _ => sizes.threads * 32 * config.stretch as u128 * kept,
    };
    Taken {
        data: copies + in_hand,
        networks: sizes.networks(sizes.params, 1),
        keys: "recurrent.lanes, rollout.num_steps, recurrent.hidden or recurrent.embedding",
    }
}

/// The learner at its beginning, of which `imitate` first iterations imitate the teacher.
pub(super) fn build(settings: &Settings, ground: Ground, imitate: u64) -> Result<Box<dyn Learner>, NoBackend> {
    let config: RecurrentConfig = own(&settings.own);
    let Ground { layout, device, backend, threads, .. } = ground;
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let params = Init::Normal.draw(&layout, settings.policy.init_log_std, &mut rng);
    Ok(Box::new(Recurrent {
        adam: Adam::new(params.len()),
        params,
        scale: Scale(None),
        guard: Guard::new(config.collapse),
        gradients: backend::open(backend, layout.clone(), device, 0, threads)?.lives(),
        layout,
        config,
        ppo: settings.ppo.clone(),
        seed: settings.seed,
        plan: settings.plan(),
        imitate,
        threads,
    }))
}
