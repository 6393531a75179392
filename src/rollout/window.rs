//! A window on the last transitions, appended to the observations of a policy that looks back.

use metadrift_agents::window::{Commands, Window};
use metadrift_envs::{ActionSpace, Batch, Clocks, EnvSpec, StepView, Task, WrongState};

/// Number of values that a window of `length` transitions appends to an observation of the environment `spec`.
pub fn width(spec: &EnvSpec, length: usize) -> usize {
    length * of(spec).width()
}

/// `batch` of the environment `spec`, its observations followed by the last `length` transitions, newest first. Of each
/// there are the change of every reading, the command (in units of a full one), the reward, and the products of the
/// command with every change and every reading before it: a sign that flips shows in a product, and in no sum. The window
/// goes on from episode to episode and is empty where a task begins; `past` `[lanes]` has the windows of the phase before, if
/// there was one ([`of_lane`]).
pub fn looking_back(batch: Box<dyn Batch>, spec: &EnvSpec, length: usize, past: &[Vec<f32>]) -> Box<dyn Batch> {
    if length == 0 {
        return batch;
    }
    let window = of(spec);
    let lanes = batch.episode_step().len();
    let width = batch.obs_dim() + length * window.width();
    let mut all = LookingBack {
        inner: vec![0.0; lanes * batch.obs_dim()],
        before: Vec::new(),
        past: if past.is_empty() { vec![0.0; lanes * length * window.width()] } else { past.concat() },
        obs: vec![0.0; lanes * width],
        batch,
        window,
        length,
    };
    all.show();
    Box::new(all)
}

/// The window of a lane, which is the end of its observation, `[width]`.
pub fn of_lane(batch: &dyn Batch, lane: usize, width: usize) -> Vec<f32> {
    let end = (lane + 1) * batch.obs_dim();
    batch.obs()[end - width..end].to_vec()
}

/// The window on transitions of the environment `spec`.
pub(crate) fn of(spec: &EnvSpec) -> Window {
    Window { readings: spec.obs_dim(), commands: commands(spec) }
}

/// The commands of the environment `spec`.
pub(crate) fn commands(spec: &EnvSpec) -> Commands {
    match spec.action {
        ActionSpace::Discrete(count) => Commands::Choices(count),
        ActionSpace::Box { dim, bound } => Commands::Vector { dim, bound: bound as f32 },
    }
}

/// A batch whose observations hold the last transitions.
struct LookingBack {
    batch: Box<dyn Batch>,
    window: Window,
    /// Number of transitions.
    length: usize,
    /// The batch's own observations after a step, and before it, `[lanes, own width]`.
    inner: Vec<f32>,
    before: Vec<f32>,
    /// Transitions, newest first, `[lanes, length, width]`.
    past: Vec<f32>,
    /// `[lanes, obs_dim]`
    obs: Vec<f32>,
}

impl LookingBack {
    /// Writes own observations and windows to `out`, `[lanes, obs_dim]`.
    fn join(own: &[f32], past: &[f32], out: &mut [f32], lanes: usize) {
        let (own_width, width) = (own.len() / lanes, out.len() / lanes);
        for (lane, row) in out.chunks_exact_mut(width).enumerate() {
            let (first, rest) = row.split_at_mut(own_width);
            first.copy_from_slice(&own[lane * own_width..][..own_width]);
            rest.copy_from_slice(&past[lane * rest.len()..][..rest.len()]);
        }
    }

    fn show(&mut self) {
        let lanes = self.batch.episode_step().len();
        LookingBack::join(self.batch.obs(), &self.past, &mut self.obs, lanes);
    }
}

impl Batch for LookingBack {
    fn obs_dim(&self) -> usize {
        self.batch.obs_dim() + self.length * self.window.width()
    }

    fn obs(&self) -> &[f32] {
        &self.obs
    }

    fn episode_step(&self) -> &[u32] {
        self.batch.episode_step()
    }

    fn clocks(&self, lane: usize) -> Clocks {
        self.batch.clocks(lane)
    }

    fn delivered(&self, actions: &[f32]) -> Vec<f32> {
        self.batch.delivered(actions)
    }

    fn step(&mut self, actions: &[f32], out: StepView<'_>) {
        self.before.clear();
        self.before.extend_from_slice(self.batch.obs());
        let StepView { next_obs, reward, terminated, truncated } = out;
        let view = StepView { next_obs: &mut self.inner, reward: &mut *reward, terminated, truncated };
        self.batch.step(actions, view);
        let (own, width, parts) = (self.batch.obs_dim(), self.window.width(), self.window.commands.act_dim());
        for (lane, past) in self.past.chunks_exact_mut(self.length * width).enumerate() {
            let of_lane = lane * own..(lane + 1) * own;
            let (before, after) = (&self.before[of_lane.clone()], &self.inner[of_lane]);
            let action = &actions[lane * parts..(lane + 1) * parts];
            self.window.write(before, after, action, reward[lane], self.window.shift(past));
        }
        LookingBack::join(&self.inner, &self.past, next_obs, reward.len());
        self.show();
    }

    fn renew(&mut self, lane: usize, task: &Task) {
        self.batch.renew(lane, task);
        let size = self.length * self.window.width();
        self.past[lane * size..(lane + 1) * size].fill(0.0);
        self.show();
    }

    fn save(&mut self) -> Vec<u32> {
        let past = self.past.iter().map(|number| number.to_bits());
        past.chain(self.batch.save()).collect()
    }

    fn restore(&mut self, saved: &[u32]) -> Result<(), WrongState> {
        let (past, rest) = saved.split_at(self.past.len().min(saved.len()));
        self.batch.restore(rest)?;
        self.past.iter_mut().zip(past).for_each(|(number, bits)| *number = f32::from_bits(*bits));
        self.show();
        Ok(())
    }

    fn copy_state(&self, lane: usize, out: &mut Vec<f32>) {
        self.batch.copy_state(lane, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadrift_envs::{EnvKind, Purpose, Stream};

    /// Steps `env` with `action` in both lanes; gives the observations after the step, and true if an episode ended.
    fn step(env: &mut dyn Batch, action: f32) -> (Vec<f32>, Vec<f32>, bool) {
        let mut next_obs = vec![0.0; 2 * env.obs_dim()];
        let (mut reward, mut flags) = ([0.0; 2], [[false; 2]; 2]);
        let [terminated, truncated] = &mut flags;
        env.step(&[action; 2], StepView { next_obs: &mut next_obs, reward: &mut reward, terminated, truncated });
        (next_obs, reward.to_vec(), flags.concat().contains(&true))
    }

    #[test]
    fn a_window_shows_changes_commands_rewards_and_products_newest_first() {
        let env = EnvKind::Pendulum;
        let spec = env.spec();
        let task = Task::nominal(spec);
        let batch = || env.dynamics().batch(&[(&task, 2)], 3, Stream::new(1, Purpose::Reset), Clocks::default());
        let (mut plain, mut window) = (batch(), looking_back(batch(), spec, 2, &[]));
        assert_eq!((width(spec, 2), window.obs_dim()), (2 * (3 + 1 + 1 + 6), 3 + 22));
        assert!(window.obs()[3..25].iter().all(|number| *number == 0.0));
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for (t, torque) in [2.0, -1.0, 0.5, 5.0, -2.0].into_iter().enumerate() {
            let before = plain.obs()[..3].to_vec();
            let (after, reward, ended) = step(&mut *plain, torque);
            let (shown, _, _) = step(&mut *window, torque);
            // the third step is the last of the episode: its transition leads to the state before the reset
            assert_eq!(ended, t == 2);
            let unit = (torque / 2.0_f32).clamp(-1.0, 1.0);
            let change: Vec<f32> = (0..3).map(|k| 5.0 * (after[k] - before[k])).collect();
            let products = change.iter().chain(&before).map(|x| unit * x);
            let newest: Vec<f32> = change.iter().copied().chain([unit, 0.1 * reward[0]]).chain(products).collect();
            assert_eq!((&shown[..3], &shown[3..14]), (&after[..3], &newest[..]));
            assert_eq!(window.obs()[..3], plain.obs()[..3]);
            assert_eq!(window.obs()[3..14], newest);
            if let Some(last) = seen.last() {
                assert_eq!(&window.obs()[14..25], last, "the window goes on over the end of an episode");
            }
            seen.push(newest);
        }
        let saved = window.save();
        let mut again = looking_back(batch(), spec, 2, &[]);
        again.restore(&saved).unwrap();
        assert_eq!(again.obs(), window.obs());
        assert!(again.restore(&saved[1..]).is_err());
    }

    #[test]
    fn a_new_task_begins_with_an_empty_window() {
        let env = EnvKind::CartPole;
        let config = crate::presets::load("cartpole-flip", &[]).unwrap();
        let tasks = config.tasks(metadrift_envs::Split::Train);
        let of = |index| tasks.sample(0, 0, index);
        let batch = env.dynamics().renewable(&[of(0), of(1)], tasks, 100, Stream::new(1, Purpose::Reset));
        let mut window = looking_back(batch, env.spec(), 1, &[]);
        step(&mut *window, 1.0);
        window.renew(1, &of(2));
        let width = window.obs_dim();
        assert!(window.obs()[4..width].iter().any(|number| *number != 0.0));
        assert!(window.obs()[width + 4..].iter().all(|number| *number == 0.0));
    }
}
