//! A policy that acts on one machine.

use crate::{
    fault::{Fault, check},
    form::{Adaptation, Form, Malformed},
    host_policy::{HostPolicy, Scratch},
    layout::{Core, Layout},
    prelude::*,
    recurrent::RecurrentPolicy,
    window::{Commands, Window, near},
};

/// The network of a policy, with its work space.
enum Network {
    /// One whose output depends on what it sees alone.
    Memoryless(Box<(HostPolicy, Scratch)>),
    Recurrent(Box<RecurrentPolicy>),
}

impl Network {
    fn new(layout: &Layout, params: &[f32]) -> Network {
        match layout.core() {
            Core::Recurrent { .. } => Network::Recurrent(Box::new(RecurrentPolicy::new(layout, params, 1))),
            _ => {
                let policy = HostPolicy::new(layout, params);
                let scratch = policy.scratch();
                Network::Memoryless(Box::new((policy, scratch)))
            }
        }
    }
}

/// A trained policy that acts on one machine. Acting allocates nothing.
///
/// ```
/// use metadrift_runtime::{End, Form, Policy, layout::{Head, Layout}, window::Commands};
///
/// let layout = Layout::new(4, &[8], Head::Categorical(2));
/// let params = layout.init(0.0, || 0.1);
/// let commands = Commands::Choices(2);
/// let form = Form { layout, readings: 4, commands, rate_limit: None, params, adaptation: None };
/// let file = form.to_bytes();
///
/// let mut policy = Policy::from_bytes(&file)?;
/// let (mut observation, mut command) = ([0.1, 0.0, -0.1, 0.0], [0.0]);
/// for _ in 0..10 {
///     policy.act(&observation, &mut command)?;
///     // the machine moves, and is measured again
///     observation[0] += 0.01;
///     policy.outcome(1.0, &observation, End::Going)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Policy {
    layout: Layout,
    window: Window,
    own: usize,
    start: Vec<f32>,
    pub(crate) adaptation: Option<Adaptation>,
    network: Network,
    /// Input of the network: the observation, and behind it the last transitions, newest first, `[obs_dim]`.
    seen: Vec<f32>,
    /// The last transitions after the outcome, `[window, width]`.
    past: Vec<f32>,
    /// Outputs of the head.
    out: Vec<f32>,
    /// The last action as the policy drew it, in its own unit, `[act_dim]`.
    drawn: Vec<f32>,
    /// The same as a command, within its limits, `[act_dim]`; 0 before the first.
    command: Vec<f32>,
    rate_limit: Option<f32>,
    stage: Stage,
}

/// The last thing that a policy has done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// It waits for an observation.
    Waiting,
    /// It has given the most likely command.
    Acted,
    /// It has drawn a command, of that log-probability.
    Drew(f32),
}

/// The end of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The episode goes on.
    Going,
    /// The episode is over for good: nothing is earned after it.
    Terminated,
    /// The episode was stopped, by a time limit for example; it could have gone on.
    Stopped,
}

/// A step as the policy has seen it, see [`Policy::drawn`].
pub(crate) struct Drawn<'a> {
    pub seen: &'a [f32],
    pub action: &'a [f32],
    pub log_prob: f32,
}

impl Policy {
    /// The policy of a file that `metadrift export` has written.
    ///
    /// # Errors
    /// If the bytes are not those of a policy, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Policy, Malformed> {
        Ok(Policy::new(Form::from_bytes(bytes)?))
    }

    /// The policy of a form, at the beginning of its life.
    ///
    /// # Panics
    /// If the parts of the form do not belong together.
    pub fn new(form: Form) -> Policy {
        let (own, window) = (form.obs_dim(), form.window());
        let Form { layout, commands, rate_limit, params, adaptation, .. } = form;
        let actions = commands.act_dim();
        let mut policy = Policy {
            network: Network::new(&layout, &params),
            seen: vec![0.0; layout.obs_dim()],
            past: vec![0.0; layout.obs_dim() - own],
            out: vec![0.0; layout.head().outputs()],
            drawn: vec![0.0; actions],
            command: vec![0.0; actions],
            rate_limit,
            stage: Stage::Waiting,
            start: params,
            layout,
            window,
            own,
            adaptation,
        };
        // work space grows in the first pass
        policy.think();
        policy.begin();
        policy
    }

    /// Number of values of an observation.
    pub fn obs_dim(&self) -> usize {
        self.own
    }

    /// Number of values of a command: 1 for a choice.
    pub fn act_dim(&self) -> usize {
        self.command.len()
    }

    /// The commands that it gives.
    pub fn commands(&self) -> Commands {
        self.window.commands
    }

    /// Its readings and commands, which a detector has to know.
    pub fn window(&self) -> Window {
        self.window
    }

    /// True if it adapts while it acts, by a memory or a window, and so needs every [`outcome`](Self::outcome).
    pub fn remembers(&self) -> bool {
        !self.past.is_empty() || matches!(self.network, Network::Recurrent(_))
    }

    /// Its way of adapting by gradient steps, if it has one; an [`Adapter`](crate::Adapter) follows it.
    pub fn adaptation(&self) -> Option<&Adaptation> {
        self.adaptation.as_ref()
    }

    /// Largest change of each component of a command from one to the next, in its unit, if there is such a limit.
    pub fn rate_limit(&self) -> Option<f32> {
        self.rate_limit
    }

    /// Tells the command that is in force on the machine, `[act_dim]`, from which a rate limit counts. That is the last one
    /// that this policy gave, and 0 at the beginning; tell it if another policy, or nobody, has acted since. It is taken
    /// within the limits of commands.
    ///
    /// # Errors
    /// If the length is wrong or a number is not finite.
    pub fn set_command(&mut self, command: &[f32]) -> Result<(), Fault> {
        check("the command", command, self.command.len())?;
        let commands = self.window.commands;
        self.command.iter_mut().zip(command).for_each(|(own, command)| *own = commands.limited(*command));
        self.stage = Stage::Waiting;
        Ok(())
    }

    /// Forgets what it remembers: another machine, or a new life, begins, and the command in force is 0. Parameters stay.
    pub fn begin(&mut self) {
        self.command.fill(0.0);
        self.past.fill(0.0);
        if let Network::Recurrent(network) = &mut self.network {
            network.forget();
        }
        self.stage = Stage::Waiting;
    }

    /// Writes the most likely command for `observation` `[obs_dim]` to `command` `[act_dim]`: the index of a choice, or a
    /// vector within its limits, in the command's unit.
    ///
    /// # Errors
    /// If a length is wrong or a number is not finite; `command` is then as it was.
    pub fn act(&mut self, observation: &[f32], command: &mut [f32]) -> Result<(), Fault> {
        self.look(observation, command)?;
        match &self.network {
            Network::Memoryless(network) => network.0.mode(&self.out, &mut self.drawn),
            Network::Recurrent(network) => network.mode(&mut self.drawn),
        }
        self.give(command, Stage::Acted)
    }

    /// Draws a command for `observation` `[obs_dim]` from the policy's distribution, as a policy must that is to learn from
    /// what follows; see [`act`](Self::act). `uniforms` are four independent numbers in `[0, 1)`, such as
    /// [`uniforms`](crate::uniforms) gives.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn sample(&mut self, observation: &[f32], uniforms: [f32; 4], command: &mut [f32]) -> Result<(), Fault> {
        if !uniforms.iter().all(|number| (0.0..1.0).contains(number)) {
            return Err(Fault::NotFinite("a uniform number in [0, 1)"));
        }
        self.look(observation, command)?;
        let mut log_prob = [0.0];
        match &self.network {
            Network::Memoryless(network) => network.0.sample(&self.out, |_| uniforms, &mut self.drawn, &mut log_prob),
            Network::Recurrent(network) => network.sample(|_| uniforms, &mut self.drawn, &mut log_prob),
        }
        self.give(command, Stage::Drew(log_prob[0]))
    }

    /// Lets the network see the observation and the past.
    fn look(&mut self, observation: &[f32], command: &[f32]) -> Result<(), Fault> {
        check("the observation", observation, self.own)?;
        if command.len() != self.command.len() {
            return Err(Fault::Length { what: "the command", given: command.len(), wanted: self.command.len() });
        }
        let (own, past) = self.seen.split_at_mut(self.own);
        own.copy_from_slice(observation);
        past.copy_from_slice(&self.past);
        self.think();
        Ok(())
    }

    fn think(&mut self) {
        match &mut self.network {
            Network::Memoryless(network) => {
                let (policy, scratch) = &mut **network;
                policy.forward(&self.seen, &mut self.out, scratch);
            }
            Network::Recurrent(network) => {
                network.observe(&self.seen);
                self.out.copy_from_slice(network.out());
            }
        }
    }

    /// Hands over the command of the action drawn, if all numbers are finite.
    fn give(&mut self, command: &mut [f32], stage: Stage) -> Result<(), Fault> {
        self.stage = Stage::Waiting;
        if !self.out.iter().chain(&self.drawn).all(|number| number.is_finite()) {
            return Err(Fault::NotFinite("an output of the policy"));
        }
        let commands = self.window.commands;
        for (own, drawn) in self.command.iter_mut().zip(&self.drawn) {
            let wanted = commands.command(*drawn);
            *own = self.rate_limit.map_or(wanted, |rate| near(wanted, *own, rate));
        }
        command.copy_from_slice(&self.command);
        self.stage = stage;
        Ok(())
    }

    /// Takes in the outcome of the last command: the reward, the observation after it, never that of a new episode, and
    /// whether the episode has ended. A policy that [`remembers`](Self::remembers) needs it after every command; for others
    /// it changes nothing.
    ///
    /// # Errors
    /// If there was no command, a length is wrong, or a number is not finite.
    pub fn outcome(&mut self, reward: f32, observation: &[f32], end: End) -> Result<(), Fault> {
        if self.stage == Stage::Waiting {
            return Err(Fault::NoAction);
        }
        check("the observation", observation, self.own)?;
        check("the reward", &[reward], 1)?;
        if !self.past.is_empty() {
            let slot = self.window.shift(&mut self.past);
            self.window.write(&self.seen[..self.own], observation, &self.command, reward, slot);
        }
        if let Network::Recurrent(network) = &mut self.network {
            network.outcome(&self.drawn, &[reward], |_| end != End::Going);
        }
        self.stage = Stage::Waiting;
        Ok(())
    }

    /// The last step, if its command was drawn.
    pub(crate) fn drawn(&self) -> Result<Drawn<'_>, Fault> {
        match self.stage {
            Stage::Waiting => Err(Fault::NoAction),
            Stage::Acted => Err(Fault::NotDrawn),
            Stage::Drew(log_prob) => Ok(Drawn { seen: &self.seen, action: &self.drawn, log_prob }),
        }
    }

    /// The last transitions, as the network will see them behind the next observation.
    pub(crate) fn past(&self) -> &[f32] {
        &self.past
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of values of an observation that are readings of the environment.
    pub(crate) fn readings(&self) -> usize {
        self.window.readings
    }

    /// Parameters before adaptation, `[num_params]`.
    pub fn start(&self) -> &[f32] {
        &self.start
    }

    /// Takes other parameters, `[num_params]`: those of an adaptation. This allocates.
    ///
    /// # Errors
    /// If there is another number of them, or one is not finite.
    pub fn set_params(&mut self, params: &[f32]) -> Result<(), Fault> {
        check("the parameters", params, self.start.len())?;
        self.network = Network::new(&self.layout, params);
        self.seen.fill(0.0);
        self.think();
        if let Network::Recurrent(network) = &mut self.network {
            network.forget();
        }
        self.stage = Stage::Waiting;
        Ok(())
    }
}
