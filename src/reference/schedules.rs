//! The schedules.

use super::entry::{Entry, Field, Section::Schedule, entry, may, needed};

const N: &str = "number or law";
const LENGTH: &str = "1e-6 to 1e15, or law";
const TICK: &str = "tick, number or law";

const FROM: Field = needed("from", N, "Value before");
const TO: Field = needed("to", N, "Value after");
const PHASE: Field = may("phase", "number, law or \"random\"", "0.0", "Share of a cycle at which tick 0 lies");
const PERIOD: Field = needed("period", LENGTH, "Length of a cycle (ticks)");
const MEAN: Field = needed("mean", N, "Centre");
const AMPLITUDE: Field = needed("amplitude", N, "Largest departure from the mean");
const DWELL: Field = may("dwell", "1 to 1e12, or law", "another dwell", "Ticks between two switches");
const DWELL_RANGE: Field =
    may("dwell_range", "[low, high]", "another dwell", "Ticks between two switches, uniform on the whole numbers");
const MEAN_DWELL: Field = may(
    "mean_dwell",
    "1 to 1e12, or law",
    "another dwell",
    "Mean ticks between two switches, geometrically distributed",
);

/// Every schedule.
pub(super) const SCHEDULES: &[Entry] = &[
    entry(
        Schedule,
        "constant",
        "The same value at all times",
        &[needed("value", N, "The value")],
        "drift.gravity = { kind = \"constant\", value = { law = \"uniform\", low = 9.0, high = 10.0 } }",
    ),
    entry(
        Schedule,
        "step",
        "One abrupt switch",
        &[needed("at", TICK, "First tick of the new value"), FROM, TO],
        "drift.actuator_gain = { kind = \"step\", at = 250, from = 1.0, to = -1.0 }",
    ),
    entry(
        Schedule,
        "steps",
        "Several abrupt switches",
        &[
            needed("at", "list of ticks, increasing", "Ticks of the switches"),
            needed("values", "list of numbers or laws", "Values, one more than there are switches"),
        ],
        "drift.actuator_gain = { kind = \"steps\", at = [100, 300], values = [1.0, 0.5, 0.8] }",
    ),
    entry(
        Schedule,
        "linear",
        "A ramp from one value to another; `ramp_hold` is another name for it",
        &[
            needed("from", N, "Value until `start`"),
            needed("to", N, "Value at the end of the ramp"),
            may("start", TICK, "0.0", "Tick at which the ramp begins"),
            needed("over", LENGTH, "Length of the ramp (ticks)"),
            may("returns", "true or false", "false", "Add a second ramp that leads back"),
        ],
        "drift.cart_friction = { kind = \"linear\", from = 0.0, to = 0.5, start = 100, over = 400 }",
    ),
    entry(
        Schedule,
        "sinusoid",
        "mean + amplitude · sin(2π (tick / period + phase))",
        &[MEAN, AMPLITUDE, PERIOD, PHASE],
        "drift.actuator_gain = { kind = \"sinusoid\", mean = 0.8, amplitude = 0.3, period = 600, phase = \"random\" }",
    ),
    entry(
        Schedule,
        "triangle",
        "Straight up and down, in phase with the sinusoid",
        &[MEAN, AMPLITUDE, PERIOD, PHASE],
        "drift.track_tilt = { kind = \"triangle\", mean = 0.0, amplitude = 0.1, period = 400 }",
    ),
    entry(
        Schedule,
        "saw",
        "Straight up over a cycle, then down at once",
        &[MEAN, AMPLITUDE, PERIOD, PHASE],
        "drift.actuator_gain = { kind = \"saw\", mean = 0.7, amplitude = 0.3, period = 500 }",
    ),
    entry(
        Schedule,
        "square",
        "mean + amplitude for the first part of a cycle, mean − amplitude for the rest",
        &[MEAN, AMPLITUDE, PERIOD, PHASE, may("duty", "0 to 1, or law", "0.5", "Share of the cycle that is high")],
        "drift.wind_force = { kind = \"square\", mean = 0.0, amplitude = 2.0, period = 200, duty = 0.3 }",
    ),
    entry(
        Schedule,
        "exponential",
        "to + (from − to) · exp(−rate (tick − start)) from `start` on",
        &[
            needed("from", N, "Value until `start`"),
            needed("to", N, "Value it tends to"),
            needed("rate", "1e-15 to 1e6, or law", "Rate of approach (1 / ticks)"),
            may("start", TICK, "0.0", "Tick at which it begins"),
        ],
        "drift.force_mag = { kind = \"exponential\", from = 10.0, to = 6.0, rate = 0.005 }",
    ),
    entry(
        Schedule,
        "sigmoid",
        "from + (to − from) / (1 + exp(−(tick − midpoint) / width))",
        &[
            needed("from", N, "Value long before"),
            needed("to", N, "Value long after"),
            needed("midpoint", TICK, "Tick at which half of the change is done"),
            needed("width", LENGTH, "Ticks from there to 73 % of the change"),
        ],
        "drift.mass_pole = { kind = \"sigmoid\", from = 0.1, to = 0.3, midpoint = 300, width = 20 }",
    ),
    entry(
        Schedule,
        "random_walk",
        "Independent normal changes that add up",
        &[
            may("start", N, "0.0", "Value at tick 0"),
            needed("sigma", "number or law, 0 or more", "Standard deviation of the change in a tick"),
        ],
        "drift.gravity = { kind = \"random_walk\", start = 9.8, sigma = 0.02, bounds = [8.0, 12.0], \
         on_bound = \"reflect\" }",
    ),
    entry(
        Schedule,
        "ou",
        "Ornstein-Uhlenbeck: a random walk that is drawn back to its mean",
        &[
            needed("mean", N, "Centre"),
            needed("relax_time", LENGTH, "Ticks after which a departure has shrunk to 1/e"),
            needed("stationary_std", "number or law, 0 or more", "Standard deviation at every tick"),
        ],
        "drift.wind_force = { kind = \"ou\", mean = 0.0, relax_time = 50, stationary_std = 1.0, bounds = [-5.0, 5.0] }",
    ),
    entry(
        Schedule,
        "piecewise",
        "Draws from a law that hold for a while; give one of the three dwells",
        &[needed("law", "law", "Law of the values"), DWELL, MEAN_DWELL, DWELL_RANGE],
        "drift.actuator_gain = { kind = \"piecewise\", law = { law = \"uniform\", low = 0.5, high = 1.5 }, \
         mean_dwell = 200 }",
    ),
    entry(
        Schedule,
        "markov",
        "Switching between states, by a mean dwell, by a matrix, or by dwells with or without a matrix",
        &[
            needed("states", "list of 2 to 16 numbers or laws", "Values of the states"),
            MEAN_DWELL,
            may(
                "matrix",
                "rows of probabilities",
                "all others equally likely",
                "Probabilities of the next state: after every tick, or with a dwell after each (diagonal 0)",
            ),
            DWELL,
            DWELL_RANGE,
            may("initial", "0 to number of states − 1", "any, equally likely", "Index of the first state"),
        ],
        "drift.actuator_gain = { kind = \"markov\", states = [1.0, -1.0], mean_dwell = 150 }",
    ),
    entry(
        Schedule,
        "jumps",
        "Sudden shifts at random moments that stay and add up",
        &[
            may("start", N, "0.0", "Value at tick 0"),
            needed("rate", "0 to 1000, or law", "Mean number of jumps in a tick"),
            needed("size", "law", "Law of their sizes"),
        ],
        "drift.actuator_bias = { kind = \"jumps\", rate = 0.01, size = { law = \"normal\", mean = 0.0, std = 0.1 }, \
         bounds = [-0.5, 0.5], on_bound = \"clamp\" }",
    ),
    entry(
        Schedule,
        "trace",
        "A recording, from a list or from a text file of numbers",
        &[
            may("values", "list of numbers", "[]", "The recorded values, in order"),
            may(
                "file",
                "path",
                "none",
                "A text file in place of `values`, by its path from the configuration's folder: one number per line, UTF-8, at most 4 MiB",
            ),
            may("every", "whole number, 1 or more", "1", "Ticks between two values"),
            may("interpolation", "\"hold\" or \"linear\"", "\"hold\"", "Values between two recorded ones"),
            may("repeat", "true or false", "false", "Start over at the end; else the last value stays"),
        ],
        "drift.wind_force = { kind = \"trace\", values = [0.0, 1.5, 3.0, 1.0], every = 50, interpolation = \"linear\" }",
    ),
    entry(
        Schedule,
        "compose",
        "Several schedules made into one",
        &[
            needed("op", "\"sum\", \"product\" or \"select\"", "Operation that combines them"),
            needed("of", "list of 1 to 16 schedules", "The parts"),
            may("by", "schedule", "none", "For select: its value, rounded down, is the index of the part that counts"),
        ],
        "drift.gravity = { kind = \"compose\", op = \"sum\", of = [{ kind = \"constant\", value = 9.8 }, \
         { kind = \"sinusoid\", mean = 0.0, amplitude = 0.5, period = 300 }] }",
    ),
];
