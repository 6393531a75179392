//! The log of adaptations: one line of JSON for each, chained by digests so that no line can be changed, left out or moved.

use std::fmt::Write as _;

use metadrift_agents::batch::Trajectories;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{failure::Coded, failure::code, run_dir::sha256};

/// One adaptation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the life.
    pub life: u32,
    /// Number of the episode after which, or in which, the policy adapted.
    pub episode: u32,
    /// Ticks of the life before.
    pub tick: u64,
    /// Number of steps of the data.
    pub samples: u64,
    /// Digest of the data: observations, actions, log-probabilities, rewards, ends.
    pub data: String,
    /// Digest of the parameters before.
    pub before: String,
    /// Digest of the parameters after.
    pub after: String,
    /// True if a change was noticed since the last adaptation, so that what was known is forgotten.
    pub change: bool,
    /// The guard's opinion of the adapted policy; null without a guard.
    pub guard: Option<String>,
    /// The guard's evidence that it is worse: an e-value.
    pub evidence: Option<f64>,
    /// True if the guard took the adapted policy back.
    pub rolled_back: bool,
    /// True if the adapted parameters were not finite, and the adaptation was given up.
    pub diverged: bool,
}

/// A broken chain.
#[derive(Debug, thiserror::Error)]
#[error("{file}, line {line}: {problem}; the log was changed after it was written")]
pub struct Broken {
    file: String,
    line: usize,
    problem: &'static str,
}

impl Coded for Broken {
    fn code(&self) -> u8 {
        code::FILE
    }
}

/// The digest of a line, given that of the line before.
fn link(before: &str, content: &str) -> String {
    sha256(format!("{before}\n{content}").as_bytes())
}

/// The log as text: a line for the run, one for each entry in the order of lives, and one that ends it, each with the
/// digest of itself and of all lines before.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn text<'a>(run: &Value, entries: impl Iterator<Item = &'a Entry>) -> serde_json::Result<String> {
    let mut text = String::new();
    let mut before = String::new();
    let mut count = 0;
    let mut add = |content: String| {
        before = link(&before, &content);
        // the content is an object: the digest becomes its last member
        let _ = writeln!(text, "{},\"chain\":\"{before}\"}}", &content[..content.len() - 1]);
    };
    add(serde_json::to_string(&serde_json::json!({ "run": run }))?);
    for entry in entries {
        add(serde_json::to_string(entry)?);
        count += 1;
    }
    add(serde_json::to_string(&serde_json::json!({ "entries": count }))?);
    Ok(text)
}

/// The number of entries of the log `text` in `file`.
///
/// # Errors
/// [`Broken`], with the first line that does not fit to those before, or if the end is missing.
pub fn verify(file: &str, text: &str) -> Result<usize, Broken> {
    let mut before = String::new();
    let mut last = None;
    let broken = |line, problem| Broken { file: file.to_owned(), line, problem };
    for (number, line) in text.lines().enumerate() {
        let parts =
            line.rsplit_once(",\"chain\":\"").and_then(|(content, end)| Some((content, end.strip_suffix("\"}")?)));
        let Some((content, chain)) = parts else { return Err(broken(number + 1, "it has no digest")) };
        let content = format!("{content}}}");
        before = link(&before, &content);
        if before != chain {
            return Err(broken(number + 1, "its digest is not that of itself and the lines before"));
        }
        last = Some((number, content));
    }
    let counted = last.and_then(|(number, content)| {
        let end: Value = serde_json::from_str(&content).ok()?;
        (end.get("entries")?.as_u64()? as usize == number - 1).then_some(number - 1)
    });
    counted.ok_or_else(|| broken(text.lines().count() + 1, "its last lines are missing"))
}

/// The digest of the data of an adaptation.
pub fn digest(data: &Trajectories<'_>) -> String {
    let numbers = [data.obs, data.action, data.log_prob, data.reward];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|column| column.iter().flat_map(|x| x.to_le_bytes())).collect();
    bytes.extend(data.terminated.iter().chain(data.truncated).map(|flag| u8::from(*flag)));
    bytes.extend(data.valid_steps.iter().flat_map(|steps| steps.to_le_bytes()));
    sha256(&bytes)
}

/// The digest of parameters.
pub fn digest_of(params: &[f32]) -> String {
    sha256(&params.iter().flat_map(|param| param.to_le_bytes()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(episode: u32) -> Entry {
        Entry {
            life: 0,
            episode,
            tick: 10,
            samples: 3,
            data: "d".into(),
            before: "b".into(),
            after: "a".into(),
            change: false,
            guard: Some("trial".into()),
            evidence: Some(0.75),
            rolled_back: false,
            diverged: false,
        }
    }

    #[test]
    fn any_change_breaks_the_chain_at_its_place() {
        let entries = [entry(0), entry(1), entry(2)];
        let text = text(&serde_json::json!({"preset": "x"}), entries.iter()).unwrap();
        assert_eq!(verify("log", &text).unwrap(), 3);
        let lines: Vec<&str> = text.lines().collect();
        let refused = |lines: &[&str], at: usize| {
            let error = verify("log", &(lines.join("\n") + "\n")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("log, line {at}:")), "{error}");
        };
        let changed = lines[2].replace("0.75", "0.25");
        refused(&[lines[0], lines[1], &changed, lines[3], lines[4]], 3);
        refused(&[lines[0], lines[2], lines[3], lines[4]], 2);
        refused(&[lines[0], lines[2], lines[1], lines[3], lines[4]], 2);
        refused(&lines[..4], 5);
        refused(&[lines[0], "{}"], 2);
        refused(&[], 1);
    }
}
