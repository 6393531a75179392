//! What a batch promises: it refuses what is no action, and keeps its tasks.

use metadrift_envs::{Array, Clocks, Env, Purpose, StepError, StepView, Stream, Task, VecEnv, channels};

use super::{Check, action, alternatives, verdict};

/// A batch, and the buffers it writes to.
struct Stepped<E: Env> {
    env: VecEnv<E>,
    next_obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
}

impl<E: Env> Stepped<E> {
    fn of(task: &Task, lanes: usize, horizon: u32) -> Stepped<E> {
        let stream = Stream::new(29, Purpose::Reset);
        let env = VecEnv::<E>::new(&[(task, lanes)], horizon, stream, Clocks::default());
        let (next_obs, reward, flags) = (vec![f32::NAN; env.obs().len()], vec![f32::NAN; lanes], vec![false; lanes]);
        Stepped { env, next_obs, reward, terminated: flags.clone(), truncated: flags }
    }

    fn step(&mut self, actions: &[f32]) -> Result<(), StepError> {
        let out = StepView {
            next_obs: &mut self.next_obs,
            reward: &mut self.reward,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
        };
        self.env.try_step(actions, out)
    }

    /// The random actions of `tick`.
    fn actions(&self, seed: u64, tick: u32) -> Vec<f32> {
        (0..self.env.num_envs()).flat_map(|lane| action(E::SPEC.action, seed, lane as u32, tick)).collect()
    }

    fn step_randomly(&mut self, seed: u64, tick: u32) {
        let actions = self.actions(seed, tick);
        self.step(&actions).expect("random actions are legal");
    }

    /// All that a caller can see, as bits.
    fn bits(&self) -> Vec<u32> {
        let numbers = self.next_obs.iter().chain(&self.reward).chain(self.env.obs()).map(|x| x.to_bits());
        numbers.chain(self.terminated.iter().chain(&self.truncated).map(|flag| u32::from(*flag))).collect()
    }
}

pub(super) fn nan_is_refused<E: Env>() -> Check {
    let task = Task::nominal(&E::SPEC);
    let failure = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().find_map(|value| {
        let (mut tried, mut other) = (Stepped::<E>::of(&task, 2, 10), Stepped::<E>::of(&task, 2, 10));
        let mut actions = tried.actions(31, 0);
        *actions.last_mut()? = value;
        match tried.step(&actions) {
            Err(StepError::Action { lane: 1, .. }) => {}
            outcome => return Some(format!("an action of {value} in lane 1 leads to {outcome:?}")),
        }
        [&mut tried, &mut other].into_iter().for_each(|env| env.step_randomly(31, 1));
        (tried.bits() != other.bits()).then(|| format!("after an action of {value} the batch is another"))
    });
    let detail = "NaN and both infinities: a typed error, nothing stepped";
    verdict("an action that is not a number is refused", detail, failure)
}

/// After a reset the physics are still those of the task, and observations as long.
pub(super) fn tasks_outlive_resets<E: Env>() -> Check {
    const HORIZON: u32 = 3;
    let params: Vec<_> = channels(&E::SPEC).into_iter().take(E::SPEC.params.len()).collect();
    let failure = params.iter().find_map(|channel| {
        let value = *alternatives(channel).first()?;
        let mut task = Task::nominal(&E::SPEC).with(&E::SPEC, &channel.name, value).ok()?;
        task.settings.observe_actions = 2;
        let mut env = Stepped::<E>::of(&task, 4, HORIZON);
        (0..HORIZON).for_each(|tick| env.step_randomly(41, tick));
        let actions = env.actions(41, HORIZON);
        let before: Vec<_> = (0..4).map(|lane| env.env.state(lane)).collect();
        env.step(&actions).ok()?;
        let params = E::params(|index| task.values[index]);
        let kept = (0..4).all(|lane| {
            let act = &actions[lane * E::SPEC.act_dim()..];
            let command = E::command(&params, E::Action::from_fn(|k| f64::from(act[k])));
            let state = E::State::from_fn(|k| f64::from(before[lane].as_ref()[k]));
            let step = E::step(&params, state, command, command);
            let seen = E::observe(&params, step.state);
            let shown = &env.next_obs[lane * env.env.obs_dim()..];
            let near = |a: f64, b: f32| (a - f64::from(b)).abs() <= 1e-4 * a.abs().max(1.0);
            near(step.reward, env.reward[lane]) && seen.as_ref().iter().zip(shown).all(|(a, b)| near(*a, *b))
        });
        (!kept).then(|| format!("{} = {value} does not outlast an autoreset", channel.name))
    });
    let detail = format!("{} parameters and the settings, a step after an autoreset", params.len());
    verdict("tasks outlive resets", detail, failure)
}
