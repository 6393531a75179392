//! The step loop: observe, act, step, write.

use metadrift_agents::{
    report::Diverged,
    rollout::{Row, Slab},
    settings::Episodes,
    stop,
};
use metadrift_envs::{Batch, StepView};

/// The deciding side: a policy, or a controller for each lane.
pub trait Actor {
    /// Decides step `t` for the lanes in `live`. A policy also writes its actions, as it drew them, and their
    /// log-probabilities to `row`.
    ///
    /// # Errors
    /// If an action is not finite.
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged>;

    /// The commands of its decisions, `[envs, act_dim]`.
    fn commands(&self) -> &[f32];

    /// Takes in the outcome of the step that it decided.
    fn outcome(&mut self, _row: &Row<'_>) {}

    /// Its memories of the lanes, for an actor of the next phase of their lives; none if it does not remember.
    fn memories(self: Box<Self>) -> Memories {
        Memories::default()
    }
}

/// Memories of a policy between two phases of lives, `[lanes]`; empty at the beginning of a life.
pub type Memories = Vec<Vec<f32>>;

/// The observing side, which also decides which lanes go on.
pub trait Keeper {
    /// Looks at the lanes in `live` before they are stepped with `commands`.
    fn before(&mut self, env: &dyn Batch, commands: &[f32], live: &[usize]);

    /// Looks at step `t` of the lanes in `live`, whose outcome `row` holds, and removes those that rest.
    fn after(&mut self, t: usize, env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>);
}

/// Steps all lanes of `env` at most `steps` times, until none is live. Step t is written to row t of `slab`, modulo its
/// number of rows. Only the environment writes entries of lanes that rest.
///
/// # Errors
/// If an action is not finite; the slab is then unusable.
pub fn run(
    env: &mut dyn Batch,
    actor: &mut dyn Actor,
    keeper: &mut dyn Keeper,
    slab: &mut Slab<'_>,
    steps: usize,
) -> Result<(), Diverged> {
    let mut live: Vec<usize> = (0..slab.envs).collect();
    let rows = slab.steps();
    for t in 0..steps {
        stop::check();
        let mut row = slab.row(t % rows);
        row.obs.copy_from_slice(env.obs());
        row.episode_step.copy_from_slice(env.episode_step());
        actor.act(t, env, &live, &mut row)?;
        keeper.before(env, actor.commands(), &live);
        env.step(
            actor.commands(),
            StepView {
                next_obs: &mut *row.next_obs,
                reward: &mut *row.reward,
                terminated: &mut *row.terminated,
                truncated: &mut *row.truncated,
            },
        );
        actor.outcome(&row);
        keeper.after(t, env, &row, &mut live);
        if live.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The number of episodes that each lane has left before it rests.
#[derive(Clone, Debug)]
pub struct Rest(Vec<u32>);

impl Rest {
    /// A counter for `lanes` lanes that rest after `episodes`.
    pub fn new(lanes: usize, episodes: Episodes) -> Self {
        Rest(vec![if let Episodes::Count(count) = episodes { count } else { u32::MAX }; lanes])
    }

    /// Counts the episodes that ended in `row`, removes lanes without a further one from `live`, and calls `rested` for
    /// each.
    pub fn count(&mut self, row: &Row<'_>, live: &mut Vec<usize>, mut rested: impl FnMut(usize)) {
        let flags = row.terminated.iter().zip(&*row.truncated);
        if !flags.fold(false, |any, (terminated, truncated)| any | terminated | truncated) {
            return;
        }
        live.retain(|&lane| {
            self.0[lane] -= u32::from(row.terminated[lane] || row.truncated[lane]);
            if self.0[lane] == 0 {
                rested(lane);
            }
            self.0[lane] > 0
        });
    }
}
