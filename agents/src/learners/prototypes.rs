//! Prototypical networks: a query belongs to the class whose support examples it is embedded nearest to (Snell, Swersky and
//! Zemel 2017, arXiv 1703.05175). Nothing takes a gradient step at test time.

use metadrift_random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use super::maml::report::{Experience, mean, report};
use crate::{
    adam::Adam,
    advantage::Estimator,
    agent::{Adapts, Agent},
    backend::{BackendChoice, NoBackend},
    batch::Batch,
    host_policy::HostPolicy,
    keys::{Absent, INTEGER, Key, OwnConfig, Section, key, own, range},
    layout::Layout,
    learner::{Entry, Ground, Learner, Learns, any, feedforward},
    memory::{Sizes, Taken},
    native::{Labelled, PrototypeGradients, prototypes},
    objective::clip_norm,
    ranges::{OutOfRange, Range, check_in},
    report::{Diverged, Report, Stopwatch},
    rollout::Rollout,
    settings::{PpoConfig, Settings},
    source::{Demand, Policies, Source},
    state::{Misfit, State},
    threads::run_jobs_with,
};

/// The entry of `learner = "prototypes"`.
pub const ENTRY: Entry = Entry {
    name: "prototypes",
    about: "An embedding in which the nearest class mean is the answer; it takes no gradient steps on a task",
    details: "Snell et al. 2017, arXiv 1703.05175. The network of [policy] embeds examples in prototypes.size numbers; logits are \
              minus the squared distances from the mean embeddings of the support examples of each class. Only for tasks of \
              examples with classes.",
    ignores: &[
        "rollout.num_envs",
        "policy.log_std",
        "policy.normalize_obs",
        "policy.init_log_std",
        "policy.window",
        "maml.*",
        "ppo.*",
        "!ppo.outer_lr",
        "!ppo.max_grad_norm",
    ],
    own: Some(Section::of::<PrototypesConfig>()),
    settings: Some("iterations = 1500\n[rollout]\nnum_tasks = 16\n[ppo]\nouter_lr = 2e-3\nmax_grad_norm = 10.0\n"),
    learns: Learns::Classes,
    check: any,
    layout: feedforward,
    demand,
    size: |settings| {
        let support = settings.examples.map_or(0, |shots| shots.support);
        format!("prototypes of {support} examples, {} tasks", settings.rollout.num_tasks)
    },
    memory,
    build,
};

/// `[prototypes]`: the settings of the embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrototypesConfig {
    /// Length of an embedding.
    pub size: usize,
}

impl Default for PrototypesConfig {
    fn default() -> Self {
        PrototypesConfig { size: 64 }
    }
}

impl OwnConfig for PrototypesConfig {
    const SECTION: &'static str = "prototypes";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("prototypes.size", INTEGER, Absent::Is("64"), range("1 to 4096", "0"), "", "Length of an embedding, in which distances are taken"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        check_in("prototypes.size", self.size, self.size as f64, Range::Whole(1, 4096))
    }
}

/// The learner: the network that embeds, and its optimiser.
struct Prototypes {
    /// Shape of the network that answers.
    layout: Layout,
    /// Shape of the network that embeds.
    embedding: Layout,
    /// `[num_params]` of the embedding.
    params: Vec<f32>,
    adam: Adam,
    ppo: PpoConfig,
    threads: usize,
    /// One for each thread.
    spaces: Vec<PrototypeGradients<f32>>,
}

impl Learner for Prototypes {
    /// Runs one iteration:
    ///
    /// ```text
    /// draw tasks
    /// for each task: c_k <- mean embedding of its support examples of class k
    ///                loss <- cross-entropy of its query labels, logits -|embedding - c_k|^2
    /// params <- Adam step along the mean gradient of the losses, also through the c_k
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let before = source.env_steps();
        let estimator = Estimator::new(&self.ppo, self.threads);
        let mut agent = self.nearest();
        agent.begin(source.begin(iteration));
        let unadapted = agent.clone();
        let support = source.collect(0, agent.policies())?;
        watch.lap("time/rollout_s");
        agent.adapt(support)?;
        watch.lap("time/adapt_s");
        let support = Experience::of(support, support.batches(estimator, None), &mut watch);
        let query = source.collect(1, agent.policies())?;
        watch.lap("time/rollout_s");
        let query = Experience::of(query, query.batches(estimator, None), &mut watch);
        let control = source.compare(1, unadapted.policies())?.map(|rollout| mean(&rollout.returns()));
        watch.lap("time/control_s");
        let tasks = support.batches.iter().zip(&query.batches).map(|(support, query)| labelled(support, query));
        let learned = self.descend(&tasks.collect::<Vec<_>>())?;
        watch.lap("time/update_s");
        let timing = watch.timing(source.env_steps() - before);
        let counts = (source.env_steps(), query.batches.len());
        Ok(report(support.summary, query.summary, control, counts, learned, timing))
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(self.nearest())
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.outer_lr *= factor;
    }

    fn save(&self, state: &mut State) {
        state.put("embedding_params", &self.params);
        self.adam.save(state, "adam");
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let params = state.tensor("embedding_params", self.params.len())?;
        self.adam = Adam::load(state, "adam", self.params.len())?;
        self.params = params;
        Ok(())
    }
}

impl Prototypes {
    fn nearest(&self) -> Nearest {
        let (layout, embedding) = (self.layout.clone(), self.embedding.clone());
        Nearest { layout, embedding, params: self.params.clone(), policies: Vec::new() }
    }

    /// Takes one step down the mean loss of `tasks`.
    fn descend(&mut self, tasks: &[Labelled<f32>]) -> Result<Vec<(&'static str, f64)>, Diverged> {
        let Prototypes { embedding, params, threads, spaces, .. } = self;
        let mut results = vec![(Vec::new(), 0.0); tasks.len()];
        let new = || PrototypeGradients::new(embedding.clone());
        run_jobs_with(tasks.iter().zip(&mut results).collect(), *threads, spaces, new, |space, (task, result)| {
            *result = space.gradient(params, task);
        });
        // the sum is in task order, so that it does not depend on the threads' timing
        let share = 1.0 / tasks.len() as f64;
        let (mut gradient, mut loss) = (vec![0.0f32; self.params.len()], 0.0);
        for (of_task, loss_of_task) in &results {
            gradient.iter_mut().zip(of_task).for_each(|(sum, g)| *sum += share as f32 * g);
            loss += share * loss_of_task;
        }
        let norm = clip_norm(&mut gradient, self.ppo.max_grad_norm);
        let diverged = |values: &[f32], what, place: &str| {
            Diverged::check(values, what, || place.to_owned()).map_err(|diverged| diverged.advising("ppo.outer_lr"))
        };
        diverged(&[loss as f32, norm as f32], "a loss or its gradient", "the embedding")?;
        let (mut params, mut adam) = (self.params.clone(), self.adam.clone());
        adam.step(&mut params, &gradient, self.ppo.outer_lr);
        diverged(&params, "a parameter", "the embedding after the update")?;
        (self.params, self.adam) = (params, adam);
        Ok(vec![("loss/meta", loss), ("grad_norm", norm)])
    }
}

/// A task's examples, for the gradient.
fn labelled(support: &Batch, query: &Batch) -> Labelled<f32> {
    Labelled {
        inputs: [&support.obs[..], &query.obs].concat(),
        labels: support.action.iter().chain(&query.action).map(|label| *label as usize).collect(),
        support: support.len(),
    }
}

/// The policy as it is deployed: prototypes are the last layer of a network with the embedding's hidden layers.
///
/// With an embedding V'h + a of the last hidden layer h, minus the squared distance from a prototype c is 2 (c - a)'V'h - |c -
/// a|^2 but for a term that all classes share. The logits are linear in h (section 2.4 of the paper).
#[derive(Clone, Debug)]
struct Nearest {
    layout: Layout,
    embedding: Layout,
    /// `[num_params]` of the embedding.
    params: Vec<f32>,
    /// The network of each task, `[tasks, num_params]`.
    policies: Vec<Vec<f32>>,
}

impl Nearest {
    /// Hidden layers of the embedding, and a last layer of zeros: all classes are as likely.
    fn without_prototypes(&self) -> Vec<f32> {
        let last = &self.layout.blocks()[2 * self.layout.num_layers() - 2];
        let mut policy = self.params[..last.range.start].to_vec();
        policy.resize(self.layout.num_params(), 0.0);
        policy
    }

    /// The network that answers by the prototypes of `inputs` `[examples, inputs]` and `labels` `[examples]`.
    fn with_prototypes(&self, inputs: &[f32], labels: &[f32]) -> Vec<f32> {
        let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
        let (size, examples) = (self.embedding.head().outputs(), labels.len());
        let network = HostPolicy::new(&self.embedding, &self.params);
        // `[size, examples]`
        let mut outputs = vec![0.0; size * examples];
        network.forward(inputs, &mut outputs, &mut network.scratch());
        let blocks = &self.embedding.blocks()[2 * self.embedding.num_layers() - 2..];
        let [v, a] = [&blocks[0], &blocks[1]].map(|block| &self.params[block.range.clone()]);
        let embedded: Vec<f64> = (0..examples * size)
            .map(|at| f64::from(outputs[at % size * examples + at / size]) - f64::from(a[at % size]))
            .collect();
        let (means, members) = prototypes(&embedded, size, &labels);
        let mut policy = self.without_prototypes();
        let last = &self.layout.blocks()[2 * self.layout.num_layers() - 2..];
        let classes = last[0].dims[1];
        assert_eq!(members.len(), classes, "a class without support examples");
        for (class, mean) in means.chunks_exact(size).enumerate() {
            let weights = policy[last[0].range.clone()].iter_mut().skip(class).step_by(classes);
            for (weight, v) in weights.zip(v.chunks_exact(size)) {
                *weight = mean.iter().zip(v).map(|(c, v)| 2.0 * c * f64::from(*v)).sum::<f64>() as f32;
            }
            policy[last[1].range.start + class] = -mean.iter().map(|c| c * c).sum::<f64>() as f32;
        }
        policy
    }
}

impl Agent for Nearest {
    fn begin(&mut self, tasks: usize) {
        self.policies = vec![self.without_prototypes(); tasks];
    }

    fn policies(&self) -> Policies<'_> {
        Policies { layout: &self.layout, params: &self.policies }
    }

    fn adapt(&mut self, seen: &Rollout) -> Result<(), Diverged> {
        self.policies = seen.tasks().map(|task| self.with_prototypes(task.obs, task.action)).collect();
        for (task, params) in self.policies.iter().enumerate() {
            Diverged::check(params, "a prototype", || format!("task {task}"))
                .map_err(|diverged| diverged.advising("ppo.outer_lr"))?;
        }
        Ok(())
    }

    /// Nothing: the next examples take the place of those before.
    fn return_by(&mut self, _share: f32) {}

    fn adapts(&self) -> Adapts {
        Adapts::AtOnce
    }

    fn computes_by(&self) -> BackendChoice {
        BackendChoice::Native
    }

    fn duplicate(&self) -> Box<dyn Agent> {
        Box::new(self.clone())
    }
}

fn embedding(settings: &Settings, inputs: usize) -> Layout {
    let PrototypesConfig { size } = own(&settings.own);
    Layout::plain(inputs, &settings.policy.hidden, size).with_activation(settings.policy.activation)
}

fn demand(settings: &Settings) -> Demand {
    let shots = settings.examples.expect("an experiment without examples was refused");
    Demand::Examples { tasks: settings.rollout.num_tasks, shots, phases: 2 }
}

fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let shots = settings.examples.map_or(0, |shots| shots.support + shots.query) as u128;
    let tasks = settings.rollout.num_tasks as u128;
    let embedding = embedding(settings, sizes.obs_dim);
    let embedded = 4 * embedding.head().outputs() as u128;
    let params = 4 * embedding.num_params() as u128;
    let copies = 3 * tasks * shots * sizes.sample;
    let in_hand = sizes.threads.min(tasks) * shots * 2 * (sizes.hidden + 2 * embedded);
    Taken {
        data: copies + in_hand,
        networks: sizes.networks(params, 1) + tasks * (4 * sizes.params + params),
        keys: "rollout.num_tasks, policy.hidden or prototypes.size",
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let Ground { layout, device, backend, threads, .. } = ground;
    if backend.resolve(device, 0)? == BackendChoice::Tch {
        return Err(NoBackend::Learner("prototypes"));
    }
    let embedding = embedding(settings, layout.obs_dim());
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let params = settings.policy.init.draw(&embedding, 0.0, &mut rng);
    let (adam, ppo) = (Adam::new(params.len()), settings.ppo.clone());
    Ok(Box::new(Prototypes { layout, embedding, params, adam, ppo, threads, spaces: Vec::new() }))
}

#[cfg(test)]
mod tests;
