//! The file of a learned optimiser that a configuration names: its weights become part of the configuration, so that a run
//! can be resumed and evaluated without the file.

use std::path::Path;

use toml::{Table, Value};

use super::{Config, ConfigError};
use crate::optimizer::{self, RuleError};

const SECTION: &str = "ppo_learner";
const FILE: &str = "optimizer_file";
const WEIGHTS: &str = "optimizer_weights";

impl Config {
    /// Reads the file that `ppo_learner.optimizer_file` names. A path in the file `origin`, whose content is `written`, is
    /// relative to its folder, one of an argument to the caller's.
    pub(super) fn load_rule(&mut self, origin: &str, written: &Table) -> Result<(), ConfigError> {
        let Some(section) = self.own.get_mut(SECTION).and_then(Value::as_table_mut) else { return Ok(()) };
        // beside Adam the check of ranges refuses it
        if section.get("optimizer").and_then(Value::as_str) != Some("learned") {
            return Ok(());
        }
        let Some(file) = section.remove(FILE) else { return Ok(()) };
        if section.contains_key(WEIGHTS) {
            let reason = format!("{SECTION}.{WEIGHTS} is there too; a rule comes from one of the two");
            return Err(ConfigError::Rule(RuleError::Wrong(reason)));
        }
        let in_file = written.get(SECTION).and_then(|section| section.get(FILE)) == Some(&file);
        let folder = Path::new(origin).parent().filter(|_| in_file).unwrap_or(Path::new(""));
        let file = folder.join(file.as_str().unwrap_or_default());
        let rule = optimizer::read(&file).map_err(ConfigError::Rule)?;
        section.insert(WEIGHTS.into(), rule.weights.iter().map(|weight| f64::from(*weight)).collect::<Vec<_>>().into());
        Ok(())
    }
}
