//! The policy with its environment as a web page, and as WebAssembly (crate `metadrift-page`).

use std::fmt::Write as _;

use base64ct::{Base64, Encoding};
use metadrift_agents::runtime::Form;
use metadrift_envs::{Channel, EnvKind, NotifyLevel, Split, Task, TaskSettings, channels};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Export, sources::File};
use crate::{
    config::{ConfigError, Experiment},
    course::range,
    failure::Result,
    life::Life,
};

/// The module that `scripts/page.sh` builds from the crate `metadrift-page`.
const MODULE: &[u8] = include_bytes!("page/metadrift.wasm");
const LIBRARY: &str = include_str!("page/metadrift.mjs");

/// The environments that are compiled into the module.
const ENVS: [&str; 7] = [
    "cartpole",
    "pendulum",
    "navigation",
    "navigation-rotated",
    "double-integrator-2d",
    "complex-ode",
    "cartpole-balance",
];

/// Those of which the page has a picture.
const DRAWN: [&str; 2] = ["cartpole", "pendulum"];

/// Number of tasks of training behind the ranges of a slider, and of ticks of each.
const TASKS: u32 = 256;
const TICKS: u64 = 32;

/// A gap of this share of a range parts it in two.
const GAP: f64 = 0.125;

/// A quantity that the reader of the page may change.
#[derive(Clone, Debug, Serialize)]
struct Slider {
    name: String,
    unit: &'static str,
    doc: String,
    low: f64,
    high: f64,
    /// True if only whole numbers have a meaning.
    whole: bool,
    /// Value at the beginning.
    value: f64,
    /// Ranges of training.
    trained: Vec<[f64; 2]>,
    /// False if training had one value only.
    varies: bool,
}

/// The reason why there can be no page for this experiment, if there is one.
pub(super) fn refusal(config: &Experiment) -> Option<String> {
    let name = config.env().spec().name;
    if matches!(config.env(), EnvKind::Own(_)) || !ENVS.contains(&name) {
        return Some(format!("there is no page for the environment {name}: one holds {}", ENVS.join(", ")));
    }
    (config.task.settings().notify.level != NotifyLevel::None)
        .then(|| "there is no page for a policy that is notified of changes: a page announces none".to_owned())
}

/// The module, its sources in JavaScript, and a check of them by the vectors.
pub(super) fn wasm() -> Vec<File> {
    vec![
        ("wasm/metadrift.wasm".into(), MODULE.to_vec()),
        ("wasm/metadrift.mjs".into(), LIBRARY.into()),
        ("wasm/check.mjs".into(), include_bytes!("page/check.mjs").to_vec()),
    ]
}

/// The page.
///
/// # Errors
/// If there can be none for this experiment.
pub(super) fn page(config: &Experiment, export: &Export) -> Result<File> {
    if let Some(reason) = refusal(config) {
        return Err(ConfigError::NotFound(reason).into());
    }
    let data = serde_json::to_string(&data(config, export))?.replace('<', "\\u003c");
    let origin = &export.spec["origin"];
    let footer = format!(
        "Made by metadrift {} from {} (iteration {}).",
        env!("CARGO_PKG_VERSION"),
        origin["run"].as_str().unwrap_or_default(),
        origin["iteration"],
    );
    let parts = [
        ("title", escaped(&config.name)),
        ("style", include_str!("page/style.css").to_owned()),
        ("lead", escaped(&lead(config, &export.form))),
        ("footer", escaped(&footer)),
        ("library", LIBRARY.to_owned()),
        ("plant", include_str!("page/plant.js").to_owned()),
        ("page", include_str!("page/page.js").to_owned()),
        ("data", data),
    ];
    let mut rest = include_str!("page/page.html");
    let mut page = String::new();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").expect("the braces of the page are closed");
        page += before;
        page += &parts.iter().find(|(part, _)| *part == name).expect("the page asks for these parts only").1;
        rest = behind;
    }
    Ok(("page.html".into(), (page + rest).into_bytes()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page's explanation, three sentences.
fn lead(config: &Experiment, form: &Form) -> String {
    let (learner, env) = (&config.learner.name, config.env().spec().name);
    let does = match &form.adaptation {
        Some(adaptation) => format!(
            "Flip the motor or move a slider, and the policy may fail; press \"Adapt now\", and it plays {} episodes in the \
             changed world, learns from them by {}, and acts again.",
            adaptation.episodes * adaptation.steps.max(1),
            if adaptation.steps > 1 {
                format!("{} gradient steps", adaptation.steps)
            } else {
                "one gradient step".into()
            },
        ),
        None => {
            "Flip the motor or move a slider, and the policy, which adapts while it acts, finds out by itself what has \
                 changed."
                .to_owned()
        }
    };
    format!(
        "A policy that {learner} has trained acts here on {env}. {does} Environment, policy and adaptation run in this page, \
         with the arithmetic of training to the bit, and nothing leaves it."
    )
}

/// Everything that the page reads.
fn data(config: &Experiment, export: &Export) -> Value {
    let spec = config.env().spec();
    let tasks: Vec<Task> = (0..TASKS).map(|index| config.tasks(Split::Train).sample(config.seed, 0, index)).collect();
    let sliders = sliders(config, &tasks);
    let task = &tasks[0];
    let all = channels(spec);
    let value = |channel: &Channel, at: usize| {
        sliders.iter().find(|slider| slider.name == channel.name).map_or(task.values[at], |slider| slider.value)
    };
    let values: Vec<(&Channel, f64)> =
        all.iter().enumerate().map(|(at, channel)| (channel, value(channel, at))).collect();
    let quantities: serde_json::Map<String, Value> =
        values[..spec.params.len()].iter().map(|(channel, value)| (channel.name.clone(), json!(value))).collect();
    let readings = export.form.obs_dim();
    json!({
        "env": spec.name,
        "spec": export.spec,
        "setup": setup(config, &values, &sliders),
        "sizes": {
            "state": config.env().dynamics().state_dim(), "obs": readings, "act": spec.act_dim(),
            "channels": sliders.len(),
        },
        "drawn": DRAWN.contains(&spec.name),
        "quantities": quantities,
        "sliders": sliders,
        "policy": Base64::encode_string(&export.policy),
        "wasm": Base64::encode_string(MODULE),
    })
}

/// The description of the world, as `metadrift_page::Setup` reads it.
fn setup(config: &Experiment, values: &[(&Channel, f64)], sliders: &[Slider]) -> String {
    let horizon = Life::evaluation(config).horizon;
    let mut text = format!("env {}\nhorizon {horizon}\nseed {}\n", config.env().spec().name, config.seed as u32);
    for (channel, value) in values.iter().filter(|(channel, value)| *value != channel.default) {
        let _ = writeln!(text, "value {} {value}", channel.name);
    }
    for slider in sliders {
        let _ = writeln!(text, "channel {}", slider.name);
    }
    let TaskSettings { observe_actions, integrator, reward, sensor_fill, notify: _ } = config.task.settings();
    let name = |value: Value| value.as_str().map(str::to_owned);
    let named = [
        ("integrator", name(json!(integrator))),
        ("reward", name(json!(reward))),
        ("sensor_fill", name(json!(sensor_fill))),
    ];
    for (key, name) in named.into_iter().filter_map(|(key, name)| Some((key, name?))) {
        let _ = writeln!(text, "{key} {name}");
    }
    text + &format!("observe_actions {observe_actions}\n")
}

/// Quantities that readers know, beside those that training varies.
fn familiar(env: &str) -> &'static [&'static str] {
    match env {
        "cartpole" => &["mass_pole", "half_length"],
        "pendulum" => &["mass", "length"],
        _ => &[],
    }
}

/// A slider for the gain of the motor, for each quantity that training varies, and for those that readers know.
fn sliders(config: &Experiment, tasks: &[Task]) -> Vec<Slider> {
    let spec = config.env().spec();
    let life = Life::training(config);
    let later = |tick: u64| life.clocks(0, tick * life.ticks() / TICKS);
    let (gain, familiar) = ("actuator_gain", familiar(spec.name));
    let slider = |(at, channel): (usize, Channel)| {
        let mut values: Vec<f64> = Vec::new();
        for task in tasks {
            match task.drifts.iter().find(|drift| drift.channel == at) {
                Some(drift) => values.extend((0..TICKS).map(|tick| drift.value(task.values[at], &later(tick)))),
                None => values.push(task.values[at]),
            }
        }
        values.sort_by(f64::total_cmp);
        let varies = values.first() != values.last();
        let wanted = varies || channel.name == gain || familiar.contains(&channel.name.as_str());
        wanted.then(|| of(channel, &values, varies))
    };
    let mut sliders: Vec<Slider> = channels(spec).into_iter().enumerate().filter_map(slider).collect();
    sliders.sort_by_key(|slider| (slider.name != gain, !slider.varies));
    sliders
}

/// The slider of a channel that had these values in training, in order.
fn of(channel: Channel, values: &[f64], varies: bool) -> Slider {
    let trained = ranges(values);
    let (low, high) = range(values.iter().copied());
    let default = channel.default;
    let (mut low, mut high) = (low.min(default), high.max(default));
    if channel.name == "actuator_gain" {
        (low, high) = (low.min(-high), high.max(-low)); // so that it can be flipped
    }
    let room = if varies { 0.25 * (high - low) } else { 0.75 * default.abs().max(0.1) };
    let bounds = channel.bounds;
    let inside = |value: f64| {
        let value = value.clamp(bounds.min, bounds.max);
        if bounds.contains(value) { value } else { low }
    };
    let whole = channel.unit == "steps";
    let (low, high) = (inside(low - room), inside(high + room));
    let (low, high) = if whole { (low.floor(), high.ceil()) } else { (low, high) };
    let known = |value: f64| trained.iter().any(|[from, to]| (*from..=*to).contains(&value));
    Slider {
        low,
        high,
        whole,
        value: if known(default) { default } else { values[values.len() / 2] },
        trained,
        varies,
        name: channel.name,
        unit: if channel.unit == "1" { "" } else { channel.unit },
        doc: channel.doc,
    }
}

/// The ranges of values in order: as many as there are wide gaps between them, and one.
fn ranges(values: &[f64]) -> Vec<[f64; 2]> {
    let gap = GAP * (values[values.len() - 1] - values[0]);
    values.chunk_by(|a, b| b - a <= gap).map(|part| [part[0], part[part.len() - 1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_part_where_no_task_is() {
        assert_eq!(ranges(&[-1.3, -1.0, -0.7, 0.7, 1.0, 1.3]), [[-1.3, -0.7], [0.7, 1.3]]);
        assert_eq!(ranges(&[2.0, 2.0]), [[2.0, 2.0]]);
        assert_eq!(ranges(&[-1.0, -1.0, 1.0]), [[-1.0, -1.0], [1.0, 1.0]]);
    }
}
