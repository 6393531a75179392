//! Task distributions: what a task file says, and drawing tasks from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::drift::{Drift, Timing};
use crate::env::EnvSpec;
use crate::law::{Law, Number};
use crate::rng::{Purpose, Stream};
use crate::schedule::Schedule;
use crate::settings::TaskSettings;
use crate::task::{
    Channel, Split, Task, TaskError, TaskId, channel_at, channels, check_finite, check_schedule, check_value,
};

/// A schedule as written: every number is fixed or has a law to be drawn from, once per task.
pub type DriftConfig = Schedule<Number>;

/// The `[task]` table of a configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// Name of the environment.
    pub env: String,
    /// Time limit (steps per episode); the environment's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u32>,
    /// Channels drawn once per task.
    #[serde(default)]
    pub vary: BTreeMap<String, Law>,
    /// Channels that follow a schedule.
    #[serde(default)]
    pub drift: BTreeMap<String, DriftConfig>,
    /// What the test splits do differently.
    #[serde(default)]
    pub split: SplitOverrides,
}

impl TaskConfig {
    /// Checks what is said about every split, also those that a command does not use.
    ///
    /// # Errors
    /// As [`TaskDistribution::new`].
    pub fn validate(&self, spec: &EnvSpec) -> Result<(), TaskError> {
        let mut splits = Split::ALL.into_iter();
        splits.try_for_each(|split| TaskDistribution::new(spec, self, split).map(|_| ()))
    }
}

/// Overrides by split, `[task.split.in_dist]` and `[task.split.ood]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitOverrides {
    /// For held-out tasks of the training distribution; usually absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_dist: Option<Overrides>,
    /// For tasks outside the training distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ood: Option<Overrides>,
}

/// Entries that take the place of what the training distribution says about the same channel,
/// be that in `vary` or in `drift`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Channels drawn once per task.
    #[serde(default)]
    pub vary: BTreeMap<String, Law>,
    /// Channels that follow a schedule.
    #[serde(default)]
    pub drift: BTreeMap<String, DriftConfig>,
}

/// What one channel does, and where that is written.
#[derive(Clone, Debug)]
struct Entry<T> {
    path: String,
    channel: usize,
    what: T,
}

/// A validated distribution over tasks of one environment and split.
///
/// Tasks of different splits cannot coincide: the value of every draw from a continuous law
/// carries its split (see `Draw::stamped` in `law.rs`), also after rounding to `f32`. Where only
/// discrete laws are used nothing can keep the splits apart; [`TaskDistribution::disjoint_from`]
/// says which case it is.
#[derive(Clone, Debug)]
pub struct TaskDistribution {
    split: Split,
    base: Vec<f64>,
    vary: Vec<Entry<Law>>,
    drift: Vec<Entry<DriftConfig>>,
    settings: TaskSettings,
}

impl TaskDistribution {
    /// The distribution that `config` describes for `split`.
    ///
    /// # Errors
    /// On an unknown channel, an ill-formed law or schedule, and any value that could leave the
    /// legal range of its channel.
    pub fn new(spec: &EnvSpec, config: &TaskConfig, split: Split) -> Result<TaskDistribution, TaskError> {
        if config.env != spec.name {
            return Err(invalid("task.env", format!("`{}` where `{}` is set up", config.env, spec.name)));
        }
        if config.horizon == Some(0) {
            return Err(invalid("task.horizon", "0, but an episode has at least one step".into()));
        }
        let mut vary = BTreeMap::new();
        let mut drift = BTreeMap::new();
        overlay(&mut vary, &mut drift, "task", &config.vary, &config.drift)?;
        let (overrides, path) = match split {
            Split::Train => (&None, ""),
            Split::InDist => (&config.split.in_dist, "task.split.in_dist"),
            Split::Ood => (&config.split.ood, "task.split.ood"),
        };
        if let Some(Overrides { vary: v, drift: d }) = overrides {
            overlay(&mut vary, &mut drift, path, v, d)?;
        }

        let channels = channels(spec);
        let vary = resolve(spec, vary)?;
        for entry in &vary {
            check_law(&entry.path, Some(&channels[entry.channel]), &entry.what)?;
        }
        let drift = resolve(spec, drift)?;
        for entry in &drift {
            check_drift(&entry.path, &channels[entry.channel], &entry.what)?;
        }
        Ok(TaskDistribution {
            split,
            base: channels.iter().map(|channel| channel.default).collect(),
            vary,
            drift,
            settings: TaskSettings::default(),
        })
    }

    /// The split this distribution is for.
    pub fn split(&self) -> Split {
        self.split
    }

    /// Task `index` (below [`crate::rng::MAX_INDEX`]) of `iteration`: pure, so any task can be
    /// drawn at any time. Each channel has its own random stream: what is said about one channel
    /// does not change the draws of another.
    pub fn sample(&self, seed: u64, iteration: u32, index: u32) -> Task {
        let code = self.split.code();
        let stream = Stream::new(seed, Purpose::TaskDraw).iteration(iteration).phase(code).task(index);
        // two streams a channel: its value, and the numbers of its schedule
        let words = |place: usize| {
            let mut rng = stream.env(place as u32).rng();
            move || rand::Rng::next_u32(&mut rng)
        };

        let mut values = self.base.clone();
        for entry in &self.vary {
            let draw = entry.what.draw(&mut words(2 * entry.channel));
            values[entry.channel] = draw.stamped(i32::from(code));
        }
        let drifts = self.drift.iter().map(|entry| {
            let mut words = words(2 * entry.channel + 1);
            let Ok(schedule) = entry.what.try_map(|_, number| {
                let draw = number.law().draw(&mut words);
                Ok::<_, std::convert::Infallible>(draw.stamped(i32::from(code)))
            });
            Drift { channel: entry.channel, schedule, timing: Timing::default() }
        });
        Task {
            id: TaskId { split: self.split, iteration, index },
            values,
            drifts: drifts.collect(),
            settings: self.settings.clone(),
        }
    }

    /// True if no task of `self` can equal one of `other`: their splits differ, and in some place
    /// both always draw from a continuous law. False where only discrete laws could tell them
    /// apart.
    pub fn disjoint_from(&self, other: &TaskDistribution) -> bool {
        let own = self.continuous_places();
        self.split != other.split && other.continuous_places().iter().any(|p| own.contains(p))
    }

    /// Channels and fields of schedules that always carry the split.
    fn continuous_places(&self) -> BTreeSet<(usize, Option<&'static str>)> {
        let mut places = BTreeSet::new();
        for entry in self.vary.iter().filter(|entry| entry.what.is_continuous()) {
            places.insert((entry.channel, None));
        }
        for entry in &self.drift {
            let Ok(_) = entry.what.try_map(|field, number| {
                if number.law().is_continuous() {
                    places.insert((entry.channel, Some(field)));
                }
                Ok::<_, std::convert::Infallible>(())
            });
        }
        places
    }
}

/// Entries by channel name, each with the path of its table.
type Entries<T> = BTreeMap<String, (String, T)>;

/// Lays the entries of one table over what was said before about the same channels.
fn overlay(
    vary: &mut Entries<Law>,
    drift: &mut Entries<DriftConfig>,
    path: &str,
    new_vary: &BTreeMap<String, Law>,
    new_drift: &BTreeMap<String, DriftConfig>,
) -> Result<(), TaskError> {
    if let Some(name) = new_vary.keys().find(|name| new_drift.contains_key(*name)) {
        return Err(invalid(
            &format!("{path}.drift.{name}"),
            format!("also in {path}.vary; a channel is either drawn or follows a schedule"),
        ));
    }
    for (name, law) in new_vary {
        drift.remove(name);
        vary.insert(name.clone(), (format!("{path}.vary.{name}"), law.clone()));
    }
    for (name, config) in new_drift {
        vary.remove(name);
        drift.insert(name.clone(), (format!("{path}.drift.{name}"), config.clone()));
    }
    Ok(())
}

/// Replaces names by indices.
fn resolve<T>(spec: &EnvSpec, entries: Entries<T>) -> Result<Vec<Entry<T>>, TaskError> {
    let resolved = entries.into_iter().map(|(name, (path, what))| {
        let channel = channel_at(spec, &path, &name)?;
        Ok(Entry { path, channel, what })
    });
    resolved.collect()
}

/// Refuses a law that is ill-formed or, for a channel, could draw an illegal value.
fn check_law(path: &str, channel: Option<&Channel>, law: &Law) -> Result<(), TaskError> {
    for value in law.values() {
        check_finite(path, value)?;
    }
    if let Some(problem) = law.defect() {
        return Err(invalid(path, problem));
    }
    if let Some(channel) = channel {
        let (low, high) = law.support();
        check_value(path, channel, low)?;
        check_value(path, channel, high)?;
    }
    Ok(())
}

/// Refuses a drift if any schedule it can draw is ill-formed or leaves the legal range. By the
/// shape of [`Schedule::range`] it is enough to look at the corners: each number at one end of
/// its support.
fn check_drift(path: &str, channel: &Channel, config: &DriftConfig) -> Result<(), TaskError> {
    let mut numbers = 0;
    config.try_map(|field, number| {
        numbers += 1;
        check_law(&format!("{path}.{field}"), None, &number.law())
    })?;
    for corner in 0..1_u32 << numbers {
        let mut place = 0;
        let schedule = config.try_map(|_, number| {
            let (low, high) = number.law().support();
            let at_high = corner >> place & 1 == 1;
            place += 1;
            Ok::<_, TaskError>(if at_high { high } else { low })
        })?;
        check_schedule(path, channel, &schedule)?;
    }
    Ok(())
}

fn invalid(path: &str, problem: String) -> TaskError {
    TaskError::Invalid { path: path.to_string(), problem }
}
