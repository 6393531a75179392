//! The published method that a configuration has the settings of.

use std::sync::LazyLock;

use metadrift_agents::learners::recipes;

use super::{Config, Experiment};

/// Name of a recipe, and keys with their values.
type Marked = (&'static str, Vec<(String, String)>);

/// Keys and values in which each recipe differs from the default of `maml`, which is a recipe, too.
static MARKS: LazyLock<Vec<Marked>> = LazyLock::new(|| {
    let plain = |learner: &str| {
        let text = "name = \"x\"\ntask.env = \"cartpole\"\n";
        Experiment::parse("a recipe", text, &[format!("learner={learner}")]).expect("a recipe is legal")
    };
    let usual = plain("maml");
    let marks = |name: &str| usual.differences(&plain(name)).into_iter().map(|(key, _, value)| (key, value)).collect();
    recipes::ALL.iter().map(|recipe| (recipe.name, marks(recipe.name))).collect()
});

impl Config {
    /// The learner's name or, if its settings are those of one recipe more than of any other, that of the recipe. The
    /// default of `maml` is `maml`.
    pub fn method(&self) -> &'static str {
        let learner = self.learner.name;
        if learner != "maml" {
            return learner;
        }
        let flat = self.flat();
        let has = |(key, asked): &(String, String)| {
            flat.iter().any(|(known, value)| known == key && value.to_string() == *asked)
        };
        let fits = |(_, marks): &&Marked| !marks.is_empty() && marks.iter().all(has);
        let found: Vec<_> = MARKS.iter().filter(fits).collect();
        let most = found.iter().map(|(_, marks)| marks.len()).max();
        let mut best = found.iter().filter(|(_, marks)| Some(marks.len()) == most);
        match (best.next(), best.next()) {
            (Some((only, _)), None) => only,
            _ => learner,
        }
    }
}

#[cfg(test)]
mod tests {
    use metadrift_agents::learners::recipes;

    use crate::presets;

    #[test]
    fn a_recipe_is_known_by_its_settings_and_a_mixture_is_none() {
        for recipe in recipes::ALL {
            let config = presets::load("cartpole-flip", &[format!("learner={}", recipe.name)]).unwrap();
            assert_eq!(config.method(), if recipe.name == "promp" { "maml" } else { recipe.name });
        }
        let of = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            presets::load("cartpole-flip", &sets).unwrap().method()
        };
        assert_eq!((of(&[]), of(&["learner=ppo"])), ("maml", "ppo"));
        assert_eq!(of(&["maml.first_order=true", "maml.adapts=head"]), "maml");
    }
}
