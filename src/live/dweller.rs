//! Those who live a life: a policy that learns from it, one that does not, a controller, chance.

use metadrift_agents::{
    agent::{Adapts, Agent},
    report::Diverged,
    runtime::guard::Opinion,
};
use metadrift_envs::Purpose;

use super::{
    Policy,
    learner::{OnLife, actions},
    log::Entry,
    plant::{Acting, Plant, Played},
};
use crate::{
    control::{Controlled, Random, privileged},
    rollout::{Actions, steps::Memories},
};

/// Someone on one life.
pub enum Dweller<'a> {
    /// A policy that learns, and the same one without what it learns; the ticks between two adaptations.
    Learner(Box<OnLife<'a>>, Alone, u32),
    /// A policy that does not learn.
    Alone(Alone),
    /// The controller with full knowledge.
    Oracle,
    /// Random actions.
    Chance,
}

/// An episode of a life.
pub struct Episode {
    /// The episode.
    pub played: Played,
    /// Return of the policy before any adaptation in its place.
    pub unadapted: f64,
    /// Ticks at which a change was noticed.
    pub alarms: Vec<u64>,
    /// Ticks before which the policy adapted.
    pub adaptations: Vec<u64>,
    /// The guard's opinion at the beginning.
    pub guard: Option<Opinion>,
    /// True if an adapted policy acted.
    pub adapted: bool,
}

impl<'a> Dweller<'a> {
    /// `policy` at the beginning of a life; `logs` says whether adaptations are logged.
    pub fn new(plant: Plant<'a>, policy: Policy<'_>, logs: bool) -> Self {
        match policy {
            Policy::Fixed(agent) => Dweller::Alone(Alone::fixed(agent)),
            Policy::Controller => Dweller::Oracle,
            Policy::Random => Dweller::Chance,
            Policy::Learning(agent, learning) => {
                let within = learning.every > 0 && agent.adapts() == Adapts::ByGradient;
                let every = if within { learning.every } else { plant.horizon };
                let alone = Alone::new(agent.duplicate(), actions(agent.adapts()));
                Dweller::Learner(Box::new(OnLife::new(plant, learning, agent.duplicate(), logs)), alone, every)
            }
        }
    }

    /// Lives through slot `episode`.
    ///
    /// # Errors
    /// If an output of a policy is not finite.
    pub fn live(&mut self, plant: &Plant<'_>, episode: u32) -> Result<Episode, Diverged> {
        let played = match self {
            Dweller::Learner(policy, alone, every) => return learn(plant, episode, (policy, alone), *every),
            Dweller::Alone(policy) => policy.play(plant, episode)?,
            Dweller::Oracle => oracle(plant, episode).expect("the caller has looked"),
            Dweller::Chance => random(plant, episode),
        };
        let (alarms, adaptations) = (Vec::new(), Vec::new());
        Ok(Episode { unadapted: played.returned(), played, alarms, adaptations, guard: None, adapted: false })
    }

    /// The number of adaptations that were given up, and the log, at the end of the life.
    pub fn ends(self) -> (usize, Vec<Entry>) {
        match self {
            Dweller::Learner(policy, ..) => (policy.diverged, policy.log.unwrap_or_default()),
            Dweller::Alone(_) | Dweller::Oracle | Dweller::Chance => (0, Vec::new()),
        }
    }
}

/// Lives through a slot and learns from it.
fn learn(
    plant: &Plant<'_>,
    episode: u32,
    (policy, alone): (&mut OnLife<'_>, &mut Alone),
    every: u32,
) -> Result<Episode, Diverged> {
    let guard = policy.opinion();
    let adapted = policy.begin(episode);
    let known = (policy.alarms.len(), policy.adaptations.len());
    let take = |policy: &mut OnLife<'_>, piece, from| {
        policy.take(piece, episode, from);
        Ok(())
    };
    let played = plant.perform(episode, every, policy, OnLife::acting, take)?;
    policy.end(episode, played.returned());
    // the same policy with the same random numbers gives the same episode
    let unadapted = if adapted { alone.play(plant, episode)?.returned() } else { played.returned() };
    let alarms = policy.alarms[known.0..].to_vec();
    Ok(Episode { played, unadapted, alarms, adaptations: policy.adaptations[known.1..].to_vec(), guard, adapted })
}

/// A policy that does not learn from its life, and remembers nothing from one episode to the next.
pub struct Alone {
    agent: Box<dyn Agent>,
    actions: Actions,
    memory: Memories,
}

impl Alone {
    fn new(mut agent: Box<dyn Agent>, actions: Actions) -> Self {
        agent.begin(1);
        Alone { agent, actions, memory: Memories::new() }
    }

    /// `agent` with its most likely actions.
    pub fn fixed(agent: &dyn Agent) -> Self {
        Alone::new(agent.duplicate(), Actions::Deterministic)
    }

    /// Its episode in a slot.
    ///
    /// # Errors
    /// If an output of the policy is not finite.
    pub fn play(&mut self, plant: &Plant<'_>, episode: u32) -> Result<Played, Diverged> {
        self.memory.clear();
        plant.perform(episode, plant.horizon, self, Alone::acting, |_, _, _| Ok(()))
    }

    fn acting(&mut self) -> Acting<'_> {
        let policies = self.agent.policies();
        let policy = (policies.layout, &policies.params[0][..]);
        Acting { policy, actions: self.actions, memory: &mut self.memory }
    }
}

/// The episode of the controller with full knowledge in a slot.
pub fn oracle(plant: &Plant<'_>, episode: u32) -> Option<Played> {
    let tasks = std::slice::from_ref(plant.task);
    let controller = privileged::controller(plant.env)?;
    let mut actor = Controlled::new(plant.env, (tasks, 1), |_, _| controller.clone());
    Some(plant.play(episode, &mut actor))
}

/// The episode of random actions in a slot.
pub fn random(plant: &Plant<'_>, episode: u32) -> Played {
    let tasks = std::slice::from_ref(plant.task);
    let stream = plant.stream(Purpose::EvaluationAction, episode).phase(episode as u8);
    let mut actor = Controlled::new(plant.env, (tasks, 1), |_, _| Random::of(plant.env.spec().action, stream));
    plant.play(episode, &mut actor)
}
