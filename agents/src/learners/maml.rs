//! MAML-PPO: a meta-policy that adapts to a task in a few gradient steps (Finn et al. 2017, arXiv 1703.03400), with an
//! unclipped surrogate inside and PPO's clipped one outside (ProMP, Rothfuss et al. 2019, arXiv 1810.06784).

use std::sync::Arc;

use metadrift_random::{Purpose, Stream};

use crate::{
    adam::Adam,
    advantage::{Estimate, Estimator},
    agent::{Adaptive, Agent, even_rates},
    backend::{self, Backend, NoBackend},
    batch::{Batch, MetaBatch},
    learner::{Entry, Ground, Learner, feedforward},
    memory::{ADVANTAGE, Sizes, Taken},
    objective::{ClippedLoss, Objective, ObjectiveStats, clip_norm},
    params::{POLICY, Params, RATES},
    report::{Diverged, Metrics, Report, Stopwatch},
    rollout::Rollout,
    sampling,
    settings::{Episodes, MamlConfig, PpoConfig, Settings},
    source::{Demand, Source},
    state::{Misfit, State},
};

/// The entry of `learner = "maml"`.
pub const ENTRY: Entry = Entry {
    name: "maml",
    about: "A meta-policy that adapts to each task by gradient steps",
    ignores: &[],
    own: None,
    settings: None,
    least_window: 0,
    layout: feedforward,
    demand,
    size,
    memory,
    build,
};

/// The learner: meta-parameters, inner rates and optimiser.
#[derive(Clone, Debug)]
pub struct Maml {
    /// The meta-policy and the inner step size of each of its parameters, `[2 num_params]`.
    params: Params,
    /// The optimiser of the learned parameters: all, or the meta-policy's alone if the rates are fixed.
    adam: Adam,
    maml: MamlConfig,
    ppo: PpoConfig,
    estimator: Estimator,
    backend: Arc<dyn Backend>,
}

impl Learner for Maml {
    /// Runs one meta-iteration:
    ///
    /// ```text
    /// draw tasks; phi_i <- theta for each task i
    /// for each inner step k
    ///     collect support data D_k,i with phi_i
    ///     phi_i <- phi_i - inner_lr * gradient of the inner loss on D_k,i
    /// collect query data D'_i with phi_i and, for comparison, the returns of theta on the same ticks
    /// theta <- outer_epochs PPO steps on the loss of phi_i on D'_i,
    ///          phi_i adapted anew from theta in each of them, through the graph
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let steps_before = source.env_steps();
        let mut agent = self.adaptive();
        agent.begin(source.begin(iteration));
        let unadapted = agent.clone();
        let mut supports = Vec::new();
        for k in 0..self.maml.inner_steps {
            let support = Experience::new(source.collect(k, agent.policies())?, self.estimator, &mut watch);
            agent.step(&support.batches)?;
            watch.lap("time/adapt_s");
            supports.push(support);
        }
        let last = self.maml.inner_steps;
        let query = Experience::new(source.collect(last, agent.policies())?, self.estimator, &mut watch);
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
        let supports = supports.into_iter().map(|support| support.batches).collect();
        let data = MetaBatch { supports, query: query.batches, credit, weight: Vec::new() };
        let learned = self.update(&data)?;
        watch.lap("time/update_s");
        let timing = watch.timing(source.env_steps() - steps_before);
        Ok(report(before, after, control, (source.env_steps(), data.query.len()), learned, timing))
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(self.adaptive())
    }

    fn save(&self, state: &mut State) {
        self.params.parts().for_each(|(name, values)| state.put(name, values));
        self.adam.save(state, "adam");
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let part = |name| state.tensor(name, self.params.part(name).len());
        let params = Params::new([(POLICY, part(POLICY)?), (RATES, part(RATES)?)]);
        self.adam = Adam::load(state, "adam", self.adam.m.len())?;
        self.params = params;
        Ok(())
    }
}

impl Maml {
    /// A learner at `meta_params`, with every inner rate at `inner_lr`.
    pub fn new(
        maml: MamlConfig,
        ppo: PpoConfig,
        backend: Arc<dyn Backend>,
        meta_params: Vec<f32>,
        threads: usize,
    ) -> Self {
        let layout = backend.layout();
        assert_eq!(meta_params.len(), layout.num_params(), "parameter vector and layout differ");
        let rates = even_rates(layout, maml.inner_lr, maml.adapt_log_std);
        let params = Params::new([(POLICY, meta_params), (RATES, rates)]);
        let learned = if maml.learns_rates() { params.values().len() } else { params.part(POLICY).len() };
        let estimator = Estimator::new(&ppo, threads);
        Maml { params, adam: Adam::new(learned), maml, ppo, estimator, backend }
    }

    /// The meta-policy and its inner rates.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The optimiser.
    pub fn adam(&self) -> &Adam {
        &self.adam
    }

    /// The meta-policy as it is deployed, without tasks.
    pub fn adaptive(&self) -> Adaptive {
        let [start, rates] = [POLICY, RATES].map(|name| self.params.part(name).to_vec());
        Adaptive::new(self.backend.clone(), self.maml.inner_loss(), self.estimator, start, rates)
    }

    /// Runs one meta-update:
    ///
    /// ```text
    /// for each outer epoch
    ///     phi      <- theta adapted anew on the support data, through the graph
    ///     gradient <- d/d theta of the clipped loss of phi on the query data
    ///     theta    <- Adam step along the gradient, its norm clipped
    /// ```
    ///
    /// If every advantage of the query data is 0 and there is no entropy bonus, there is nothing to learn: the gradient
    /// is 0 but for rounding, and neither parameters nor optimiser move, not even by momentum.
    ///
    /// # Errors
    /// [`Diverged`] on a loss, gradient or parameter that is not finite; the learner is then as it was before the
    /// epoch that failed.
    pub fn update(&mut self, data: &MetaBatch) -> Result<Metrics, Diverged> {
        let backend = self.backend.clone();
        let mut problem = backend.problem(self.params.part(POLICY), data);
        let objective = self.objective();
        let informed = self.ppo.ent_coef != 0.0 || data.query.iter().any(Batch::tells);
        let mut first = None;
        let mut last = ObjectiveStats::default();
        let mut norms = 0.0;
        for epoch in 0..self.ppo.outer_epochs {
            let (mut gradient, stats) = problem.gradient(&self.params, &objective);
            self.hold_still(&mut gradient);
            let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
            let place = || format!("outer epoch {epoch}");
            Diverged::check(&[stats.loss as f32], "the meta-loss", place)?;
            Diverged::check(&[norm as f32], "the meta-gradient", place)?;
            if informed {
                self.descend(&gradient, place)?;
            }
            norms += norm;
            first.get_or_insert(stats);
            last = stats;
        }
        let epochs = self.ppo.outer_epochs.max(1) as f64;
        let mut metrics = vec![
            // statistics of the last epoch: in the first one every ratio is 1 and the normalised advantages sum to zero
            ("loss/meta", last.loss),
            ("loss/inner", last.inner_loss),
            ("kl/meta", last.kl),
            ("kl/query", last.approx_kl),
            ("entropy", first.unwrap_or_default().entropy),
            ("clip_fraction", last.clip_fraction),
            ("grad_norm", norms / epochs),
        ];
        if objective.learn_rates {
            let rates: Vec<f64> = self.params.part(RATES).iter().map(|rate| f64::from(*rate)).collect();
            metrics.push(("inner_rate/mean", mean(&rates)));
        }
        Ok(metrics)
    }

    fn objective(&self) -> Objective {
        Objective {
            inner: self.maml.inner_loss(),
            outer: ClippedLoss { clip_eps: self.ppo.clip_eps, ent_coef: self.ppo.ent_coef },
            kl_coef: self.ppo.kl_coef,
            first_order: self.maml.first_order,
            learn_rates: self.maml.learns_rates(),
        }
    }

    /// Zeroes the gradient by the rate of the exploration noise unless that adapts.
    fn hold_still(&self, gradient: &mut [f32]) {
        let log_std = self.backend.layout().log_std().filter(|_| !self.maml.adapt_log_std);
        if let (Some(log_std), true) = (log_std, self.maml.learns_rates()) {
            let first = self.params.range(RATES).start;
            gradient[first + log_std.start..first + log_std.end].fill(0.0);
        }
    }

    /// Takes an Adam step on the learned parameters.
    fn descend(&mut self, gradient: &[f32], place: impl FnOnce() -> String) -> Result<(), Diverged> {
        let mut learned = self.params.values()[..gradient.len()].to_vec();
        let mut adam = self.adam.clone();
        adam.step(&mut learned, gradient, self.ppo.outer_lr);
        Diverged::check(&learned, "a meta-parameter", place)?;
        self.params.values_mut()[..learned.len()].copy_from_slice(&learned);
        self.adam = adam;
        Ok(())
    }
}

/// One phase's batches, the tasks' returns, and a summary.
struct Experience {
    batches: Vec<Batch>,
    returns: Vec<f64>,
    summary: Summary,
}

/// Statistics of one phase, averaged over tasks.
#[derive(Clone, Copy)]
struct Summary {
    mean_return: f64,
    worst_return: f64,
    estimate: Estimate,
}

impl Experience {
    /// Prepares the data of a phase that `rollout` has just collected.
    fn new(rollout: &Rollout, estimator: Estimator, watch: &mut Stopwatch) -> Self {
        watch.lap("time/rollout_s");
        let returns = rollout.returns();
        let (batches, estimate) = rollout.batches(estimator);
        let worst_return = returns.iter().copied().fold(f64::INFINITY, f64::min);
        watch.lap("time/advantage_s");
        Experience { batches, summary: Summary { mean_return: mean(&returns), worst_return, estimate }, returns }
    }
}

/// The report of an iteration; `control` is the return of the unadapted policy on the query phase, if measured.
fn report(
    before: Summary,
    after: Summary,
    control: Option<f64>,
    (env_steps, tasks): (u64, usize),
    learned: Metrics,
    timing: Metrics,
) -> Report {
    let unadapted = control.unwrap_or(after.mean_return);
    let mut metrics = vec![
        ("return/pre", before.mean_return),
        ("return/unadapted", unadapted),
        ("return/post", after.mean_return),
        ("return/gain", after.mean_return - unadapted),
        ("return/post_worst_task", after.worst_return),
        ("explained_variance/pre", before.estimate.explained_variance),
        ("explained_variance/post", after.estimate.explained_variance),
        ("value_mean/pre", before.estimate.value_mean),
        ("value_mean/post", after.estimate.value_mean),
        ("uninformative_tasks", after.estimate.uninformative as f64),
        ("env_steps", env_steps as f64),
    ];
    metrics.extend(learned);
    let informative = after.estimate.uninformative < tasks;
    Report { metrics, timing, return_post: after.mean_return, return_unadapted: control, informative }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let Ground { layout, device, backend, threads, .. } = ground;
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let theta = layout.initial(settings.policy.init_log_std, &mut rng);
    let backend = backend::open(backend, layout, device, settings.maml.tasks_per_chunk, threads)?;
    Ok(Box::new(Maml::new(settings.maml.clone(), settings.ppo.clone(), backend, theta, threads)))
}

/// The demand: every task has a phase for each inner step and one after the last. A phase is as long as a lane can use.
fn demand(settings: &Settings) -> Demand {
    let rollout = &settings.rollout;
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

fn size(settings: &Settings) -> String {
    let steps = settings.maml.inner_steps;
    let plural = if steps == 1 { "" } else { "s" };
    let rollout = &settings.rollout;
    format!("{} tasks x {} lanes, {steps} inner step{plural}", rollout.num_tasks, rollout.num_envs)
}

fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let tasks = settings.rollout.num_tasks as u128;
    let per_task = settings.rollout.num_envs as u128 * demand(settings).steps() as u128;
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
    Taken {
        data: copies + in_hand,
        networks: sizes.networks(sizes.params, tasks),
        keys: "rollout.num_tasks, rollout.num_envs, rollout.num_steps, maml.inner_steps or policy.hidden",
    }
}
