//! The life of a lane on one task, used by training, evaluation, audit, and every command that shows a task.
//!
//! ```text
//! phase 0                | adapt | phase 1                | adapt | ...
//! tick 0 .. phase_steps-1         phase_steps .. 2 phase_steps-1
//! ```
//!
//! Ticks count the time of the task: they continue from phase to phase. Every phase begins with new initial states.

use metadrift_agents::{settings::Episodes, source::Demand};
use metadrift_envs::{Clocks, Split};

use crate::config::Experiment;

/// The part of a task's time that a lane sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Time limit (steps per episode).
    pub horizon: u32,
    /// Number of ticks of a phase.
    pub phase_steps: usize,
    /// Episodes after which a lane rests until the next phase.
    pub episodes: Episodes,
    /// Number of phases; an adaptation step lies between any two.
    pub phases: usize,
}

impl Life {
    /// The life of a task in training. Lanes that live on keep a task for one phase.
    pub fn training(config: &Experiment) -> Life {
        let horizon = config.horizon();
        match config.demand() {
            Demand::Tasks { steps, episodes, phases, .. } => Life { horizon, phase_steps: steps, episodes, phases },
            Demand::Examples { phases, .. } => Life { horizon, phase_steps: 1, episodes: Episodes::Count(1), phases },
            Demand::Lives { steps, .. } => Life { horizon, phase_steps: steps, episodes: Episodes::Endless, phases: 1 },
            Demand::Lanes { episodes, .. } => {
                let phase_steps = match episodes {
                    Episodes::Count(_) => config.settings().whole_episodes(),
                    Episodes::Endless => Life::evaluation(config).ticks() as usize,
                };
                Life { horizon, phase_steps, episodes, phases: 1 }
            }
        }
    }

    /// The life of a task in an evaluation: `[evaluation]`, the same for every learner.
    pub fn evaluation(config: &Experiment) -> Life {
        let horizon = config.horizon();
        let (phase_steps, episodes) = match config.evaluation.steps {
            0 => (horizon as usize, Episodes::Count(1)),
            steps => (steps, Episodes::Endless),
        };
        Life { horizon, phase_steps, episodes, phases: config.evaluation.adapt_steps + 1 }
    }

    /// The life of the tasks of `split`: that of training, or that of an evaluation.
    pub fn of(config: &Experiment, split: Split) -> Life {
        match split {
            Split::Train => Life::training(config),
            Split::InDist | Split::Ood => Life::evaluation(config),
        }
    }

    /// Number of ticks of all phases.
    pub fn ticks(&self) -> u64 {
        self.phase_steps as u64 * self.phases as u64
    }

    /// The clocks of a lane when phase `phase` of task number `task` begins. For lanes that run on from episode to
    /// episode, each phase counts the episodes of a lane that never ends one early.
    pub fn start(&self, task: u64, phase: usize) -> Clocks {
        let steps = self.phase_steps as u64;
        let phase = phase as u64;
        let episodes = match self.episodes {
            Episodes::Count(count) => u64::from(count),
            Episodes::Endless => steps.div_ceil(u64::from(self.horizon)),
        };
        Clocks { episode_step: 0, lifetime_step: phase * steps, episode: phase * episodes, task, adapt_round: phase }
    }

    /// The clocks at `tick` of a lane whose episodes all last to the time limit; after the last phase the life goes on
    /// as if there were more phases.
    pub fn clocks(&self, task: u64, tick: u64) -> Clocks {
        let steps = self.phase_steps as u64;
        let horizon = u64::from(self.horizon);
        let start = self.start(task, (tick / steps) as usize);
        let within = tick % steps;
        Clocks {
            episode_step: within % horizon,
            lifetime_step: start.lifetime_step + within,
            episode: start.episode + within / horizon,
            ..start
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Experiment {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        Experiment::parse("x", "name = \"x\"\ntask = { env = \"cartpole\", horizon = 100 }\n", &sets).unwrap()
    }

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let life = Life::training(&config(&["maml.inner_steps=2"]));
        assert_eq!((life.phase_steps, life.phases, life.ticks()), (100, 3, 300));
        assert_eq!(
            life.start(7, 2),
            Clocks { episode_step: 0, lifetime_step: 200, episode: 2, task: 7, adapt_round: 2 }
        );
        for tick in 0..300 {
            let clocks = life.clocks(7, tick);
            assert_eq!((clocks.lifetime_step, clocks.adapt_round), (tick, tick / 100));
            assert_eq!(clocks.episode * 100 + clocks.episode_step, tick);
        }
        // 2.5 episodes a phase: the third is cut off, and the next phase begins a new one
        let life = Life::training(&config(&["rollout.num_steps=250", "rollout.episodes_per_env=0"]));
        assert_eq!(
            life.clocks(0, 249),
            Clocks { episode_step: 49, lifetime_step: 249, episode: 2, ..Clocks::default() }
        );
        let next = Clocks { episode_step: 0, lifetime_step: 250, episode: 3, task: 0, adapt_round: 1 };
        assert_eq!(life.clocks(0, 250), next);
    }

    #[test]
    fn an_evaluation_lives_by_its_own_table_whoever_learns() {
        let drift = ["rollout.num_steps=250", "rollout.episodes_per_env=0"];
        let usual = Life::evaluation(&config(&drift));
        assert_eq!((usual.phase_steps, usual.episodes, usual.phases), (250, Episodes::Endless, 2));
        // several episodes of a lane are its life in an evaluation, too
        let several = config(&["rollout.episodes_per_env=3"]);
        let (training, held_out) = (Life::training(&several), Life::evaluation(&several));
        assert_eq!((training.phase_steps, held_out.phase_steps, held_out.ticks()), (300, 300, training.ticks()));
        // plain PPO collects in short pieces; its evaluation does not
        let ppo = config(&["learner=ppo", "rollout.num_steps=32", "evaluation.adapt_steps=2"]);
        let life = Life::evaluation(&ppo);
        assert_eq!((life.phase_steps, life.episodes, life.phases), (100, Episodes::Count(1), 3));
        assert_eq!([0, 1, 2].map(|k| life.start(0, k).lifetime_step), [0, 100, 200]);
        let own = Life::evaluation(&config(&["learner=ppo", "evaluation.steps=250"]));
        assert_eq!((own.phase_steps, own.episodes), (250, Episodes::Endless));
    }
}
