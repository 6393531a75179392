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
    inputs::Moments,
    learner::{Entry, Ground, Learner, Learns, any, feedforward},
    params::{POLICY, Params, RATES, RULE},
    report::{Diverged, Metrics, Report, Stopwatch},
    risk, sampling,
    settings::{MamlConfig, PpoConfig, Settings, UpdateRule},
    source::Source,
    state::{Misfit, State},
    update_rule,
    value::Baseline,
};

mod demand;
mod outer;
pub(super) mod report;

pub(super) use demand::{demand, memory, size};
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
    check: any,
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
    /// The values that advantages are measured from.
    pub(super) baseline: Baseline,
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
    /// a value network, if there is one, learns from the data of all phases
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
        let learned = self.learn(&data, iteration)?;
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
        self.baseline.scale_steps(factor);
    }

    fn save(&self, state: &mut State) {
        if self.maml.stop_at_return.is_some() {
            state.set("recent_post", &self.recent);
        }
        self.params.parts().for_each(|(name, values)| state.put(name, values));
        self.adam.save(state, "adam");
        self.baseline.save(state);
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
        let baseline = self.baseline.loaded(state)?;
        if self.maml.stop_at_return.is_some() {
            self.recent = state.value("recent_post")?;
        }
        (self.adam, self.params, self.moments, self.baseline) = (adam, params, moments, baseline);
        Ok(())
    }
}

impl Maml {
    /// The learner at the start of a run with these settings.
    ///
    /// # Errors
    /// If the backend is not available.
    pub(super) fn of(settings: &Settings, ground: Ground) -> Result<Self, NoBackend> {
        let baseline = Baseline::of(settings, &ground)?;
        let Ground { layout, device, backend, threads, .. } = ground;
        let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
        let (log_std, maml) = label_log_std(settings);
        let theta = settings.policy.init.draw(&layout, log_std, &mut rng);
        let moments = settings.policy.moments(&layout);
        let backend = backend::open(backend, layout, device, settings.maml.tasks_per_chunk, threads)?;
        let labelled = settings.examples.is_some();
        let rule = maml.update_rule;
        let learner =
            Maml { labelled, moments, baseline, ..Maml::new(maml, settings.ppo.clone(), backend, theta, threads) };
        Ok(match rule {
            UpdateRule::Gradient => learner,
            UpdateRule::Learned => learner.with_rule(update_rule::initial(&mut rng)),
        })
    }

    /// A learner at `meta_params`, with every inner rate at `inner_lr`, whose inner steps are gradient steps and whose
    /// baseline is linear.
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
            baseline: Baseline::Linear,
            backend,
            recent: VecDeque::new(),
            labelled: false,
        }
    }

    /// Takes the outer step on the data of an iteration, and lets the baseline learn from them; gives the metrics of both.
    fn learn(&mut self, data: &MetaBatch, iteration: u32) -> Result<Metrics, Diverged> {
        let mut baseline = self.baseline.clone();
        let of_values = baseline.learn(data.batches(), iteration)?;
        let mut metrics = self.update(data)?;
        self.baseline = baseline;
        metrics.extend(of_values);
        Ok(metrics)
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
        let inputs = self.moments.as_ref().and_then(Moments::normalizer);
        let agent = Adaptive::new(backend, self.inner_loss(), self.estimator, start, rates);
        agent
            .with_rule(at.rule.to_vec())
            .valuing(self.baseline.values(inputs.clone()), self.inner_steps())
            .normalizing(inputs)
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
