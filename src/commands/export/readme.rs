//! `README.md` of an export: the policy, what it observes, and the files beside it.

use serde_json::Value;

use super::{Export, files, kind};
use crate::cli::ExportArgs;

/// The text.
pub(super) fn readme(export: &Export, args: &ExportArgs) -> String {
    let (spec, origin) = (&export.spec, &export.spec["origin"]);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut found = format!(
        "# {}\n\nA policy that {}: learner {}, iteration {} of the run `{}`, by metadrift {}.\n\nIt observes, in this order:\n\n",
        text(&spec["preset"]),
        kind(export),
        text(&spec["learner"]),
        origin["iteration"],
        text(&origin["run"]),
        text(&spec["version"]),
    );
    for observed in spec["observations"].as_array().into_iter().flatten() {
        let unit = observed["unit"].as_str().map_or(String::new(), |unit| format!(" ({unit})"));
        found += &format!("- `{}`{unit}\n", text(&observed["name"]));
    }
    found +=
        "\n`spec.json` has its actions, their limits, the time of a step and the tasks of its training. The files:\n";
    let page = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/deploying.md");
    found + &format!("\n```\n{}```\n\nHow a controller uses them: <{page}>\n", files(export, args))
}
