//! Adaptive control: the privileged controller, given an observer's estimates in place of the truth (certainty
//! equivalence).

use metadrift_envs::ActionSpace;

use super::{
    Controller, Seen,
    observer::Observer,
    privileged::{self, Privileged},
};

/// Adaptive control of one lane.
#[derive(Clone, Debug)]
pub struct AdaptiveControl {
    /// The observer of the lane.
    pub observer: Observer,
    law: Privileged,
    space: ActionSpace,
    /// Number of steps in which it only found out how commands act.
    probes: u32,
}

impl AdaptiveControl {
    /// Adaptive control by `observer`; `None` if no privileged controller is known for its environment.
    pub fn new(observer: Observer) -> Option<AdaptiveControl> {
        let env = observer.env();
        Some(AdaptiveControl { observer, law: privileged::controller(env)?, space: env.spec().action, probes: 0 })
    }
}

impl Controller for AdaptiveControl {
    fn looks_at_values(&self) -> bool {
        false
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        self.observer.see(seen.obs, seen.episode_step == 0);
        let values = self.observer.values();
        let state: Vec<f32> = self.observer.state().iter().map(|x| *x as f32).collect();
        self.law.act(&Seen { values: &values, state: &state, ..*seen }, action);
        if !self.observer.is_sure() {
            // full commands to and fro, each part of the action in its turn
            let [low, high] = self.space.ends();
            let part = self.probes as usize / 2 % action.len();
            action.fill((0.5 * (low + high)) as f32);
            action[part] = if self.probes.is_multiple_of(2) { high as f32 } else { low as f32 };
            self.law.overrule(action);
            self.probes += 1;
        }
        self.observer.act(action);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metadrift_envs::{Split, Task};

    use super::*;
    use crate::{
        control::{
            episodes::returns,
            identified::identification_ticks,
            observer::{Model, Tuning, spreads},
        },
        life::Life,
        presets,
        stats::mean,
    };

    /// Mean return in the first phase of 20 tasks of a split of a preset, and its life.
    fn score(preset: &str, split: Split) -> f64 {
        let config = presets::load(preset, &[]).unwrap();
        let env = config.env();
        let model = Arc::new(Model::new(env, &spreads(config.tasks(Split::Train), 0, &Life::training(&config))));
        let tasks: Vec<Task> = (0..20).map(|index| config.tasks(split).sample(0, 0, index)).collect();
        let observer = Observer::new(model, Tuning::default());
        let control = AdaptiveControl::new(observer).unwrap();
        mean(&returns(env, &tasks, 1, (Life::of(&config, split), 0), 0, |_, _| control.clone()))
    }

    #[test]
    fn inverted_and_switching_actuators_are_controlled_like_known_ones() {
        for preset in ["cartpole-flip", "cartpole-flip-delay"] {
            assert_eq!(score(preset, Split::Ood), 500.0, "{preset}");
        }
        // a fixed law has 173 and 247
        let (hidden, noisy) = (score("cartpole-flip-hidden", Split::Ood), score("cartpole-flip-noisy", Split::Ood));
        assert!(hidden > 300.0 && noisy > 400.0, "{hidden} {noisy}");
        assert_eq!(score("cartpole-switch", Split::Ood), 100.0);
        // the oracle has -143 in distribution, a fixed law -875
        let swung = score("pendulum-flip", Split::InDist);
        assert!(swung > -170.0, "{swung}");
        // the oracle has 191 of 200, a fixed law 88
        let steered = score("complex-ode-aib", Split::InDist);
        assert!(steered > 170.0, "{steered}");
    }

    #[test]
    fn the_time_to_find_out_is_that_of_the_noise() {
        let ticks = |preset: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
            let config = presets::load(preset, &sets).unwrap();
            let life = Life::training(&config);
            let model = Model::new(config.env(), &spreads(config.tasks(Split::Train), 0, &life));
            let tasks: Vec<Task> = (0..20).map(|index| config.tasks(Split::Train).sample(0, 0, index)).collect();
            identification_ticks(&model, (&tasks, 4), life, 0)
        };
        let known = ticks("cartpole-nominal", &[]);
        assert_eq!((known.median, known.p90), (Some(0), Some(0)));
        let flip = ticks("cartpole-flip", &[]);
        assert_eq!((flip.median, flip.p90), (Some(1), Some(1)));
        // two exact positions show a speed after the step in which it acts, and noise on the speeds does not matter; with
        // noise on the places, too, a push of 0.006 rad within two ticks is to be told from an error of 0.02 rad
        let noise = ["task.sensor.x_dot.noise_std=2.0", "task.sensor.theta_dot.noise_std=3.0"];
        assert_eq!(ticks("cartpole-flip", &noise).median, Some(2));
        let hidden = ticks("cartpole-flip-hidden", &[]);
        assert!(
            hidden.median.is_some_and(|ticks| ticks > 4) && hidden.p90.is_some_and(|ticks| ticks < 40),
            "{hidden:?}"
        );
        let hopeless = ticks(
            "cartpole-flip",
            &[
                "task.sensor.x_dot.mask=1.0",
                "task.sensor.theta_dot.mask=1.0",
                "task.sensor.x.mask=1.0",
                "task.sensor.theta.mask=1.0",
            ],
        );
        assert_eq!((hopeless.median, hopeless.p90), (None, None));
    }
}
