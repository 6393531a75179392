//! The policy of one life, and its way of learning from what it does.

use std::collections::VecDeque;

use metadrift_agents::{
    agent::{Adapts, Agent},
    host_policy::HostPolicy,
    rollout::Rollout,
    runtime::guard::{Guard, Opinion},
};
use metadrift_envs::{Purpose, unit_f32};

use super::{
    Learning,
    detector::Detector,
    log::{self, Entry},
    plant::{Acting, Plant},
};
use crate::rollout::{Actions, steps::Memories};

/// Largest weight of a step that another policy has taken, against the variance of weights (Ionides 2008, "Truncated
/// importance sampling").
const MOST: f32 = 5.0;

/// A piece of an episode.
struct Piece {
    episode: u32,
    data: Rollout,
}

/// The policy of one life.
pub struct OnLife<'a> {
    plant: Plant<'a>,
    learning: Learning,
    agent: Box<dyn Agent>,
    unadapted: Box<dyn Agent>,
    memory: Memories,
    pieces: VecDeque<Piece>,
    detector: Option<Detector>,
    guard: Option<Guard>,
    /// True if the adapted policy acts in this episode.
    acts: bool,
    /// True if the guard's coin decided that.
    tossed: bool,
    /// True if the policy has adapted since the beginning, or since it forgot.
    has_adapted: bool,
    /// True if a change was noticed since the last adaptation.
    changed: bool,
    /// Ticks at which a change was noticed.
    pub alarms: Vec<u64>,
    /// Ticks before which the policy adapted.
    pub adaptations: Vec<u64>,
    /// The adaptations, if they are logged.
    pub log: Option<Vec<Entry>>,
    /// Number of adaptations that were given up, since parameters were not finite.
    pub diverged: usize,
}

/// A policy's choice of actions: what learns by gradient needs actions that vary.
pub fn actions(adapts: Adapts) -> Actions {
    if adapts == Adapts::ByGradient { Actions::Sampled } else { Actions::Deterministic }
}

impl<'a> OnLife<'a> {
    /// `agent` at the beginning of a life; `logs` says whether adaptations are logged.
    pub fn new(plant: Plant<'a>, learning: Learning, mut agent: Box<dyn Agent>, logs: bool) -> Self {
        agent.begin(1);
        OnLife {
            plant,
            learning,
            unadapted: agent.duplicate(),
            agent,
            memory: Memories::new(),
            pieces: VecDeque::new(),
            detector: learning.detector.map(|d| Detector::new(d, plant.env.spec(), &plant.task.settings)),
            guard: learning.guard.map(|level| Guard::new(level).expect("options and studies check the level")),
            acts: true,
            tossed: false,
            has_adapted: false,
            changed: false,
            alarms: Vec::new(),
            adaptations: Vec::new(),
            log: logs.then(Vec::new),
            diverged: 0,
        }
    }

    /// Decides who acts in an episode: true for an adapted policy.
    pub fn begin(&mut self, episode: u32) -> bool {
        if self.agent.adapts() == Adapts::ByMemory {
            return episode > 0;
        }
        let word = self.plant.stream(Purpose::Trial, episode).block(0)[0];
        let guard = self.guard.as_ref().filter(|_| self.has_adapted);
        self.tossed = guard.is_some();
        self.acts = guard.is_none_or(|guard| guard.adapted_acts(unit_f32(word).into()).expect("in [0, 1)"));
        self.acts && self.has_adapted
    }

    /// The guard's opinion.
    pub fn opinion(&self) -> Option<Opinion> {
        self.guard.as_ref().map(Guard::opinion)
    }

    /// The policy that acts.
    pub fn acting(&mut self) -> Acting<'_> {
        let agent = if self.acts { &self.agent } else { &self.unadapted };
        let policies = agent.policies();
        let policy = (policies.layout, &policies.params[0][..]);
        Acting { policy, actions: actions(agent.adapts()), memory: &mut self.memory }
    }

    /// Takes in a piece of an episode that began with its tick `from`, and adapts within the episode if it is to.
    pub fn take(&mut self, piece: Rollout, episode: u32, from: u32) {
        let tick = u64::from(episode) * u64::from(self.plant.horizon) + u64::from(from);
        let steps = piece.num_valid();
        let alarm = self.detector.as_mut().and_then(|detector| detector.steps(&piece.task(0)));
        let piece = match alarm {
            Some(at) => {
                self.alarms.push(tick + at as u64);
                self.forget(None);
                piece.without_first(at)
            }
            None => piece,
        };
        let over = piece.task(0).episodes().last().is_some_and(|(_, _, end)| {
            let data = piece.task(0);
            data.terminated[end - 1] || data.truncated[end - 1]
        });
        if piece.num_valid() > 0 {
            self.pieces.push_back(Piece { episode, data: piece });
        }
        if self.learning.every > 0 && !over {
            self.adapt(episode, tick + steps);
        }
    }

    /// Ends an episode with its return.
    pub fn end(&mut self, episode: u32, returned: f64) {
        let end = u64::from(episode + 1) * u64::from(self.plant.horizon);
        if self.detector.as_mut().is_some_and(|detector| detector.episode(returned)) {
            self.alarms.push(end - 1);
            // the episode that gave the alarm belongs to the new world
            self.forget(Some(episode));
        }
        // an episode that began without a coin, or in a world that is no more, tells the guard nothing
        let rolled = self.tossed
            && self.guard.as_mut().is_some_and(|guard| guard.see(returned, self.acts).expect("a finite return"));
        self.adapt(episode, end);
        if let (true, Some(entry)) = (rolled, self.log.as_mut().and_then(|log| log.last_mut())) {
            entry.rolled_back = true;
        }
    }

    /// Forgets what was learned of a world that is no more, but for the data of episode `but`.
    fn forget(&mut self, but: Option<u32>) {
        self.agent.return_by(1.0);
        self.pieces.retain(|piece| Some(piece.episode) == but);
        (self.has_adapted, self.tossed, self.changed) = (false, false, true);
        if let Some(guard) = &mut self.guard {
            guard.renew();
        }
    }

    /// Adapts on the last episodes.
    fn adapt(&mut self, episode: u32, tick: u64) {
        let window = self.learning.window;
        self.pieces.retain(|piece| piece.episode + window > episode);
        if self.pieces.is_empty() || self.agent.adapts() != Adapts::ByGradient {
            return;
        }
        let params = |agent: &dyn Agent| log::digest_of(&agent.policies().params[0]);
        let before = self.log.as_ref().map(|_| params(&*self.agent));
        self.agent.return_by(self.learning.anchor);
        let data = self.data(episode);
        let taken = (0..self.learning.steps).try_for_each(|_| self.agent.adapt(&data));
        if taken.is_err() {
            self.agent.return_by(1.0);
            self.diverged += 1;
        }
        self.has_adapted = taken.is_ok();
        self.adaptations.extend(taken.is_ok().then_some(tick));
        let changed = std::mem::take(&mut self.changed);
        if let (Some(log), Some(before)) = (&mut self.log, before) {
            log.push(Entry {
                life: self.plant.life,
                episode,
                tick,
                samples: data.num_valid(),
                data: log::digest(&data.task(0)),
                before,
                after: params(&*self.agent),
                change: changed,
                guard: self.guard.as_ref().map(|guard| guard.opinion().name().to_owned()),
                evidence: self.guard.as_ref().map(Guard::evidence),
                rolled_back: false,
                diverged: taken.is_err(),
            });
        }
    }

    /// The pieces as data for a step from the policy as it is now.
    fn data(&self, episode: u32) -> Rollout {
        let pieces: Vec<&Rollout> = self.pieces.iter().map(|piece| &piece.data).collect();
        let mut data = Rollout::side_by_side(&pieces);
        let policies = self.agent.policies();
        let policy = HostPolicy::new(policies.layout, &policies.params[0]);
        let now = log_probs(&policy, &data);
        let mut slabs = data.slabs();
        for (old, now) in slabs[0].log_prob.iter_mut().zip(now) {
            // the weight of a step is the ratio of the two probabilities
            *old = if self.learning.importance { old.max(now - MOST.ln()) } else { now };
        }
        drop(slabs);
        if self.learning.half_life == 0.0 {
            return data;
        }
        let age = |piece: &Piece| 0.5f32.powf((episode - piece.episode) as f32 / self.learning.half_life as f32);
        let weights = self.pieces.iter().map(age).collect();
        data.weighted(weights)
    }
}

/// Log-probabilities of all actions of `data` under `policy`, `[steps, envs]`; padding has those of no action.
pub fn log_probs(policy: &HostPolicy, data: &Rollout) -> Vec<f32> {
    let data = data.task(0);
    let rows = data.reward.len();
    let mut out = vec![0.0; rows * policy.outputs()];
    policy.forward(data.obs, &mut out, &mut policy.scratch());
    let mut log_prob = vec![0.0; rows];
    policy.log_probs(&out, data.action, &mut log_prob);
    log_prob
}
