//! Continual MAML: a meta-policy that adapts from task to task of a chain, always anew from itself and on the data of the
//! task before (Al-Shedivat et al. 2018, arXiv 1710.03641, algorithms 1 and 2).

use serde::{Deserialize, Serialize};

use super::maml::{
    self, Maml,
    report::{Experience, mean, report},
};
use crate::{
    agent::{Adaptive, Agent},
    backend::NoBackend,
    batch::{Batch, MetaBatch},
    keys::{Absent, INTEGER, Key, OwnConfig, Section, key, own, range},
    learner::{Entry, Ground, Learner, Learns, any, feedforward},
    memory::{Sizes, Taken},
    ranges::{OutOfRange, Range, check_in},
    report::{Diverged, Report, Stopwatch},
    settings::Settings,
    source::{Demand, Source},
    state::{Misfit, State},
};

/// The entry of `learner = "continual"`.
pub const ENTRY: Entry = Entry {
    name: "continual",
    about: "A meta-policy that adapts from task to task of a chain, anew from itself",
    details: "Al-Shedivat et al. 2018, arXiv 1710.03641. The phases of a life are a chain of tasks where the world moves with them \
              (clock = \"adapt_round\", or any drift). Before each, maml.inner_steps steps lead from the meta-policy \
              to its policy, on the data of the phase before, which the policy of that phase collected: every step of \
              them has the likelihood ratio of the two as its weight. Step sizes are learned. The gradient aims at J_inf \
              of every link and has no sampling term, which the paper's has.",
    ignores: &["maml.estimator", "maml.dice_lambda", "maml.sampling_term", "maml.risk", "maml.risk_level"],
    own: Some(Section::of::<ContinualConfig>()),
    settings: Some("[maml]\nlearn_inner_lr = true\n"),
    learns: Learns::Episodes,
    check: any,
    layout: feedforward,
    demand,
    size: |settings| format!("chains of {}, {}", own::<ContinualConfig>(&settings.own).chain, maml::size(settings)),
    memory,
    build,
};

/// `[continual]`: the chains of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContinualConfig {
    /// Number of consecutive tasks.
    pub chain: usize,
}

impl Default for ContinualConfig {
    fn default() -> Self {
        ContinualConfig { chain: 3 }
    }
}

impl OwnConfig for ContinualConfig {
    const SECTION: &'static str = "continual";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("continual.chain", INTEGER, Absent::Is("3"), range("2 to 100", "1"), "phases", "Consecutive tasks of a chain, a phase each; with 2 they are the pairs of the paper"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        check_in("continual.chain", self.chain, self.chain as f64, Range::Whole(2, 100))
    }
}

/// The learner: that of MAML, on the links of chains.
#[derive(Clone, Debug)]
pub struct Continual {
    maml: Maml,
    chain: usize,
}

impl Learner for Continual {
    /// Runs one iteration:
    ///
    /// ```text
    /// draw chains of tasks; phi_i,0 <- theta for each chain i
    /// for each task j of the chains
    ///     collect data D_i,j with phi_i,j
    ///     phi_i,j+1 <- theta adapted on D_i,j, weighted by pi_theta / pi_phi_i,j
    /// theta <- step down the losses of all phi_i,j+1 on D_i,j+1, through the graph from theta
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let steps_before = source.env_steps();
        let mut agent = self.adaptive();
        agent.begin(source.begin(iteration));
        let unadapted = agent.clone();
        let mut seen = self.maml.moments.clone();
        let mut phases: Vec<Experience> = Vec::new();
        for task in 0..self.chain {
            if let Some(before) = phases.last() {
                agent.step(&before.batches)?;
                watch.lap("time/adapt_s");
            }
            let rollout = source.collect(task, agent.policies())?;
            phases.push(Experience::new(rollout, &agent, &mut seen, &mut watch));
        }
        let control = source.compare(self.chain - 1, unadapted.policies())?.map(|rollout| mean(&rollout.returns()));
        watch.lap("time/control_s");
        let (before, after) = (phases[0].summary, phases[self.chain - 1].summary);
        let mut baseline = self.maml.baseline.clone();
        let of_values = baseline.learn(phases.iter().flat_map(|phase| &phase.batches), iteration)?;
        let (data, tasks) = self.links(phases);
        let mut learned = self.maml.update(&data)?;
        learned.extend(of_values);
        (self.maml.moments, self.maml.baseline) = (seen, baseline);
        watch.lap("time/update_s");
        self.maml.remember(after.mean_return);
        let timing = watch.timing(source.env_steps() - steps_before);
        Ok(report(before, after, control, (source.env_steps(), tasks), learned, timing))
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(self.adaptive())
    }

    fn goal(&self) -> Option<f64> {
        self.maml.goal()
    }

    fn solved(&self) -> bool {
        self.maml.solved()
    }

    fn scale_steps(&mut self, factor: f64) {
        self.maml.scale_steps(factor);
    }

    fn save(&self, state: &mut State) {
        self.maml.save(state);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        self.maml.load(state)
    }
}

impl Continual {
    fn adaptive(&self) -> Adaptive {
        self.maml.adaptive().anchored(self.maml.inner_steps())
    }

    /// Every two consecutive phases as a task of MAML: the first has the data of all inner steps, the second those after
    /// adaptation. Also gives the number of chains.
    fn links(&self, phases: Vec<Experience>) -> (MetaBatch, usize) {
        let chains = phases[0].batches.len();
        let all: Vec<Vec<Batch>> = phases.into_iter().map(|phase| phase.batches).collect();
        let support = all[..self.chain - 1].concat();
        let query = all.into_iter().skip(1).flatten().collect();
        let supports = vec![support; self.maml.inner_steps()];
        (MetaBatch { supports, query, ..MetaBatch::default() }, chains)
    }
}

fn demand(settings: &Settings) -> Demand {
    let ContinualConfig { chain } = own(&settings.own);
    match maml::demand(settings) {
        Demand::Tasks { tasks, lanes, steps, episodes, .. } => {
            // the links that ranks divide among them are not their tasks
            Demand::Tasks { tasks, lanes, steps, episodes, phases: chain, whole: true }
        }
        other => other,
    }
}

/// The memory of MAML on as many tasks as there are links.
fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let ContinualConfig { chain } = own(&settings.own);
    let mut links = settings.clone();
    links.rollout.num_tasks *= chain - 1;
    Taken {
        keys: "rollout.num_tasks, rollout.num_envs, rollout.num_steps, continual.chain or policy.hidden",
        ..maml::memory(&links, sizes)
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let ContinualConfig { chain } = own(&settings.own);
    Ok(Box::new(Continual { maml: Maml::of(settings, ground)?, chain }))
}
