//! MAML: a meta-policy that adapts to a task in a few gradient steps (Finn et al. 2017, arXiv 1703.03400), with an
//! unclipped surrogate inside and PPO's clipped one outside (ProMP, Rothfuss et al. 2019, arXiv 1810.06784).

use std::{collections::VecDeque, sync::Arc};

use metadrift_random::{Purpose, Stream};

use crate::{
    adam::Adam,
    advantage::Estimator,
    agent::{Adaptive, Agent, even_rates},
    backend::{self, Backend, NoBackend},
    batch::MetaBatch,
    inner_rule::ROWS,
    inputs::Moments,
    learner::{Entry, Ground, Learner, Learns, feedforward},
    memory::{ADVANTAGE, Sizes, Taken},
    params::{POLICY, Params, RATES, RULE},
    report::{Diverged, Report, Stopwatch},
    risk, sampling,
    settings::{Episodes, MamlConfig, PpoConfig, Settings, UpdateRule},
    source::{Demand, Source},
    state::{Misfit, State},
    update_rule,
};

mod outer;
pub(super) mod report;

use report::{Experience, mean, report};

/// The entry of `learner = "maml"`.
pub const ENTRY: Entry = Entry {
    name: "maml",
    about: "A meta-policy that adapts to each task by gradient steps",
    details: "Finn et al. 2017, arXiv 1703.03400. By default the objective of ProMP (Rothfuss et al. 2019, arXiv \
              1810.06784): the likelihood ratio inside, no sampling term, PPO outside. It aims at the gradient of J_inf, the return after a \
              step on endless data, and drops the products between time steps; maml.estimator and maml.sampling_term choose \
              others, which `metadrift estimators` measures.",
    ignores: &[],
    own: None,
    settings: None,
    learns: Learns::Both,
    least_window: 0,
    layout: feedforward,
    demand,
    size,
    memory,
    build,
};

/// Iterations whose returns decide whether training has reached its goal.
const RECENT: usize = 5;

/// The learner: meta-parameters, inner rates and optimiser.
#[derive(Clone, Debug)]
pub struct Maml {
    /// The meta-policy, a learned rule for the inner steps if there is one, and the inner step size of each of the policy's
    /// parameters.
    params: Params,
    /// The optimiser of the learned parameters: all, or those before the rates if these are fixed.
    adam: Adam,
    maml: MamlConfig,
    ppo: PpoConfig,
    estimator: Estimator,
    /// Statistics of the observations, if the policy normalises them.
    pub(super) moments: Option<Moments>,
    backend: Arc<dyn Backend>,
    /// Mean returns after adaptation of the latest iterations, at most [`RECENT`], while training has a goal.
    recent: VecDeque<f64>,
    /// True if it learns from labelled examples: actions are labels, and the losses their likelihoods.
    labelled: bool,
}

impl Learner for Maml {
    /// Runs one meta-iteration:
    ///
    /// ```text
    /// draw tasks; phi_i <- theta for each task i
    /// for each inner step k
    ///     collect support data D_k,i with phi_i
    ///     phi_i <- phi_i - inner_lr * gradient of the inner loss on D_k,i, or a step of a learned rule
    /// collect query data D'_i with phi_i and, for comparison, the returns of theta on the same ticks
    /// theta <- step down the loss of phi_i on D'_i, or several, phi_i adapted anew from theta in each of them,
    ///          through the graph
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let steps_before = source.env_steps();
        let mut agent = self.adaptive();
        agent.begin(source.begin(iteration));
        let unadapted = agent.clone();
        let mut seen = self.moments.clone();
        let mut supports = Vec::new();
        for k in 0..self.maml.inner_steps {
            let support = Experience::new(source.collect(k, agent.policies())?, &agent, &mut seen, &mut watch);
            agent.step(&support.batches)?;
            watch.lap("time/adapt_s");
            supports.push(support);
        }
        let last = self.maml.inner_steps;
        let query = Experience::new(source.collect(last, agent.policies())?, &agent, &mut seen, &mut watch);
        let control = match last {
            0 => None,
            _ => source.compare(last, unadapted.policies())?.map(|rollout| mean(&rollout.returns())),
        };
        if control.is_some() {
            watch.lap("time/control_s");
        }
        let before = supports.first().unwrap_or(&query).summary;
        let after = query.summary;
        let credit = sampling::credit(self.maml.sampling_term, &query.batches, &query.returns);
        let weight = risk::weights(self.maml.risk, self.maml.risk_level, &query.returns);
        let supports = supports.into_iter().map(|support| support.batches).collect();
        let data = MetaBatch { supports, query: query.batches, credit, weight };
        let learned = self.update(&data)?;
        self.moments = seen;
        watch.lap("time/update_s");
        self.remember(after.mean_return);
        let timing = watch.timing(source.env_steps() - steps_before);
        Ok(report(before, after, control, (source.env_steps(), data.query.len()), learned, timing))
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(self.adaptive())
    }

    fn goal(&self) -> Option<f64> {
        self.maml.stop_at_return
    }

    fn solved(&self) -> bool {
        let mean = self.recent.iter().sum::<f64>() / RECENT as f64;
        self.recent.len() == RECENT && self.goal().is_some_and(|goal| mean >= goal)
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.outer_lr *= factor;
        // the length of a step in a trust region grows with the root of the divergence
        self.maml.max_kl *= factor * factor;
    }

    fn save(&self, state: &mut State) {
        if self.maml.stop_at_return.is_some() {
            state.set("recent_post", &self.recent);
        }
        self.params.parts().for_each(|(name, values)| state.put(name, values));
        self.adam.save(state, "adam");
        if let Some(moments) = &self.moments {
            moments.save(state);
        }
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let mut params = self.params.clone();
        for (name, values) in self.params.parts() {
            params.values_mut()[self.params.range(name)].copy_from_slice(&state.tensor(name, values.len())?);
        }
        let adam = Adam::load(state, "adam", self.adam.m.len())?;
        let moments = self.moments.as_ref().map(|moments| moments.loaded(state)).transpose()?;
        if self.maml.stop_at_return.is_some() {
            self.recent = state.value("recent_post")?;
        }
        (self.adam, self.params, self.moments) = (adam, params, moments);
        Ok(())
    }
}

impl Maml {
    /// The learner at the start of a run with these settings.
    ///
    /// # Errors
    /// If the backend is not available.
    pub(super) fn of(settings: &Settings, ground: Ground) -> Result<Self, NoBackend> {
        let Ground { layout, device, backend, threads, .. } = ground;
        let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
        let (log_std, maml) = label_log_std(settings);
        let theta = layout.initial(settings.policy.init, log_std, &mut rng);
        let moments = settings.policy.moments(&layout);
        let backend = backend::open(backend, layout, device, settings.maml.tasks_per_chunk, threads)?;
        let labelled = settings.examples.is_some();
        let rule = maml.update_rule;
        let learner = Maml { labelled, moments, ..Maml::new(maml, settings.ppo.clone(), backend, theta, threads) };
        Ok(match rule {
            UpdateRule::Gradient => learner,
            UpdateRule::Learned => learner.with_rule(update_rule::initial(&mut rng)),
        })
    }

    /// A learner at `meta_params`, with every inner rate at `inner_lr`, whose inner steps are gradient steps.
    ///
    /// # Panics
    /// If there is another number of parameters.
    pub fn new(
        maml: MamlConfig,
        ppo: PpoConfig,
        backend: Arc<dyn Backend>,
        meta_params: Vec<f32>,
        threads: usize,
    ) -> Self {
        let layout = backend.layout();
        assert_eq!(meta_params.len(), layout.num_params(), "parameter vector and layout differ");
        let rates = even_rates(layout, &maml);
        let params = Params::new([(POLICY, meta_params), (RATES, rates)]);
        let learned = if maml.learns_rates() { params.values().len() } else { params.part(POLICY).len() };
        let estimator = Estimator::new(&ppo, threads);
        Maml {
            params,
            adam: Adam::new(learned),
            maml,
            ppo,
            estimator,
            moments: None,
            backend,
            recent: VecDeque::new(),
            labelled: false,
        }
    }

    /// Takes down the mean return of an iteration after adaptation, if training has a goal.
    pub(super) fn remember(&mut self, mean_return: f64) {
        if self.maml.stop_at_return.is_some() {
            self.recent.push_back(mean_return);
            self.recent.drain(..self.recent.len().saturating_sub(RECENT));
        }
    }

    /// Number of gradient steps of an adaptation.
    pub(super) fn inner_steps(&self) -> usize {
        self.maml.inner_steps
    }

    /// The same learner at its start, whose inner steps are those of the learned rule of `weights`
    /// `[update_rule::WEIGHTS]`.
    pub fn with_rule(self, weights: Vec<f32>) -> Self {
        let [policy, rates] = [POLICY, RATES].map(|name| self.params.part(name).to_vec());
        let adam = Adam::new(self.adam.m.len() + weights.len());
        Maml { params: Params::new([(POLICY, policy), (RULE, weights), (RATES, rates)]), adam, ..self }
    }

    /// The meta-policy, its inner rates, and a learned rule if there is one.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The optimiser.
    pub fn adam(&self) -> &Adam {
        &self.adam
    }

    /// The meta-policy as it is deployed, without tasks.
    pub fn adaptive(&self) -> Adaptive {
        let at = self.params.point();
        let (backend, start, rates) = (self.backend.clone(), at.policy.to_vec(), at.rates.to_vec());
        let agent = Adaptive::new(backend, self.inner_loss(), self.estimator, start, rates);
        agent.with_rule(at.rule.to_vec()).normalizing(self.moments.as_ref().and_then(Moments::normalizer))
    }
}

/// The log standard deviation at which the likelihood of a label is minus the squared error, but for a constant: the root
/// of 1/2.
const SQUARED_ERROR: f32 = -0.346_573_6;

/// The first log standard deviation, and settings with which it stays for labels.
pub(super) fn label_log_std(settings: &Settings) -> (f32, MamlConfig) {
    match settings.examples {
        Some(_) => (SQUARED_ERROR, MamlConfig { adapt_log_std: false, ..settings.maml.clone() }),
        None => (settings.policy.init_log_std, settings.maml.clone()),
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    Ok(Box::new(Maml::of(settings, ground)?))
}

/// The demand: every task has a phase for each inner step and one after the last. A phase is as long as a lane can use.
pub(super) fn demand(settings: &Settings) -> Demand {
    let rollout = &settings.rollout;
    if let Some(shots) = settings.examples {
        return Demand::Examples { tasks: rollout.num_tasks, shots, phases: settings.maml.inner_steps + 1 };
    }
    let asked = rollout.num_steps;
    let episodes = settings.episodes();
    let steps = match episodes {
        Episodes::Count(_) if asked == 0 => settings.whole_episodes(),
        Episodes::Count(_) => asked.min(settings.whole_episodes()),
        Episodes::Endless if asked == 0 => settings.horizon as usize,
        Episodes::Endless => asked,
    };
    let phases = settings.maml.inner_steps + 1;
    Demand::Tasks { tasks: rollout.num_tasks, lanes: rollout.num_envs, steps, episodes, phases }
}

pub(super) fn size(settings: &Settings) -> String {
    let steps = settings.maml.inner_steps;
    let plural = if steps == 1 { "" } else { "s" };
    let rollout = &settings.rollout;
    let each = match settings.examples {
        Some(shots) => format!("{} examples", shots.support),
        None => format!("{} lanes", rollout.num_envs),
    };
    format!("{} tasks x {each}, {steps} inner step{plural}", rollout.num_tasks)
}

pub(super) fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let tasks = settings.rollout.num_tasks as u128;
    let per_task = match settings.examples {
        Some(shots) => shots.support.max(shots.query) as u128,
        None => settings.rollout.num_envs as u128 * demand(settings).steps() as u128,
    };
    let inner = settings.maml.inner_steps as u128;
    let sample = sizes.hidden + sizes.sample;
    let kept = if sizes.graph {
        // activations of every pass through the graph, which the second derivative doubles
        let at_once = settings.maml.tasks_per_chunk.max(1) as u128;
        let chunk = if sizes.on_gpu { 0 } else { at_once.min(tasks) };
        9 * (inner + 1) * chunk * sample
    } else {
        2 * inner * sample // values and derivatives, for the Hessian
    };
    // the native backend has its own copy of every sample
    let copies = 2 * (inner + 1) * tasks * per_task * sizes.sample;
    let in_hand = sizes.threads.min(tasks) * per_task * kept.max(ADVANTAGE);
    // the memory of a learned rule: that of every task, and those that a meta-gradient passes; or its gates in a graph
    let remembered = match settings.maml.update_rule {
        UpdateRule::Gradient => 0,
        UpdateRule::Learned if sizes.graph => 500 * inner * settings.maml.tasks_per_chunk.max(1) as u128,
        UpdateRule::Learned => ROWS as u128 * (tasks + (inner + 2) * sizes.threads.min(tasks)),
    };
    Taken {
        data: copies + in_hand,
        networks: sizes.networks(sizes.params, tasks) + sizes.params * remembered,
        keys: "rollout.num_tasks, rollout.num_envs, rollout.num_steps, maml.inner_steps or policy.hidden",
    }
}
