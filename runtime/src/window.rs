//! The last transitions of a lane, as a policy sees them that looks back.

/// Factor on the change of a reading in one step, which is small beside the reading.
const CHANGE: f32 = 5.0;
/// Factor on a reward.
const REWARD: f32 = 0.1;

/// The commands that an environment takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Commands {
    /// Indices 0, 1, ..., n - 1; they travel as `f32`.
    Choices(usize),
    /// Vectors of `dim` real numbers, meant for [-bound, bound].
    Vector {
        /// Number of components.
        dim: usize,
        /// Largest magnitude, in the command's unit.
        bound: f32,
    },
}

impl Commands {
    /// Number of values of a command: 1 for an index.
    pub fn act_dim(self) -> usize {
        match self {
            Commands::Choices(_) => 1,
            Commands::Vector { dim, .. } => dim,
        }
    }

    /// Factor from a policy's actions to commands.
    pub fn scale(self) -> f32 {
        match self {
            Commands::Choices(_) => 1.0,
            Commands::Vector { bound, .. } => bound,
        }
    }

    /// A component of the command for one of an action, as a policy draws it.
    pub fn command(self, action: f32) -> f32 {
        self.limited(action * self.scale())
    }

    /// A component of a command within its limits.
    pub fn limited(self, command: f32) -> f32 {
        match self {
            Commands::Choices(_) => command,
            Commands::Vector { bound, .. } => command.clamp(-bound, bound),
        }
    }

    /// A component of a command in units of a full one, within [-1, 1].
    pub fn unit(self, command: f32) -> f32 {
        match self {
            Commands::Choices(count) => 2.0 * command / (count - 1) as f32 - 1.0,
            Commands::Vector { bound, .. } => (command / bound).clamp(-1.0, 1.0),
        }
    }
}

/// The command nearest to `wanted` that differs from `last`, the one in force, by `rate` at most.
pub fn near(wanted: f32, last: f32, rate: f32) -> f32 {
    wanted.clamp(last - rate, last + rate)
}

/// The sizes of a transition. Of each there are the change of every reading, the command (in units of a full one), the
/// reward, and the products of the command with every change and every reading before it: a sign that flips shows in a
/// product, and in no sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Number of readings, from the first on, that it shows.
    pub readings: usize,
    /// The commands that it shows.
    pub commands: Commands,
}

impl Window {
    /// Number of values of a transition.
    pub fn width(&self) -> usize {
        let parts = self.commands.act_dim();
        self.readings + parts + 1 + 2 * parts * self.readings
    }

    /// Writes a transition to `out`, `[width]`: the observations before and after it, the command and the reward.
    pub fn write(&self, before: &[f32], after: &[f32], command: &[f32], reward: f32, out: &mut [f32]) {
        let n = self.readings;
        let (changes, rest) = out.split_at_mut(n);
        for (k, change) in changes.iter_mut().enumerate() {
            *change = CHANGE * (after[k] - before[k]);
        }
        let (commands, rest) = rest.split_at_mut(command.len());
        commands.iter_mut().zip(command).for_each(|(unit, command)| *unit = self.commands.unit(*command));
        rest[0] = REWARD * reward;
        for (products, unit) in rest[1..].chunks_exact_mut(2 * n).zip(&*commands) {
            let factors = changes.iter().chain(&before[..n]);
            products.iter_mut().zip(factors).for_each(|(product, factor)| *product = unit * factor);
        }
    }

    /// Makes room for a transition at the front of `past` `[length, width]`, newest first, and forgets the last one.
    pub fn shift<'a>(&self, past: &'a mut [f32]) -> &'a mut [f32] {
        let width = self.width();
        past.copy_within(..past.len() - width, width);
        &mut past[..width]
    }
}
