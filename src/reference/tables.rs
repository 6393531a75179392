//! The tables of `[task]`, the fields that all schedules have, and the words that these fields take.

use super::entry::{
    Entry,
    Section::{Apply, Clock, OnBound, Table, Timing},
    entry, may, needed,
};

/// The keys of `[task]` that hold tables.
pub(super) const TABLES: &[Entry] = &[
    entry(
        Table,
        "base",
        "Channels that have the same value in all tasks. `metadrift env show ENV` lists channels, units and ranges",
        &[],
        "base = { tau = 0.01, force_mag = 12.0 }",
    ),
    entry(
        Table,
        "vary",
        "Channels that are drawn once per task, each by a law",
        &[],
        "vary.mass_pole = { law = \"uniform\", low = 0.05, high = 0.2 }",
    ),
    entry(
        Table,
        "drift",
        "Channels that follow a schedule over the life of a task",
        &[],
        "drift.gravity = { kind = \"linear\", from = 9.8, to = 11.0, over = 500 }",
    ),
    entry(
        Table,
        "actuator",
        "Faults of the actuator: `gain` stands for the channel `actuator_gain`, and so on",
        &[],
        "actuator = { gain = { law = \"uniform\", low = 0.5, high = 1.0 }, delay = 1 }",
    ),
    entry(
        Table,
        "sensor",
        "Faults of a sensor: `theta.bias` stands for the channel `sensor_theta_bias`, and so on",
        &[],
        "sensor.theta = { bias = 0.02, noise_std = { law = \"uniform\", low = 0.0, high = 0.05 } }",
    ),
    entry(
        Table,
        "correlated",
        "Channels of `vary` that are drawn together, by a Gaussian copula",
        &[
            needed("channels", "list of channels", "Channels, each with a law in `vary` that is no mixture"),
            needed("correlation", "number, or matrix", "Correlation of every two channels, or the matrix of all"),
        ],
        "correlated = [{ channels = [\"mass_pole\", \"half_length\"], correlation = 0.8 }]\n\
         vary.mass_pole = { law = \"uniform\", low = 0.05, high = 0.2 }\n\
         vary.half_length = { law = \"uniform\", low = 0.3, high = 0.8 }",
    ),
    entry(
        Table,
        "list",
        "Alternatives, each equally likely: a task lays the channels of one of them over the rest",
        &[],
        "list = [{ actuator_gain = 1.0 }, { actuator_gain = { law = \"uniform\", low = -1.0, high = -0.5 } }]",
    ),
    entry(
        Table,
        "notify",
        "Report of changes of the drifting channels in the observation",
        &[
            may(
                "level",
                "\"none\", \"flag\", \"delta\" or \"value\"",
                "\"none\"",
                "Nothing, that there was a change, its size, or the new value",
            ),
            may("delay", "0 to 64 ticks", "0", "Time between a change and its notification"),
            may("noise_std", "0 to 1e6", "0.0", "Standard deviation of the noise on a reported size or value"),
            may("miss_prob", "0 to 1", "0.0", "Probability that a change goes unreported"),
            may("false_alarm_prob", "0 to 1", "0.0", "Probability, per tick without a change, that one is reported"),
        ],
        "notify = { level = \"flag\", delay = 3, miss_prob = 0.1 }\n\
         drift.actuator_gain = { kind = \"step\", at = 250, from = 1.0, to = -1.0 }",
    ),
    entry(
        Table,
        "filter",
        "Conditions on a task; one that fails is drawn anew, so that no task is impossible",
        &[
            may(
                "energy_margin_min",
                "number above 0",
                "no limit",
                "Pendulum: least ratio of available to needed energy; below 1 it cannot be swung up",
            ),
            may(
                "max_step_authority",
                "number above 0 (rad/s)",
                "no limit",
                "Pendulum: largest change of speed in a step at full torque",
            ),
            may("max_wind_share", "number above 0", "no limit", "CartPole: largest ratio of wind to a full push"),
            may("max_step_growth", "number above 0", "no limit", "CartPole: largest growth of a fall in a step"),
            may("max_tries", "1 to 10000", "1000", "Tasks that are drawn to see whether at least 1 % pass"),
        ],
        "filter = { max_wind_share = 0.5 }\nvary.wind_force = { law = \"uniform\", low = -8.0, high = 8.0 }",
    ),
    entry(
        Table,
        "split",
        "Changes for the held-out splits: `split.in_dist` and `split.ood`. A channel named here replaces what the \
         training tasks say of it",
        &[
            may(
                "mode",
                "\"all_out\" or \"one_out\"",
                "\"all_out\"",
                "Variation of all channels of `vary` and `drift` at once, or of one per task",
            ),
            may("base", "as task.base", "none", "Values of all tasks of the split"),
            may("vary", "as task.vary", "none", "Laws"),
            may("drift", "as task.drift", "none", "Schedules"),
            may("actuator", "as task.actuator", "none", "Faults of the actuator"),
            may("sensor", "as task.sensor", "none", "Faults of sensors"),
            may("list", "as task.list", "none", "Alternatives, in place of task.list"),
        ],
        "vary.mass_pole = { law = \"uniform\", low = 0.05, high = 0.2 }\n\
         split.ood.vary.mass_pole = { law = \"shell\", outer = [0.02, 0.4], inner = [0.05, 0.2] }",
    ),
];

/// The fields of every drift.
pub(super) const TIMING: &[Entry] = &[
    entry(
        Timing,
        "clock",
        "The count that the schedule follows. Default: lifetime_step",
        &[],
        "drift.gravity = { kind = \"linear\", from = 9.0, to = 10.0, over = 20, clock = \"episode\" }",
    ),
    entry(
        Timing,
        "apply",
        "Combination of the schedule's value and the undrifted value. Default: abs",
        &[],
        "vary.mass_pole = { law = \"uniform\", low = 0.05, high = 0.2 }\n\
         drift.mass_pole = { kind = \"linear\", from = 1.0, to = 1.5, over = 500, apply = \"scale\" }",
    ),
    entry(
        Timing,
        "hold",
        "Ticks of the clock between two updates, 1 or more. Default: 1",
        &[],
        "drift.gravity = { kind = \"ou\", mean = 9.8, relax_time = 200, stationary_std = 0.5, hold = 25 }",
    ),
    entry(
        Timing,
        "window",
        "First tick of the drift and first tick after it; outside, the channel has its undrifted value. Default: always",
        &[],
        "drift.actuator_gain = { kind = \"constant\", value = 0.3, window = [100, 200] }",
    ),
    entry(
        Timing,
        "on_bound",
        "Treatment of a value outside `bounds`. Default: error, or clamp for a random schedule without limits",
        &[],
        "drift.gravity = { kind = \"random_walk\", start = 9.8, sigma = 0.05, bounds = [8.0, 12.0], \
         on_bound = \"reflect\" }",
    ),
    entry(
        Timing,
        "bounds",
        "Smallest and largest value of the channel, within its legal range. Default: the legal range",
        &[],
        "drift.wind_force = { kind = \"ou\", mean = 0.0, relax_time = 50, stationary_std = 1.0, bounds = [-3.0, 3.0] }",
    ),
];

/// The words that `clock`, `apply` and `on_bound` take.
pub(super) const CHOICES: &[Entry] = &[
    entry(
        Clock,
        "episode_step",
        "Steps of the current episode: the drift is the same in every episode",
        &[],
        "drift.actuator_gain = { kind = \"linear\", from = 1.0, to = 0.5, over = 500, clock = \"episode_step\" }",
    ),
    entry(
        Clock,
        "lifetime_step",
        "Ticks of the task's life; they run on over episodes and adaptation steps. The default",
        &[],
        "drift.actuator_gain = { kind = \"linear\", from = 1.0, to = 0.5, over = 1000, clock = \"lifetime_step\" }",
    ),
    entry(
        Clock,
        "episode",
        "Episodes finished in this phase, and those that fit into the phases before: the value is constant within an episode. `describe` and `plot` show lanes whose episodes last to the time limit",
        &[],
        "drift.actuator_gain = { kind = \"steps\", at = [1, 2], values = [1.0, 0.8, 0.6], clock = \"episode\" }",
    ),
    entry(
        Clock,
        "task",
        "Tasks before this one: the value is constant within a task",
        &[],
        "drift.gravity = { kind = \"random_walk\", start = 9.8, sigma = 0.1, clock = \"task\", bounds = [8.0, 12.0] }",
    ),
    entry(
        Clock,
        "adapt_round",
        "Adaptation steps done: the value changes only between phases",
        &[],
        "drift.actuator_gain = { kind = \"step\", at = 1, from = 1.0, to = 0.6, clock = \"adapt_round\" }",
    ),
    entry(
        Apply,
        "abs",
        "The schedule's value replaces the undrifted one. The default",
        &[],
        "drift.gravity = { kind = \"linear\", from = 9.0, to = 10.0, over = 500, apply = \"abs\" }",
    ),
    entry(
        Apply,
        "add",
        "The schedule's value is added",
        &[],
        "drift.gravity = { kind = \"sinusoid\", mean = 0.0, amplitude = 0.5, period = 300, apply = \"add\" }",
    ),
    entry(
        Apply,
        "scale",
        "The undrifted value is multiplied by the schedule's",
        &[],
        "drift.gravity = { kind = \"sinusoid\", mean = 1.0, amplitude = 0.1, period = 300, apply = \"scale\" }",
    ),
    entry(
        OnBound,
        "error",
        "A configuration that could leave the bounds is refused",
        &[],
        "drift.gravity = { kind = \"linear\", from = 9.0, to = 10.0, over = 500, bounds = [9.0, 10.0], \
         on_bound = \"error\" }",
    ),
    entry(
        OnBound,
        "clamp",
        "The nearest bound",
        &[],
        "drift.gravity = { kind = \"random_walk\", start = 9.8, sigma = 0.05, bounds = [9.0, 11.0], on_bound = \"clamp\" }",
    ),
    entry(
        OnBound,
        "reflect",
        "The value is folded back at the bound",
        &[],
        "drift.gravity = { kind = \"random_walk\", start = 9.8, sigma = 0.05, bounds = [9.0, 11.0], \
         on_bound = \"reflect\" }",
    ),
    entry(
        OnBound,
        "resample",
        "The first of 16 draws at this tick that lies inside, else the nearest bound",
        &[],
        "drift.gravity = { kind = \"ou\", mean = 9.8, relax_time = 50, stationary_std = 1.0, bounds = [9.0, 11.0], \
         on_bound = \"resample\" }",
    ),
];
