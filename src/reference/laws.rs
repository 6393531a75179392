//! The laws.

use super::entry::{Entry, Section::Law, entry, may, needed};

const NUMBER: &str = "number";

/// Every law.
pub(super) const LAWS: &[Entry] = &[
    entry(
        Law,
        "fixed",
        "Always the same value",
        &[needed("value", NUMBER, "The value")],
        "vary.gravity = { law = \"fixed\", value = 9.0 }",
    ),
    entry(
        Law,
        "uniform",
        "Uniform on [low, high]",
        &[needed("low", NUMBER, "Smallest value"), needed("high", NUMBER, "Largest value")],
        "vary.mass_pole = { law = \"uniform\", low = 0.05, high = 0.2 }",
    ),
    entry(
        Law,
        "log_uniform",
        "Uniform in the logarithm, for quantities that vary by factors",
        &[needed("low", "number from 1.2e-38", "Smallest value"), needed("high", NUMBER, "Largest value")],
        "vary.half_length = { law = \"log_uniform\", low = 0.25, high = 1.0 }",
    ),
    entry(
        Law,
        "normal",
        "Normal, truncated to [low, high] where these are given",
        &[
            needed("mean", NUMBER, "Mean before truncation"),
            needed("std", "number above 0", "Standard deviation before truncation"),
            may("low", NUMBER, "no limit", "Smallest value"),
            may("high", NUMBER, "no limit", "Largest value"),
        ],
        "vary.mass_cart = { law = \"normal\", mean = 1.0, std = 0.2, low = 0.5, high = 2.0 }",
    ),
    entry(
        Law,
        "choice",
        "One of a list of values, each equally likely",
        &[needed("values", "list of numbers", "The values")],
        "vary.actuator_gain = { law = \"choice\", values = [-1.0, 1.0] }",
    ),
    entry(
        Law,
        "grid",
        "One of `count` equally spaced values from `low` to `high`",
        &[
            needed("low", NUMBER, "First value"),
            needed("high", NUMBER, "Last value"),
            needed("count", "2 to 10000", "Number of values"),
        ],
        "vary.force_mag = { law = \"grid\", low = 5.0, high = 15.0, count = 5 }",
    ),
    entry(
        Law,
        "shell",
        "Uniform on `outer` without `inner`, for tasks beyond the training range",
        &[
            needed("outer", "[low, high]", "The whole interval"),
            needed("inner", "[low, high] inside outer", "The part that is left out"),
        ],
        "vary.mass_pole = { law = \"shell\", outer = [0.02, 0.4], inner = [0.05, 0.2] }",
    ),
    entry(
        Law,
        "mixture",
        "One of several laws",
        &[
            needed("of", "list of laws", "The laws"),
            may("weights", "list of numbers, 0 or 1e-30 to 1e30", "all equal", "Their weights; they need not sum to 1"),
        ],
        "vary.actuator_gain = { law = \"mixture\", of = [{ law = \"fixed\", value = 1.0 }, \
         { law = \"uniform\", low = 0.2, high = 0.6 }], weights = [3.0, 1.0] }",
    ),
];
