//! Distillation of the controller that knows the state and the task into an MLP that sees the last transitions (DAgger, as in
//! [`distill`](super::distill)): the student acts, the teacher shows its actions in the student's states, and the student
//! learns them as a classifier or a regression learns its labels.

use metadrift_random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use super::recurrent;
use crate::{
    agent::{Agent, Remembering},
    backend::{self, NoBackend},
    batch::Batch,
    descent::{Descent, Slope, orders},
    keys::{Absent, INTEGER, Key, Legal, OwnConfig, SWITCH, Section, key, own, range},
    learner::{Entry, Ground, Learner, Learns, feedforward, looks_back},
    memory::{Sizes, Taken},
    network::Network,
    ranges::{LANES, OutOfRange, Range, check_in, check_lanes},
    report::{Diverged, Report, Stopwatch},
    rollout::Rollout,
    settings::{Plan, PpoConfig, Settings},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
};

/// `learner = "distill-window"`
pub const ENTRY: Entry = Entry {
    name: "distill-window",
    about: "A policy with a window that imitates the controller with full knowledge",
    details: "DAgger, Ross et al. 2011, arXiv 1011.0686, into an MLP that sees the last transitions.",
    ignores: &[
        "rollout.num_tasks",
        "rollout.num_envs",
        "policy.normalize_obs",
        "maml.*",
        "ppo.clip_eps",
        "ppo.kl_coef",
        "ppo.ent_coef",
        "ppo.gamma",
        "ppo.gae_lambda",
    ],
    own: Some(Section::of::<DistillWindowConfig>()),
    settings: Some("iterations = 60\n[ppo]\nouter_lr = 2e-3\nouter_epochs = 2\n[policy]\nwindow = 4\n"),
    learns: Learns::Episodes,
    check: looks_back,
    layout: feedforward,
    demand,
    size: |settings| format!("distillation, {} lives, window {}", of(settings).lanes, settings.policy.window),
    memory,
    build,
};

/// `[distill_window]`: the settings of distillation into a policy with a window, beside `[ppo]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillWindowConfig {
    /// Lives of an iteration, each on a task of its own.
    pub lanes: usize,
    /// Samples per gradient step.
    pub minibatch: usize,
    /// The learning rate falls linearly to 0 over the iterations.
    pub anneal: bool,
}

impl Default for DistillWindowConfig {
    fn default() -> Self {
        DistillWindowConfig { lanes: 128, minibatch: 1024, anneal: true }
    }
}

impl OwnConfig for DistillWindowConfig {
    const SECTION: &'static str = "distill_window";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("distill_window.lanes", INTEGER, Absent::Is("128"), range(LANES, "33"), "lanes", "Lives of an iteration, each on a task of its own"),
        key("distill_window.minibatch", INTEGER, Absent::Is("1024"), range("1 to 100000000", "0"), "samples", "Samples per gradient step"),
        key("distill_window.anneal", SWITCH, Absent::Is("true"), Legal::Any, "", "Let the learning rate fall linearly to 0 over the iterations"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        check_lanes("distill_window.lanes", self.lanes)?;
        let minibatch = self.minibatch;
        check_in("distill_window.minibatch", minibatch, minibatch as f64, Range::Whole(1, 100_000_000))
    }
}

/// The learner.
struct DistillWindow {
    policy: Network,
    config: DistillWindowConfig,
    ppo: PpoConfig,
    seed: u64,
    plan: Plan,
}

impl Learner for DistillWindow {
    /// One iteration: lives under the student, led by the teacher in part; then epochs of gradient steps that make the
    /// teacher's actions in these states likelier.
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let done = self.plan.done(iteration, source.env_steps());
        source.begin(iteration);
        let params = std::slice::from_ref(&self.policy.params);
        let rollout = source.collect(0, Policies { layout: self.policy.layout(), params })?;
        watch.lap("time/rollout_s");
        let steps = rollout.num_valid();
        let returns = recurrent::returns(rollout);
        let (loss, norm) = self.imitate(rollout, (iteration, done))?;
        watch.lap("time/update_s");
        let mut metrics = returns.metrics(source.env_steps());
        metrics.extend([("loss/policy", loss), ("grad_norm", norm)]);
        Ok(Report {
            metrics,
            timing: watch.timing(steps),
            return_post: returns.mean,
            return_unadapted: None,
            informative: true,
        })
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(Remembering::new(self.policy.layout().clone(), self.policy.params.clone()))
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.outer_lr *= factor;
    }

    fn save(&self, state: &mut State) {
        self.policy.save(state, "params", "adam");
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        self.policy = self.policy.loaded(state, "params", "adam")?;
        Ok(())
    }
}

impl DistillWindow {
    /// All epochs on the states of `rollout`, when the share `done` of the run is over; means of the loss and of the
    /// gradient's norm. The student is as it was if a number is not finite.
    fn imitate(&mut self, rollout: &Rollout, (iteration, done): (u32, f64)) -> Result<(f64, f64), Diverged> {
        let Network { mut params, mut optimizer, backend } = self.policy.clone();
        let mut gradients = backend.minibatches();
        let descent = Descent {
            minibatch: self.config.minibatch,
            rate: self.ppo.outer_lr * if self.config.anneal { 1.0 - done } else { 1.0 },
            key: "ppo.outer_lr",
            done,
            max_grad_norm: self.ppo.max_grad_norm,
            network: "student",
        };
        let shown = Shown::new(rollout);
        let shuffle = Stream::new(self.seed, Purpose::Shuffle).iteration(iteration);
        let orders = orders(shuffle, self.ppo.outer_epochs, shown.samples());
        let ([loss], norm) = descent.run((&mut params, &mut optimizer), orders, |params, rows| {
            let (gradient, loss) = gradients.likelihood(params, &shown.batch(rows));
            Slope { gradient, figures: [loss], moves: true }
        })?;
        drop(gradients);
        self.policy = Network { params, optimizer, backend };
        Ok((loss, norm))
    }
}

/// States of the student, and the teacher's actions in them.
struct Shown<'a> {
    /// `[tasks]`: observations and actions, `[rows, obs_dim]` and `[rows, act_dim]`.
    tasks: Vec<(&'a [f32], &'a [f32])>,
    rows: usize,
}

impl<'a> Shown<'a> {
    fn new(rollout: &'a Rollout) -> Self {
        let tasks = rollout.tasks().enumerate().map(|(at, data)| (data.obs, rollout.lessons(at))).collect();
        Shown { tasks, rows: rollout.shape().steps * rollout.shape().envs }
    }

    fn samples(&self) -> usize {
        self.tasks.len() * self.rows
    }

    /// The samples `rows`, all of the same weight.
    fn batch(&self, rows: &[u32]) -> Batch {
        let mut batch = Batch::default();
        for row in rows.iter().map(|row| *row as usize) {
            let ((obs, action), at) = (self.tasks[row / self.rows], row % self.rows);
            let of_row = |width: usize| at * width..(at + 1) * width;
            batch.obs.extend_from_slice(&obs[of_row(obs.len() / self.rows)]);
            batch.action.extend_from_slice(&action[of_row(action.len() / self.rows)]);
        }
        batch.log_prob = vec![0.0; rows.len()];
        batch.advantage = vec![1.0; rows.len()];
        batch
    }
}

fn of(settings: &Settings) -> DistillWindowConfig {
    own(&settings.own)
}

fn demand(settings: &Settings) -> Demand {
    recurrent::lives(settings, of(settings).lanes, settings.iterations)
}

fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let config = of(settings);
    let samples = (config.lanes * demand(settings).steps()) as u128;
    let minibatch = samples.min(config.minibatch as u128) * (8 * sizes.hidden + 2 * sizes.sample);
    // the order of the samples
    Taken {
        data: samples * 4 + minibatch,
        networks: sizes.networks(sizes.params, 1),
        keys: "distill_window.lanes, distill_window.minibatch, rollout.num_steps or policy.window",
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let Ground { layout, device, backend, .. } = ground;
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let params = settings.policy.init.draw(&layout, settings.policy.init_log_std, &mut rng);
    let policy = Network::new(backend::open(backend, layout, device, 0, 1)?, params);
    let (seed, plan) = (settings.seed, settings.plan());
    Ok(Box::new(DistillWindow { policy, config: of(settings), ppo: settings.ppo.clone(), seed, plan }))
}
