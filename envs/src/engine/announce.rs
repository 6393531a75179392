//! Notifications: the columns of an observation that announce the changes of drifting channels.

use metadrift_random::Purpose;

use crate::{
    engine::{
        delay::DelayLines,
        faults::{Scene, happens},
        gauss::normal,
        lanes::{Column, LANES},
        words::{Visit, Words},
    },
    physics::spec::EnvSpec,
    tasks::{
        channel::{ChannelLayout, MAX_DELAY, NO_SATURATION},
        clock::Clock,
        settings::{Notify, NotifyLevel, TaskSettings},
        task::Task,
    },
};

const PURPOSES: [Purpose; 2] = [Purpose::Notification, Purpose::EvaluationNotification];

/// Number of columns that notifications append to an observation.
pub(crate) fn columns(spec: &EnvSpec, settings: &TaskSettings) -> usize {
    match settings.notify.level {
        NotifyLevel::None => 0,
        NotifyLevel::Flag => 1,
        NotifyLevel::Delta | NotifyLevel::Value => ChannelLayout::new(spec).count,
    }
}

/// The announcer of a batch: the notifications of every lane.
///
/// A change is a tick at which a drifting channel has another value than at the tick before.
/// Unless it is missed, or instead of nothing if there is a false alarm, the observation of that
/// tick (later by the delay) shows a 1 (`flag`), the change of each channel (`delta`, else
/// zeros), or the values of all channels (`value`, which stay as they were told until the next
/// notification). Noise is added to the columns of channels that drift.
///
/// The initial observation of an episode announces the changes of the reset. Channels on the clock `episode_step` start
/// anew, as in the first episode of the task's life: their values are told as they are, and no change is announced.
/// Channels on the clock `episode` change at the reset: this is announced as a change at a tick would be.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    notify: Notify,
    width: usize,
    channels: usize,
    /// Channels that drift and the clocks they follow, by task.
    drifting: Vec<Vec<(usize, Clock)>>,
    /// Task of each lane, `[envs]`.
    task: Vec<usize>,
    /// Channel values of the tick before, `[blocks, channels]`.
    previous: Vec<Column>,
    /// Announcements before the delay, `[blocks, width]`.
    news: Vec<Column>,
    /// Announcements after the delay, as observations show them, `[blocks, width]`.
    shown: Vec<Column>,
    delay: Option<DelayLines>,
}

impl Announcer {
    /// The announcer at the start of a batch, whose channels have their first values; `None` if nothing is announced.
    pub fn new(spec: &EnvSpec, tasks: &[(&Task, usize)], notify: Notify, scene: &Scene<'_>) -> Option<Announcer> {
        let settings = TaskSettings { notify, ..TaskSettings::default() };
        let width = columns(spec, &settings);
        let channels = ChannelLayout::new(spec).count;
        if width == 0 {
            return None;
        }
        assert!(channels < 255, "{channels} channels where 254 have random numbers of their own");
        assert!(notify.delay as usize <= MAX_DELAY, "a notification {} steps late", notify.delay);
        let blocks = scene.streams.len().div_ceil(LANES);
        let lanes_of = |(task, (_, lanes)): (usize, &(&Task, usize))| std::iter::repeat_n(task, *lanes);
        let mut announcer = Announcer {
            notify,
            width,
            channels,
            drifting: tasks.iter().map(|(task, _)| drifting(task)).collect(),
            task: tasks.iter().enumerate().flat_map(lanes_of).collect(),
            previous: (0..blocks * channels).map(|k| *scene.channels.column(k / channels, k % channels)).collect(),
            news: vec![Column::all(0.0); blocks * width],
            shown: Vec::new(),
            delay: (notify.delay > 0).then(|| DelayLines::new(blocks * width, notify.delay as usize)),
        };
        if notify.level == NotifyLevel::Value {
            announcer.news = announcer.previous.iter().map(|column| column.convert(finite)).collect();
        }
        announcer.shown = announcer.news.clone();
        if let Some(lines) = &mut announcer.delay {
            for (line, column) in announcer.news.iter().enumerate() {
                (0..LANES).for_each(|lane| lines.fill(line, lane, column[lane], notify.delay as f32));
            }
        }
        Some(announcer)
    }

    /// Gives a lane that shares its task with no other a new task, of which nothing has been announced yet.
    pub fn renew(&mut self, scene: &Scene<'_>, lane: usize, task: &Task) {
        let (block, within) = (lane / LANES, lane % LANES);
        self.drifting[self.task[lane]] = drifting(task);
        for channel in 0..self.channels {
            self.previous[block * self.channels + channel][within] = scene.channels.column(block, channel)[within];
        }
        for column in 0..self.width {
            let news = match self.notify.level {
                NotifyLevel::Value => finite(scene.channels.column(block, column)[within]),
                _ => 0.0,
            };
            self.begin(block * self.width + column, within, news);
        }
    }

    /// Sets a column of a lane to `news`, as if it had always been so.
    fn begin(&mut self, line: usize, lane: usize, news: f32) {
        self.news[line][lane] = news;
        self.shown[line][lane] = news;
        if let Some(lines) = &mut self.delay {
            lines.fill(line, lane, news, self.notify.delay as f32);
        }
    }

    /// Begins an episode of a lane; the channels have its initial values.
    pub fn reset(&mut self, scene: &Scene<'_>, block: usize, lane: usize) {
        let drifting = std::mem::take(&mut self.drifting[self.task[block * LANES + lane]]);
        self.restart(scene, block, lane, &drifting);
        self.announce_episode(scene, block, lane, &drifting);
        self.drifting[self.task[block * LANES + lane]] = drifting;
    }

    /// Restarts the columns of the channels that follow the clock of the episode.
    fn restart(&mut self, scene: &Scene<'_>, block: usize, lane: usize, drifting: &[(usize, Clock)]) {
        let anew = |(_, clock): &&(usize, Clock)| *clock == Clock::EpisodeStep;
        for &(channel, _) in drifting.iter().filter(anew) {
            let now = scene.channels.column(block, channel)[lane];
            self.previous[block * self.channels + channel][lane] = now;
            match self.notify.level {
                NotifyLevel::Value => self.begin(block * self.width + channel, lane, finite(now)),
                NotifyLevel::Delta => self.begin(block * self.width + channel, lane, 0.0),
                NotifyLevel::Flag | NotifyLevel::None => {}
            }
        }
        // a flag does not say which channel it is for
        if self.notify.level == NotifyLevel::Flag && !drifting.is_empty() && drifting.iter().all(|d| anew(&d)) {
            self.begin(block * self.width, lane, 0.0);
        }
    }

    /// Announces that channels on the count of episodes have changed, in place of the last tick's news.
    fn announce_episode(&mut self, scene: &Scene<'_>, block: usize, lane: usize, drifting: &[(usize, Clock)]) {
        let number = block * LANES + lane;
        // the next tick uses the first two words of this block
        let missed = happens(scene.draw(number, PURPOSES, 0)[2], self.notify.miss_prob as f32);
        for &(channel, _) in drifting.iter().filter(|(_, clock)| *clock == Clock::Episode) {
            let now = scene.channels.column(block, channel)[lane];
            let was = std::mem::replace(&mut self.previous[block * self.channels + channel][lane], now);
            if missed || now == was {
                continue;
            }
            let [.., a, b] = scene.draw(number, PURPOSES, 1 + channel);
            let noise = if self.notify.noise_std > 0.0 { self.notify.noise_std as f32 * normal([a, b]) } else { 0.0 };
            let (column, told) = match self.notify.level {
                NotifyLevel::None => continue,
                NotifyLevel::Flag => (0, 1.0),
                NotifyLevel::Delta => (channel, finite(now) - finite(was) + noise),
                NotifyLevel::Value => (channel, finite(now) + noise),
            };
            let line = block * self.width + column;
            self.news[line][lane] = told;
            match &mut self.delay {
                None => self.shown[line][lane] = told,
                Some(lines) => lines.amend(line, lane, scene.tick, told),
            }
        }
    }

    /// Number of appended columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Detects the changes in a block, and announces them.
    pub fn tick(&mut self, scene: &Scene<'_>, block: usize) {
        for lane in scene.lanes(block) {
            self.observe(scene, block, lane);
        }
        let delay = Column::all(self.notify.delay as f32);
        for line in block * self.width..(block + 1) * self.width {
            self.shown[line] = self.news[line];
            if let Some(lines) = &mut self.delay {
                lines.pass(line, scene.tick, &mut self.shown[line], &delay);
            }
        }
    }

    /// Writes the announcement of this tick to a lane, before the delay.
    fn observe(&mut self, scene: &Scene<'_>, block: usize, lane: usize) {
        let number = block * LANES + lane;
        let drifting = &self.drifting[self.task[number]];
        let previous = &mut self.previous[block * self.channels..][..self.channels];
        let now = |channel: usize| scene.channels.column(block, channel)[lane];
        let changed = drifting.iter().any(|(channel, _)| now(*channel) != previous[*channel][lane]);
        let error = if changed { self.notify.miss_prob } else { self.notify.false_alarm_prob } as f32;
        let erred = error > 0.0 && happens(scene.draw(number, PURPOSES, 0)[usize::from(changed)], error);
        let announced = changed != erred;
        let news = &mut self.news[block * self.width..][..self.width];
        match self.notify.level {
            NotifyLevel::None => {}
            NotifyLevel::Flag => news[0][lane] = f32::from(u8::from(announced)),
            NotifyLevel::Delta | NotifyLevel::Value => {
                for &(channel, _) in drifting {
                    let mut told = finite(now(channel));
                    if self.notify.level == NotifyLevel::Delta {
                        told -= finite(previous[channel][lane]);
                    } else if !announced {
                        continue;
                    }
                    if self.notify.noise_std > 0.0 && announced {
                        let [a, b, ..] = scene.draw(number, PURPOSES, 1 + channel);
                        told += self.notify.noise_std as f32 * normal([a, b]);
                    }
                    news[channel][lane] = if announced { told } else { 0.0 };
                }
            }
        }
        if changed {
            for &(channel, _) in drifting {
                previous[channel][lane] = now(channel);
            }
        }
    }

    /// Writes the appended columns of a lane.
    pub fn write_row(&self, block: usize, lane: usize, row: &mut [f32]) {
        for (shown, column) in row.iter_mut().zip(&self.shown[block * self.width..]) {
            *shown = column[lane];
        }
    }
}

impl Words for Announcer {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.previous.words(visit);
        self.news.words(visit);
        self.shown.words(visit);
        self.delay.words(visit);
    }
}

/// The channels of a task that drift, and the clocks they follow.
fn drifting(task: &Task) -> Vec<(usize, Clock)> {
    task.drifts.iter().map(|drift| (drift.channel, drift.timing.clock)).collect()
}

/// A saturation that is no limit is stored as an infinite one.
fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { NO_SATURATION as f32 }
}
