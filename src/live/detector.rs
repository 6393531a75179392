//! Detectors of a change of the world: those of the runtime, and notifications, which only simulated worlds give.

use metadrift_agents::{
    batch::Trajectories,
    runtime::detector::{self, THRESHOLD_OF_PREDICTION, THRESHOLD_OF_RETURNS, Test},
    window::Commands,
};
use metadrift_envs::{EnvSpec, NotifyLevel, TaskSettings};
use serde::{Serialize, Serializer};

use crate::rollout::window;

/// The quantity that a detector watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// The returns of episodes.
    Returns,
    /// The errors of a model that predicts the next readings, at every tick.
    Prediction,
    /// Notifications, where the preset gives them (task.notify).
    Notified,
}

/// The settings of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// The quantity.
    pub watch: Watch,
    /// The test.
    #[serde(serialize_with = "name")]
    pub test: Test,
    /// Height of the statistic that is an alarm, in standard deviations of the quantity.
    pub threshold: f64,
}

fn name<S: Serializer>(test: &Test, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(test.name())
}

impl Detection {
    /// The usual detector of `watch`.
    pub fn of(watch: Watch) -> Detection {
        let threshold = if watch == Watch::Prediction { THRESHOLD_OF_PREDICTION } else { THRESHOLD_OF_RETURNS };
        Detection { watch, test: Test::Cusum, threshold }
    }
}

/// A detector on one life.
#[derive(Clone, Debug)]
pub struct Detector {
    commands: Commands,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Sight(detector::Detector),
    Notices(Notices),
}

impl Detector {
    /// A detector on the environment `spec` with tasks of these settings.
    pub fn new(detection: Detection, spec: &EnvSpec, settings: &TaskSettings) -> Detector {
        let Detection { watch, test, threshold } = detection;
        let by = match watch {
            Watch::Returns => By::Sight(detector::Detector::of_returns(test, threshold)),
            Watch::Prediction => By::Sight(detector::Detector::of_prediction(test, threshold, window::of(spec))),
            Watch::Notified => By::Notices(Notices::new(spec, settings)),
        };
        Detector { commands: window::commands(spec), by }
    }

    /// Takes in the steps of one lane; gives the first step after which there is an alarm.
    pub fn steps(&mut self, data: &Trajectories<'_>) -> Option<usize> {
        let mut command = vec![0.0; data.act_dim()];
        data.rows().position(|row| match &mut self.by {
            By::Notices(notices) => notices.at(data.obs_at(data.obs, row), data.episode_step[row] == 0),
            By::Sight(detector) => {
                let action = &data.action[row * data.act_dim()..][..data.act_dim()];
                command.iter_mut().zip(action).for_each(|(command, action)| *command = self.commands.command(*action));
                let step = detector.step(data.obs_at(data.obs, row), &command, data.obs_at(data.next_obs, row));
                step.expect("a simulated world has finite readings")
            }
        })
    }

    /// Takes in the return of an episode; true if it is an alarm.
    pub fn episode(&mut self, returned: f64) -> bool {
        match &mut self.by {
            By::Notices(_) => false,
            By::Sight(detector) => detector.episode(returned).expect("a simulated world has finite rewards"),
        }
    }
}

/// The columns of an observation that announce changes.
#[derive(Clone, Debug)]
struct Notices {
    level: NotifyLevel,
    first: usize,
    width: usize,
    /// The values that were told last.
    told: Vec<f32>,
}

impl Notices {
    fn new(spec: &EnvSpec, settings: &TaskSettings) -> Notices {
        let first = spec.obs_dim() + settings.observe_actions as usize * spec.act_dim();
        let width = metadrift_envs::obs_dim(spec, settings) - first;
        Notices { level: settings.notify.level, first, width, told: Vec::new() }
    }

    /// True if `obs` announces a change; the values at the beginning of an episode are no news.
    fn at(&mut self, obs: &[f32], begins: bool) -> bool {
        let columns = &obs[self.first..self.first + self.width];
        match self.level {
            NotifyLevel::None => false,
            NotifyLevel::Flag => columns[0] > 0.5,
            NotifyLevel::Delta => columns.iter().any(|change| *change != 0.0),
            NotifyLevel::Value => {
                let news = !begins && !self.told.is_empty() && self.told != columns;
                self.told = columns.to_vec();
                news
            }
        }
    }
}
