//! The plant of one life: its world at every tick, and episodes on it under any actor.

use metadrift_agents::{
    layout::Layout,
    report::Diverged,
    rollout::{Rollout, Row, Shape},
};
use metadrift_envs::{Batch, Clocks, EnvKind, Purpose, Stream, Task};

use crate::rollout::{
    Actions, actor,
    steps::{self, Actor, Keeper, Memories},
    window::{self, looking_back},
};

/// Iteration of the random streams of the first episode: those before belong to evaluations and audits.
const FIRST: u32 = 16;

/// The plant of one life. Its time is divided into slots of `horizon` ticks, with one episode in each; a lane whose episode
/// ends early waits, while its world moves on. All policies thus meet the same world at the same ticks, from the same
/// initial states.
#[derive(Clone, Copy, Debug)]
pub struct Plant<'a> {
    /// The environment.
    pub env: EnvKind,
    /// The task, with everything that drifts.
    pub task: &'a Task,
    /// Number of the life.
    pub life: u32,
    /// Ticks of a slot: the time limit of an episode.
    pub horizon: u32,
    /// Seed of the initial states and of the actions.
    pub seed: u64,
}

/// An episode as it went.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Rewards, `[ticks]`.
    pub rewards: Vec<f32>,
    /// True if it is over: at the time limit, or before.
    pub over: bool,
}

impl Played {
    /// Sum of the rewards.
    pub fn returned(&self) -> f64 {
        self.rewards.iter().map(|reward| f64::from(*reward)).sum()
    }
}

impl Keeper for Played {
    fn before(&mut self, _: &dyn Batch, _: &[f32], _: &[usize]) {}

    fn after(&mut self, _t: usize, _env: &mut dyn Batch, row: &Row<'_>, live: &mut Vec<usize>) {
        self.rewards.push(row.reward[0]);
        self.over = row.terminated[0] || row.truncated[0];
        if self.over {
            live.clear();
        }
    }
}

/// A policy that acts on a plant.
pub struct Acting<'a> {
    /// Shape and parameters.
    pub policy: (&'a Layout, &'a [f32]),
    /// The choice of its actions.
    pub actions: Actions,
    /// Its memory of the life, followed by its window; `[1]`, or empty at the beginning.
    pub memory: &'a mut Memories,
}

impl Plant<'_> {
    /// The clocks at tick `tick` of the life.
    pub fn clocks(&self, tick: u64) -> Clocks {
        let horizon = u64::from(self.horizon);
        Clocks {
            episode_step: tick % horizon,
            lifetime_step: tick,
            episode: tick / horizon,
            task: u64::from(self.life),
            adapt_round: tick / horizon,
        }
    }

    /// The plant at the beginning of a slot.
    fn begin(&self, episode: u32) -> Box<dyn Batch> {
        let resets = self.stream(Purpose::EvaluationReset, episode);
        let start = self.clocks(u64::from(episode) * u64::from(self.horizon));
        self.env.dynamics().batch(&[(self.task, 1)], self.horizon, resets, start)
    }

    /// The random numbers of an episode for `purpose`.
    pub fn stream(&self, purpose: Purpose, episode: u32) -> Stream {
        Stream::new(self.seed, purpose).iteration(FIRST + episode).task(self.life)
    }

    /// The episode in slot `episode` under a controller or another actor.
    pub fn play(&self, episode: u32, actor: &mut dyn Actor) -> Played {
        let mut env = self.begin(episode);
        let mut row = self.room(env.obs_dim(), 1);
        let mut played = Played::default();
        let slab = row.slabs().pop();
        let lived = steps::run(&mut *env, actor, &mut played, &mut slab.expect("a lane"), self.horizon as usize);
        lived.expect("controllers do not diverge");
        played
    }

    /// A buffer for `steps` steps.
    fn room(&self, obs_dim: usize, steps: usize) -> Rollout {
        let shape = Shape { tasks: 1, steps, envs: 1, obs_dim, act_dim: self.env.spec().act_dim() };
        Rollout::new(shape, self.horizon)
    }

    /// The episode in slot `episode`, in pieces of at most `every` ticks. For each, `act` gives the policy that acts, and
    /// `learn` takes the piece, with its first tick within the episode.
    ///
    /// # Errors
    /// If an output of a policy is not finite, or `learn` fails.
    pub fn perform<L>(
        &self,
        episode: u32,
        every: u32,
        state: &mut L,
        act: impl Fn(&mut L) -> Acting<'_>,
        mut learn: impl FnMut(&mut L, Rollout, u32) -> Result<(), Diverged>,
    ) -> Result<Played, Diverged> {
        let spec = self.env.spec();
        let place = || format!("life {}, episode {episode}", self.life);
        let mut played = Played::default();
        let mut env: Option<Box<dyn Batch>> = None;
        for (index, from) in (0..self.horizon).step_by(every as usize).enumerate() {
            let Acting { policy: (layout, params), actions, memory } = act(state);
            let width = window::width(spec, layout.window());
            let split = |memory: &Vec<f32>| memory.split_at(memory.len() - width).1.to_vec();
            let past: Memories = memory.iter().map(split).collect();
            let env = env.get_or_insert_with(|| looking_back(self.begin(episode), spec, layout.window(), &past));
            let own: Memories = memory.iter().map(|memory| memory[..memory.len() - width].to_vec()).collect();
            let draws = self.stream(Purpose::EvaluationAction, episode).phase(index as u8);
            let mut policy = actor((layout, params), (spec, 1), actions, draws, &place, &own);
            let steps = every.min(self.horizon - from) as usize;
            let mut piece =
                self.room(env.obs_dim(), steps).with_own_obs(metadrift_envs::obs_dim(spec, &self.task.settings));
            let before = played.rewards.len();
            let mut slab = piece.slabs().pop().expect("a lane");
            steps::run(&mut **env, &mut *policy, &mut played, &mut slab, steps)?;
            slab.valid_steps[0] = (played.rewards.len() - before) as u32;
            slab.clear_padding();
            *memory = policy.memories();
            if width > 0 {
                memory.resize(1, Vec::new());
                memory[0].extend(window::of_lane(&**env, 0, width));
            }
            learn(state, piece, from)?;
            if played.over {
                break;
            }
        }
        Ok(played)
    }
}
