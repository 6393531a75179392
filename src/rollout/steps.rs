//! The step loop: observe, act, step, write.

use metadrift_agents::{
    report::Diverged,
    rollout::{Row, Slab},
    settings::Episodes,
    stop,
};
use metadrift_envs::{Batch, StepView};

/// The side that decides: a policy, or a controller for each lane.
pub trait Actor {
    /// Decides step `t` for the lanes in `live`. A policy also writes its actions, as it drew them, and their
    /// log-probabilities to `row`.
    ///
    /// # Errors
    /// If an action is not finite.
    fn act(&mut self, t: usize, env: &dyn Batch, live: &[usize], row: &mut Row<'_>) -> Result<(), Diverged>;

    /// The commands that follow from its decisions, `[envs, act_dim]`.
    fn commands(&self) -> &[f32];
}

/// The side that looks on, and says which lanes go on.
pub trait Keeper {
    /// Looks at the lanes in `live` before they are stepped with `commands`.
    fn before(&mut self, env: &dyn Batch, commands: &[f32], live: &[usize]);

    /// Looks at step `t` of the lanes in `live`, of which `row` holds the outcome, and takes those out that rest.
    fn after(&mut self, t: usize, env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>);
}

/// Takes all lanes of `env` through at most `steps` steps, until none is left. Step t is written to row t of `slab`, and
/// round again where it has fewer rows. Nothing is written for lanes that rest, save by the environment.
///
/// # Errors
/// If an action is not finite; the slab is then of no use.
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
        keeper.after(t, env, &row, &mut live);
        if live.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The episodes that each lane has left before it rests.
#[derive(Clone, Debug)]
pub struct Rest(Vec<u32>);

impl Rest {
    /// `lanes` lanes that rest after `episodes`.
    pub fn new(lanes: usize, episodes: Episodes) -> Self {
        Rest(vec![if let Episodes::Count(count) = episodes { count } else { u32::MAX }; lanes])
    }

    /// Counts the episodes that ended in `row`, takes lanes without a further one out of `live`, and tells `rested`
    /// of each.
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
