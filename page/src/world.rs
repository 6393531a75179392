//! A policy that acts on one environment while somebody changes the environment.

use crate::setup::Setup;
use metadrift_envs::{
    Autoreset, CartPole, CartPoleBalance, ComplexOde, DoubleIntegrator, Env, EnvSpec, Navigation, NavigationRotated,
    Pendulum, Purpose, StepView, Stream, Task, VecEnv, channel_index, channels,
};
use metadrift_runtime::{Adapted, Adapter, End, Policy, uniforms};

/// An error in words.
fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// One lane of an environment without its type: what a world needs of a [`VecEnv`].
trait Lane {
    fn obs(&self) -> &[f32];
    fn episode_step(&self) -> u32;
    fn delivered(&self, command: &[f32]) -> Vec<f32>;
    fn step(&mut self, command: &[f32], out: StepView<'_>);
    fn begin(&mut self);
    fn alter(&mut self, task: &Task);
    fn copy_state(&self, out: &mut Vec<f32>);
}

impl<E: Env> Lane for VecEnv<E> {
    fn obs(&self) -> &[f32] {
        self.obs()
    }

    fn episode_step(&self) -> u32 {
        self.episode_step()[0]
    }

    fn delivered(&self, command: &[f32]) -> Vec<f32> {
        self.delivered(command)
    }

    fn step(&mut self, command: &[f32], out: StepView<'_>) {
        self.step(command, out);
    }

    fn begin(&mut self) {
        self.reset_lanes(&[true]);
    }

    fn alter(&mut self, task: &Task) {
        self.alter(0, task);
    }

    fn copy_state(&self, out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(self.state(0).as_ref());
    }
}

/// A way of making a lane.
type Make = fn(&Task, &[usize], &Setup) -> Box<dyn Lane>;

/// The environments that are compiled in: those of the presets.
const ENVS: [(&EnvSpec, Make); 7] = [
    (&CartPole::SPEC, lane::<CartPole>),
    (&Pendulum::SPEC, lane::<Pendulum>),
    (&Navigation::SPEC, lane::<Navigation>),
    (&NavigationRotated::SPEC, lane::<NavigationRotated>),
    (&DoubleIntegrator::SPEC, lane::<DoubleIntegrator>),
    (&ComplexOde::SPEC, lane::<ComplexOde>),
    (&CartPoleBalance::SPEC, lane::<CartPoleBalance>),
];

/// The names of the environments that are compiled in.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENVS.iter().map(|(spec, _)| spec.name)
}

fn lane<E: Env>(task: &Task, channels: &[usize], setup: &Setup) -> Box<dyn Lane> {
    let stream = Stream::new(setup.seed.into(), Purpose::EvaluationReset);
    let env = VecEnv::<E>::changeable(std::slice::from_ref(task), channels, setup.horizon, stream);
    Box::new(env.with_autoreset(Autoreset::Disabled))
}

/// The numbers that a page shows, in this order; lengths are those of the environment.
#[derive(Clone, Debug, Default)]
pub struct View {
    numbers: Vec<f64>,
}

/// The numbers of a [`View`] before its lists.
const HEAD: usize = 6;

impl View {
    /// Reward of the last step, its end (0 going, 1 terminated, 2 stopped), rewards and steps of the episode so far,
    /// number of episodes that have ended, and number of steps that a step of adaptation would learn from; then state
    /// `[state_dim]`, observation `[obs_dim]`, command and output of the actuators `[act_dim]` each, and the values of the
    /// channels that may be changed.
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }
}

/// A policy, its environment, and what has happened.
pub struct World {
    spec: &'static EnvSpec,
    env: Box<dyn Lane>,
    task: Task,
    channels: Vec<usize>,
    seed: u32,
    policy: Policy,
    adapter: Option<Adapter>,
    /// Ticks since the beginning: names the random numbers of a command.
    tick: u64,
    /// True if the last step ended an episode.
    over: bool,
    obs: Vec<f32>,
    command: Vec<f32>,
    applied: Vec<f32>,
    state: Vec<f32>,
    earned: f64,
    episodes: u64,
    reward: f32,
    end: End,
    view: View,
}

impl World {
    /// The world that `setup` (the text of a [`Setup`]) describes, with the policy of a file.
    ///
    /// # Errors
    /// If either cannot be read, or they do not belong together.
    pub fn open(setup: &str, policy: &[u8]) -> Result<World, String> {
        let setup = Setup::parse(setup)?;
        let policy = Policy::from_bytes(policy).map_err(told)?;
        let Some((spec, make)) = ENVS.iter().find(|(spec, _)| spec.name == setup.env) else {
            return Err(format!("the environment {} is not among those of a page", setup.env));
        };
        let mut task = Task { settings: setup.settings.clone(), ..Task::nominal(spec) };
        for (name, value) in &setup.values {
            task = task.with(spec, name, *value).map_err(told)?;
        }
        let places: Result<Vec<usize>, _> = setup.channels.iter().map(|name| channel_index(spec, name)).collect();
        let channels = places.map_err(told)?;
        let env = make(&task, &channels, &setup);
        if policy.obs_dim() != env.obs().len() {
            let (policy, env) = (policy.obs_dim(), env.obs().len());
            return Err(format!("the policy sees {policy} numbers, and the environment shows {env}"));
        }
        let adapter = policy.adaptation().map(|adaptation| adaptation.episodes * setup.horizon as usize);
        let adapter = adapter.map(|room| Adapter::new(&policy, room)).transpose().map_err(told)?;
        let (obs, actions) = (env.obs().to_vec(), policy.act_dim());
        let mut world = World {
            spec,
            env,
            task,
            channels,
            seed: setup.seed,
            policy,
            adapter,
            tick: 0,
            over: false,
            obs,
            command: vec![0.0; actions],
            applied: vec![0.0; actions],
            state: Vec::new(),
            earned: 0.0,
            episodes: 0,
            reward: 0.0,
            end: End::Going,
            view: View::default(),
        };
        world.look();
        Ok(world)
    }

    /// Number of episodes that a step of adaptation learns from; 0 if the policy adapts while it acts.
    pub fn episodes_per_step(&self) -> usize {
        self.policy.adaptation().map_or(0, |adaptation| adaptation.episodes)
    }

    /// Values of the channels that may be changed.
    pub fn values(&self) -> Vec<f64> {
        self.channels.iter().map(|channel| self.task.values[*channel]).collect()
    }

    /// The numbers to show.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Takes one step, by the most likely command, or by a drawn one that is recorded for an adaptation. After the end of
    /// an episode it only shows the beginning of the next one.
    ///
    /// # Errors
    /// If the policy cannot act, or there is no room for more steps.
    pub fn step(&mut self, learn: bool) -> Result<(), String> {
        if self.over {
            self.begin();
            return Ok(());
        }
        let numbers = uniforms(self.seed.into(), self.tick);
        match learn {
            true => self.policy.sample(&self.obs, numbers, &mut self.command).map_err(told)?,
            false => self.policy.act(&self.obs, &mut self.command).map_err(told)?,
        }
        self.applied = self.env.delivered(&self.command);
        let mut next = vec![0.0; self.obs.len()];
        let (mut reward, mut terminated, mut truncated) = ([0.0], [false], [false]);
        self.env.step(
            &self.command,
            StepView {
                next_obs: &mut next,
                reward: &mut reward,
                terminated: &mut terminated,
                truncated: &mut truncated,
            },
        );
        self.tick += 1;
        self.reward = reward[0];
        self.end = match (terminated[0], truncated[0]) {
            (true, _) => End::Terminated,
            (_, true) => End::Stopped,
            _ => End::Going,
        };
        match (&mut self.adapter, learn) {
            (Some(adapter), true) => adapter.record(&mut self.policy, self.reward, &next, self.end).map_err(told)?,
            _ => self.policy.outcome(self.reward, &next, self.end).map_err(told)?,
        }
        self.obs = next;
        self.earned += f64::from(self.reward);
        self.over = self.end != End::Going;
        self.episodes += u64::from(self.over);
        self.look();
        Ok(())
    }

    /// Begins an episode. A policy that adapts by gradient steps sees nothing of the one before; a memory goes on.
    fn begin(&mut self) {
        self.env.begin();
        self.obs.copy_from_slice(self.env.obs());
        if self.adapter.is_some() {
            self.policy.begin();
        }
        (self.over, self.earned, self.reward, self.end) = (false, 0.0, 0.0, End::Going);
        self.command.fill(0.0);
        self.applied.fill(0.0);
        self.look();
    }

    /// Changes the channel at `place` among those that may be changed, in the middle of an episode.
    ///
    /// # Errors
    /// If there is no such place, or the value is not legal.
    pub fn set(&mut self, place: usize, value: f64) -> Result<(), String> {
        let channel = *self.channels.get(place).ok_or("there is no such slider")?;
        let name = &channels(self.spec)[channel].name;
        let task = self.task.clone().with(self.spec, name, value).map_err(told)?;
        self.env.alter(&task);
        self.task = task;
        self.look();
        Ok(())
    }

    /// Takes a step of adaptation on the episodes recorded since the last one, and begins an episode.
    ///
    /// # Errors
    /// If the policy does not adapt by gradient steps, or nothing was recorded.
    pub fn adapt(&mut self) -> Result<Adapted, String> {
        let adapter = self.adapter.as_mut().ok_or("this policy adapts while it acts")?;
        let adapted = adapter.adapt(&mut self.policy).map_err(told)?;
        self.begin();
        Ok(adapted)
    }

    /// Takes all adaptation back, or all memory, and begins an episode.
    pub fn reset(&mut self) {
        match &mut self.adapter {
            Some(adapter) => adapter.reset(&mut self.policy),
            None => self.policy.begin(),
        }
        self.begin();
    }

    /// Writes the view.
    fn look(&mut self) {
        self.env.copy_state(&mut self.state);
        let end = match self.end {
            End::Going => 0,
            End::Terminated => 1,
            End::Stopped => 2,
        };
        let recorded = self.adapter.as_ref().map_or(0, Adapter::recorded);
        let head: [f64; HEAD] = [
            self.reward.into(),
            end.into(),
            self.earned,
            self.env.episode_step().into(),
            self.episodes as f64,
            recorded as f64,
        ];
        let numbers = &mut self.view.numbers;
        numbers.clear();
        numbers.extend(head);
        numbers.extend(
            [&self.state, &self.obs, &self.command, &self.applied]
                .into_iter()
                .flatten()
                .map(|number| f64::from(*number)),
        );
        numbers.extend(self.channels.iter().map(|channel| self.task.values[*channel]));
    }
}
