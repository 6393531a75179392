//! Task distributions: the tasks that a task file describes, drawn at random.

use std::convert::Infallible;

use metadrift_random::{Purpose, Stream};
use rand::Rng;

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::{Channel, Entry, channels},
        clock::Clock,
        config::TaskConfig,
        drift::Drift,
        error::{TaskError, invalid},
        filter::Filter,
        noise::Noise,
        plan::{Plan, plans},
        settings::TaskSettings,
        task::{Split, Task, TaskId},
    },
};

/// A validated distribution over tasks of one environment and split.
///
/// Tasks of different splits cannot coincide: the value of every draw from a continuous law
/// carries its split (see `Draw::stamped` in `law.rs`), also after rounding to `f32`, and random
/// schedules have noise of their own. Where only discrete laws are used nothing can keep the
/// splits apart; [`TaskConfig::overlaps`] finds out.
#[derive(Clone, Debug)]
pub struct TaskDistribution {
    spec: &'static EnvSpec,
    pub(crate) split: Split,
    pub(crate) channels: Vec<Channel>,
    /// Plans of the tasks, equally likely.
    pub(crate) plans: Vec<Plan>,
    filter: Option<Filter>,
    settings: TaskSettings,
}

/// Seed of the tasks of [`TaskDistribution::list`].
const LIST_SEED: u64 = 0x006d_6574_6164_7266;

/// Random streams of a task by place: two a channel below this, its value and the numbers of its
/// schedule; the choice of the plan above.
const PLACES: u32 = 1 << 10;
const PLAN_PLACE: u32 = PLACES - 1;

/// Draws of a task in search of one that passes the filter; each has its own streams.
const MAX_ATTEMPTS: u32 = 1 << 14;

impl TaskDistribution {
    /// The distribution that `config` describes for `split`.
    ///
    /// # Errors
    /// On an unknown channel, an ill-formed law or schedule, any value that could leave the
    /// legal range of its channel, and a filter that fewer than one task in a hundred passes.
    pub fn new(spec: &'static EnvSpec, config: &TaskConfig, split: Split) -> Result<TaskDistribution, TaskError> {
        if config.env != spec.name {
            return Err(invalid("task.env", format!("`{}` where `{}` is set up", config.env, spec.name)));
        }
        if config.horizon == Some(0) {
            return Err(invalid("task.horizon", "0, but an episode has at least one step"));
        }
        let settings = config.settings();
        settings.check(spec)?;
        let plans = plans(spec, config, split)?;
        let filter = config.filter.clone();
        let distribution = TaskDistribution { spec, split, channels: channels(spec), plans, filter, settings };
        if let Some(filter) = &distribution.filter {
            filter.check(spec.name)?;
            distribution.check_shared(filter)?;
            distribution.probe(filter)?;
        }
        Ok(distribution)
    }

    /// The split this distribution is for.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The settings that all tasks have in common.
    pub fn settings(&self) -> &TaskSettings {
        &self.settings
    }

    /// Task `index` (below [`metadrift_random::MAX_INDEX`]) of `iteration`: pure, so any task can be
    /// drawn at any time. Each channel has its own random stream: a change of one channel's law
    /// does not change the draws of another.
    pub fn sample(&self, seed: u64, iteration: u32, index: u32) -> Task {
        let id = TaskId { split: self.split, iteration, index };
        let mut drawn = (0..MAX_ATTEMPTS).map(|attempt| self.attempt(seed, id, attempt));
        let passes = |task: &Task| self.filter.as_ref().is_none_or(|f| f.reject(self.spec, task).is_none());
        drawn.find(passes).expect("one in a hundred passed when the distribution was made")
    }

    /// The channels that a task may set or let drift, in no order, some of them several times.
    pub fn touched(&self) -> Vec<usize> {
        let of_plan = |plan: &Plan| {
            let vary = plan.vary.iter().map(|e| e.channel);
            let drift = plan.drift.iter().map(|e| e.channel);
            vary.chain(drift).collect::<Vec<_>>()
        };
        self.plans.iter().flat_map(of_plan).collect()
    }

    /// The first `count` tasks of the fixed list of this split: the tasks that published numbers
    /// refer to.
    pub fn list(&self, count: u32) -> Vec<Task> {
        (0..count).map(|index| self.sample(LIST_SEED, 0, index)).collect()
    }

    /// The first draw of each entry of a list of tasks, in its order, whether or not it passes a filter; one task if there is
    /// no list.
    pub fn each(&self) -> Vec<Task> {
        let of = |(index, plan): (usize, &Plan)| {
            let id = TaskId { split: self.split, iteration: 0, index: index as u32 };
            self.draw(plan, LIST_SEED, id, 0)
        };
        self.plans.iter().enumerate().map(of).collect()
    }

    /// Refuses a filter that may depend on numbers which all tasks of a seed share: if one task fails, all would.
    fn check_shared(&self, filter: &Filter) -> Result<(), TaskError> {
        let shared = self.plans.iter().flat_map(|plan| &plan.drift).filter(|e| e.what.timing.clock == Clock::Task);
        for Entry { path, channel, what } in shared {
            let drawn = what.schedule.try_map(|_, number| {
                let (low, high) = number.law().support();
                if low < high { Err(()) } else { Ok(()) }
            });
            if drawn.is_err() && filter.looks_at(self.spec, &self.channels[*channel].name) {
                let problem = "the filter cannot choose among numbers that are drawn once for all tasks (clock = \"task\"); \
                               write values in place of laws";
                return Err(invalid(path, problem));
            }
        }
        Ok(())
    }

    /// Draws tasks until one in a hundred has passed the filter.
    fn probe(&self, filter: &Filter) -> Result<(), TaskError> {
        let enough = filter.max_tries.div_ceil(100);
        let mut passed = 0;
        let mut failed = Vec::<(&str, u32, f64)>::new();
        for index in 0..filter.max_tries {
            let id = TaskId { split: self.split, iteration: 0, index };
            let Some(rejection) = filter.reject(self.spec, &self.attempt(LIST_SEED, id, 0)) else {
                passed += 1;
                if passed == enough {
                    return Ok(());
                }
                continue;
            };
            match failed.iter_mut().find(|(condition, ..)| *condition == rejection.condition) {
                Some((_, count, _)) => *count += 1,
                None => failed.push((rejection.condition, 1, rejection.value)),
            }
        }
        let reasons = failed.iter().map(|(c, count, value)| format!("{count} failed {c} (the first had {value:.4})"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let tries = filter.max_tries;
        let split = self.split;
        let problem = format!("of {tries} tasks tried for split {split}, {passed} passed and {reasons}; 1 % must pass");
        Err(invalid("task.filter", problem))
    }

    /// A draw, before the filter.
    fn attempt(&self, seed: u64, id: TaskId, attempt: u32) -> Task {
        let plan = match self.plans.len() {
            1 => &self.plans[0],
            n => {
                let word = self.stream(seed, id).env(PLAN_PLACE + attempt * PLACES).block(0)[0];
                &self.plans[((u64::from(word) * n as u64) >> 32) as usize]
            }
        };
        self.draw(plan, seed, id, attempt)
    }

    fn stream(&self, seed: u64, id: TaskId) -> Stream {
        Stream::new(seed, Purpose::TaskDraw).iteration(id.iteration).phase(self.split.code()).task(id.index)
    }

    /// A draw of `plan`.
    fn draw(&self, plan: &Plan, seed: u64, id: TaskId, attempt: u32) -> Task {
        let code = self.split.code();
        let stream = self.stream(seed, id);
        let at = |place: u32| stream.env(place + attempt * PLACES);
        let joint = joint_words(plan, |channel| at(2 * channel as u32).block(0)[0]);
        let mut values: Vec<f64> = self.channels.iter().map(|channel| channel.default).collect();
        for Entry { channel, what, .. } in &plan.vary {
            let mut joint = joint.iter().find(|(joined, _)| joined == channel).map(|(_, word)| *word);
            let mut rng = at(2 * *channel as u32).rng();
            let draw = what.draw(&mut || joint.take().unwrap_or_else(|| rng.next_u32()));
            values[*channel] = draw.stamped(i32::from(code));
        }
        let drifts = plan.drift.iter().map(|Entry { channel, what, path }| {
            let stream = match what.timing.clock {
                // one schedule that runs through all tasks of the split
                Clock::Task => stream.iteration(0).task(0).env(2 * *channel as u32 + 1),
                _ => at(2 * *channel as u32 + 1),
            };
            let mut rng = stream.rng();
            let Ok(schedule) = what.schedule.try_map(|_, number| {
                let draw = number.law().draw(&mut || rng.next_u32());
                Ok::<_, Infallible>(draw.stamped(i32::from(code)))
            });
            let noise = Noise::of(Stream { purpose: Purpose::Drift, ..stream });
            let place = (*channel, &self.channels[*channel]);
            let drift = Drift::known_good(path, place, values[*channel], schedule, what.timing, noise);
            drift.expect("every corner of the laws was checked")
        });
        let drifts = drifts.collect();
        Task { id, values, drifts, settings: self.settings.clone() }
    }

    /// Returns true if no task of `self` can equal one of `other`: their splits differ, and there is no
    /// [`TaskDistribution::overlap`].
    pub fn disjoint_from(&self, other: &TaskDistribution) -> bool {
        self.split != other.split && self.overlap(other).is_none()
    }
}

impl TaskConfig {
    /// Checks the distributions of all splits, also of those that a command does not use.
    ///
    /// # Errors
    /// Those of [`TaskDistribution::new`].
    pub fn validate(&self, spec: &'static EnvSpec) -> Result<(), TaskError> {
        let mut splits = Split::ALL.into_iter();
        splits.try_for_each(|split| TaskDistribution::new(spec, self, split).map(|_| ()))
    }
}

/// The first random word of each channel that is drawn together with others.
fn joint_words(plan: &Plan, word: impl Fn(usize) -> u32) -> Vec<(usize, u32)> {
    let joined = plan.copulas.iter().flat_map(|copula| {
        let words = copula.channels.iter().map(|channel| word(*channel));
        let independent: Vec<f64> = words.map(|word| (f64::from(word) + 0.5) / 4_294_967_296.0).collect();
        let shares = copula.shares(&independent).into_iter().map(|share| (share * 4_294_967_296.0) as u32);
        copula.channels.iter().copied().zip(shares)
    });
    joined.collect()
}
