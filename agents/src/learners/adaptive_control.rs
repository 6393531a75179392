//! Adaptive control, the baseline of a control engineer: it learns nothing beforehand. An observer that knows the physics
//! estimates state and channels of a task by least squares with forgetting, and a controller acts as if the estimates were
//! true (certainty equivalence; Åström and Wittenmark, "Adaptive Control", 1995, chapters 2 and 4).
//!
//! Observer and controller belong to the program, since they know the environments; here are their settings, and all that
//! they know of the channels beforehand.

use serde::{Deserialize, Serialize};

use super::recurrent::returns;
use crate::{
    agent::{Agent, Remembering},
    backend::NoBackend,
    keys::{Absent, INTEGER, Key, NUMBER, OwnConfig, Section, key, own, range},
    layout::Layout,
    learner::{Entry, Ground, Learner, Learns, any},
    memory::{Sizes, Taken},
    ranges::{LANES, OutOfRange, Range, check_in, check_lanes},
    report::{Diverged, Report, Stopwatch},
    settings::Settings,
    source::{Demand, Policies, Source},
    state::{Misfit, State},
};

/// `learner = "adaptive-control"`
pub const ENTRY: Entry = Entry {
    name: "adaptive-control",
    about: "A controller that knows the physics and estimates the task while it acts; it needs no training",
    details: "Åström and Wittenmark, Adaptive Control, 1995. An extended Kalman filter that knows the equations of motion \
              estimates state and parameters; the controller with full knowledge acts on the estimates. Nothing is learned.",
    ignores: &["rollout.num_tasks", "rollout.num_envs", "policy.*", "maml.*", "ppo.*"],
    own: Some(Section::of::<AdaptiveControlConfig>()),
    settings: Some("iterations = 1\n"),
    learns: Learns::Episodes,
    check: any,
    layout: |settings, obs_dim, head| Layout::model(obs_dim, settings.channels, head),
    demand,
    size: |settings| format!("adaptive control, tried on {} lives", of(settings).lanes),
    memory: |_, sizes: &Sizes| Taken {
        data: 0,
        networks: sizes.networks(sizes.params, 1),
        keys: "adaptive_control.lanes or rollout.num_steps",
    },
    build,
};

/// `[adaptive_control]`: the settings of its observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveControlConfig {
    /// Factor by which the weight of a tick falls with every tick after it.
    pub forgetting: f64,
    /// Surprise in standard deviations from which on something must have changed.
    pub surprise: f64,
    /// Lives of an iteration, each on a task of its own.
    pub lanes: usize,
}

impl Default for AdaptiveControlConfig {
    fn default() -> Self {
        AdaptiveControlConfig { forgetting: 0.99, surprise: 5.0, lanes: 32 }
    }
}

impl OwnConfig for AdaptiveControlConfig {
    const SECTION: &'static str = "adaptive_control";
    #[rustfmt::skip]
    const KEYS: &'static [Key] = &[
        key("adaptive_control.forgetting", NUMBER, Absent::Is("0.99"), range("0.1 to 1", "0.05"), "", "Factor by which the weight of a tick falls with every tick after it"),
        key("adaptive_control.surprise", NUMBER, Absent::Is("5"), range("1 to 100", "0.5"), "standard deviations", "Surprise from which on something must have changed"),
        key("adaptive_control.lanes", INTEGER, Absent::Is("32"), range(LANES, "33"), "lanes", "Lives of an iteration, each on a task of its own"),
    ];

    fn check(&self) -> Result<(), OutOfRange> {
        let AdaptiveControlConfig { forgetting, surprise, lanes } = *self;
        check_in("adaptive_control.forgetting", forgetting, forgetting, Range::Between(0.1, 1.0))?;
        check_in("adaptive_control.surprise", surprise, surprise, Range::Between(1.0, 100.0))?;
        check_lanes("adaptive_control.lanes", lanes)
    }
}

fn of(settings: &Settings) -> AdaptiveControlConfig {
    own(&settings.own)
}

fn demand(settings: &Settings) -> Demand {
    let asked = settings.rollout.num_steps;
    let steps = if asked == 0 { settings.horizon as usize } else { asked };
    Demand::Lives { lanes: of(settings).lanes, steps, taught: 0 }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    // no gradient is computed on any device
    let Ground { layout, channels, .. } = ground;
    let AdaptiveControlConfig { forgetting, surprise, .. } = of(settings);
    let observer = [forgetting, surprise].map(|number| number as f32);
    let params = observer.into_iter().chain(channels.into_iter().flatten()).collect();
    Ok(Box::new(AdaptiveControl { layout, params }))
}

/// The learner, which never changes.
struct AdaptiveControl {
    layout: Layout,
    /// `[num_params]`
    params: Vec<f32>,
}

impl Learner for AdaptiveControl {
    /// Controls lives on tasks of training, to measure their returns.
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        source.begin(iteration);
        let params = std::slice::from_ref(&self.params);
        let rollout = source.collect(0, Policies { layout: &self.layout, params })?;
        watch.lap("time/rollout_s");
        let timing = watch.timing(rollout.num_valid());
        let returns = returns(rollout);
        let metrics = returns.metrics(source.env_steps());
        Ok(Report { metrics, timing, return_post: returns.mean, return_unadapted: None, informative: true })
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(Remembering::new(self.layout.clone(), self.params.clone()))
    }

    /// Nothing: it takes no steps.
    fn scale_steps(&mut self, _factor: f64) {}

    fn save(&self, state: &mut State) {
        state.put("params", &self.params);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        self.params = state.tensor("params", self.params.len())?;
        Ok(())
    }
}
