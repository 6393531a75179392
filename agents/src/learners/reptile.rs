//! Reptile: the meta-policy moves towards the policies that it adapts to (Nichol, Achiam and Schulman 2018, arXiv
//! 1803.02999). It takes no derivative through the adaptation, and needs no data after it.

use std::sync::Arc;

use metadrift_random::{Purpose, Stream};

use super::maml::{
    self, label_log_std,
    report::{Experience, mean, report},
};
use crate::{
    advantage::Estimator,
    agent::{Adaptive, Agent, even_rates},
    backend::{self, Backend, NoBackend},
    inputs::Moments,
    learner::{Entry, Ground, Learner, Learns, feedforward},
    objective::InnerLoss,
    params::POLICY,
    ranges::{OutOfRange, check as check_setting},
    report::{Diverged, Report, Stopwatch},
    settings::{MamlConfig, Plan, Settings, Subset},
    source::Source,
    state::{Misfit, State},
    value::Baseline,
};

/// The entry of `learner = "reptile"`.
pub const ENTRY: Entry = Entry {
    name: "reptile",
    about: "A meta-policy that moves towards the policies it adapts to",
    details: "Nichol, Achiam and Schulman 2018, arXiv 1803.02999. After maml.inner_steps gradient steps on each task, the \
              meta-policy moves by ppo.outer_lr of the mean way, falling to 0 at the end; there is no derivative through \
              the adaptation.",
    ignores: &[
        "maml.*",
        "!maml.inner_lr",
        "!maml.inner_steps",
        "!maml.adapts",
        "!maml.adapts_size",
        "!maml.adapt_log_std",
        "!maml.baseline",
        "!maml.value_hidden",
        "!maml.value_lr",
        "!maml.value_epochs",
        "!maml.tasks_per_chunk",
        "ppo.*",
        "!ppo.outer_lr",
        "!ppo.gamma",
        "!ppo.gae_lambda",
    ],
    own: None,
    settings: Some("iterations = 10000\n[maml]\ninner_lr = 0.02\ninner_steps = 8\n[ppo]\nouter_lr = 0.5\n"),
    learns: Learns::Both,
    check,
    layout: feedforward,
    demand: maml::demand,
    size: |settings| format!("Reptile, {}", maml::size(settings)),
    memory: maml::memory,
    build,
};

/// Refuses context parameters: they begin at 0 for each task, so there is no start to move.
fn check(settings: &Settings) -> Result<(), OutOfRange> {
    let moves = settings.maml.adapts != Subset::Context;
    check_setting("maml.adapts", "context", moves, RESET)
}

/// The parameters that Reptile can adapt.
const RESET: &str = "another word with learner = \"reptile\", which moves the start of adaptation towards its end: context \
                     parameters are reset to 0 for each task, so nothing would be learned";

/// The learner: a meta-policy.
#[derive(Clone, Debug)]
pub struct Reptile {
    /// `[num_params]`
    theta: Vec<f32>,
    maml: MamlConfig,
    /// Share of the way to the adapted policies at the first iteration.
    share: f64,
    plan: Plan,
    inner: InnerLoss,
    estimator: Estimator,
    /// Statistics of the observations, if the policy normalises them.
    moments: Option<Moments>,
    /// The values that advantages are measured from.
    baseline: Baseline,
    backend: Arc<dyn Backend>,
}

impl Learner for Reptile {
    /// Runs one iteration:
    ///
    /// ```text
    /// draw tasks; phi_i <- theta for each task i
    /// for each inner step: phi_i <- phi_i - inner_lr * gradient of the inner loss on data of task i
    /// theta <- theta + share * mean of (phi_i - theta)
    /// a value network, if there is one, learns from all of these data
    /// ```
    ///
    /// The policy does not learn from the data after adaptation.
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let steps_before = source.env_steps();
        let mut agent = self.adaptive();
        agent.begin(source.begin(iteration));
        let unadapted = agent.clone();
        let mut seen = self.moments.clone();
        let mut before = None;
        let mut phases = Vec::new();
        for k in 0..self.maml.inner_steps {
            let support = Experience::new(source.collect(k, agent.policies())?, &agent, &mut seen, &mut watch);
            agent.step(&support.batches)?;
            watch.lap("time/adapt_s");
            before.get_or_insert(support.summary);
            if matches!(self.baseline, Baseline::Network(_)) {
                phases.push(support.batches);
            }
        }
        let last = self.maml.inner_steps;
        let query = Experience::new(source.collect(last, agent.policies())?, &agent, &mut seen, &mut watch);
        let control = source.compare(last, unadapted.policies())?.map(|rollout| mean(&rollout.returns()));
        watch.lap("time/control_s");
        let mut baseline = self.baseline.clone();
        let of_values = baseline.learn(phases.iter().flatten().chain(&query.batches), iteration)?;
        let way = self.follow(agent.policies().params, self.plan.done(iteration, steps_before))?;
        (self.moments, self.baseline) = (seen, baseline);
        watch.lap("time/update_s");
        let timing = watch.timing(source.env_steps() - steps_before);
        let counts = (source.env_steps(), query.batches.len());
        let mut learned = vec![("way", way)];
        learned.extend(of_values);
        Ok(report(before.unwrap_or(query.summary), query.summary, control, counts, learned, timing))
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(self.adaptive())
    }

    fn scale_steps(&mut self, factor: f64) {
        self.share *= factor;
        self.baseline.scale_steps(factor);
    }

    fn save(&self, state: &mut State) {
        state.put(POLICY, &self.theta);
        self.baseline.save(state);
        if let Some(moments) = &self.moments {
            moments.save(state);
        }
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let theta = state.tensor(POLICY, self.theta.len())?;
        let baseline = self.baseline.loaded(state)?;
        self.moments = self.moments.as_ref().map(|moments| moments.loaded(state)).transpose()?;
        (self.theta, self.baseline) = (theta, baseline);
        Ok(())
    }
}

impl Reptile {
    fn adaptive(&self) -> Adaptive {
        let rates = even_rates(self.backend.layout(), &self.maml);
        let normalizer = self.moments.as_ref().and_then(Moments::normalizer);
        let theta = self.theta.clone();
        let agent = Adaptive::new(self.backend.clone(), self.inner, self.estimator, theta, rates);
        agent.valuing(self.baseline.values(normalizer.clone()), self.maml.inner_steps).normalizing(normalizer)
    }

    /// Moves towards the mean of `adapted` `[tasks, num_params]` when the share `done` of the run is over; gives the length
    /// of the whole way.
    fn follow(&mut self, adapted: &[Vec<f32>], done: f64) -> Result<f64, Diverged> {
        let share = self.share * (1.0 - done);
        let mut theta = self.theta.clone();
        let mut square = 0.0;
        for (i, theta) in theta.iter_mut().enumerate() {
            let start = f64::from(*theta);
            let way = adapted.iter().map(|phi| f64::from(phi[i]) - start).sum::<f64>() / adapted.len() as f64;
            square += way * way;
            *theta = (start + share * way) as f32;
        }
        Diverged::check(&theta, "a meta-parameter", || "the step towards the adapted policies".to_owned())?;
        self.theta = theta;
        Ok(square.sqrt())
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let baseline = Baseline::of(settings, &ground)?;
    let Ground { layout, device, backend, threads, .. } = ground;
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let (log_std, maml) = label_log_std(settings);
    let theta = settings.policy.init.draw(&layout, log_std, &mut rng);
    let moments = settings.policy.moments(&layout);
    let inner = if settings.examples.is_some() { InnerLoss::Score } else { InnerLoss::LVC };
    let backend = backend::open(backend, layout, device, maml.tasks_per_chunk, threads)?;
    Ok(Box::new(Reptile {
        theta,
        maml,
        share: settings.ppo.outer_lr,
        plan: settings.plan(),
        inner,
        estimator: Estimator::new(&settings.ppo, threads),
        moments,
        baseline,
        backend,
    }))
}
