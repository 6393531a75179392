//! What an environment looks like at one moment.

use metadrift_envs::{EnvKind, channels};

use super::{Canvas, Colour};

/// Width and height of a scene (pixels).
pub const SIZE: (usize, usize) = (400, 300);

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [40, 40, 40];
const GREY: Colour = [190, 190, 190];
const BODY: Colour = [0, 114, 178];
const POLE: Colour = [213, 94, 0];
const PUSH: Colour = [0, 158, 115];

/// One moment of one lane.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The physical state, `[state_dim]`.
    pub state: Vec<f64>,
    /// Values of all channels, `[channels]`.
    pub values: Vec<f64>,
    /// What the controller decided, `[act_dim]`.
    pub action: Vec<f64>,
    /// What was earned so far in the episode.
    pub earned: f64,
    /// Steps done in the episode.
    pub step: u64,
    /// Whether the episode has ended here.
    pub over: bool,
}

/// Draws scenes of one environment.
#[derive(Clone, Debug)]
pub struct Painter {
    env: EnvKind,
    names: Vec<String>,
    /// Channels whose values are written next to the picture.
    shown: Vec<usize>,
}

impl Painter {
    /// For `env`, with the current values of the channels `shown`.
    pub fn new(env: EnvKind, shown: Vec<usize>) -> Self {
        Painter { env, names: channels(env.spec()).into_iter().map(|channel| channel.name).collect(), shown }
    }

    /// A picture of `moment` under a `title`.
    pub fn paint(&self, moment: &Moment, title: &str) -> Canvas {
        let mut canvas = Canvas::new(SIZE.0, SIZE.1, PAPER);
        match self.env {
            EnvKind::CartPole => self.cartpole(&mut canvas, moment),
            EnvKind::Pendulum => self.pendulum(&mut canvas, moment),
            EnvKind::Navigation | EnvKind::NavigationRotated => self.navigation(&mut canvas, moment),
            _ => self.components(&mut canvas, moment),
        }
        canvas.text([10, 8], title, 2, INK);
        let end = if moment.over { "  over" } else { "" };
        canvas.text([10, 28], &format!("step {:<4} return {:.1}{end}", moment.step, moment.earned), 1, INK);
        for (row, &channel) in self.shown.iter().take(6).enumerate() {
            let line = format!("{:<18} {:>8.3}", self.names[channel], moment.values[channel]);
            canvas.text([10, 42 + 11 * row], &line, 1, INK);
        }
        canvas
    }

    fn value(&self, moment: &Moment, name: &str, absent: f64) -> f64 {
        self.names.iter().position(|known| known == name).map_or(absent, |index| moment.values[index])
    }

    /// The share of a full command that arrives, with its sign.
    fn applied(&self, moment: &Moment, command: f64) -> f64 {
        self.value(moment, "actuator_gain", 1.0) * command + self.value(moment, "actuator_bias", 0.0)
    }

    fn cartpole(&self, canvas: &mut Canvas, moment: &Moment) {
        let limit = self.value(moment, "x_limit", 2.4);
        let scale = 170.0 / limit;
        let (x, theta) = (200.0 + moment.state[0] * scale, moment.state[2]);
        let ground = 250.0;
        canvas.line([20.0, ground], [380.0, ground], 2.0, GREY);
        for end in [-limit, limit] {
            canvas.line([200.0 + end * scale, ground - 12.0], [200.0 + end * scale, ground + 6.0], 2.0, GREY);
        }
        let pole = 200.0 * self.value(moment, "half_length", 0.5).clamp(0.1, 0.8);
        let hinge = [x, ground - 30.0];
        canvas.rectangle([x - 28.0, ground - 30.0], [x + 28.0, ground - 6.0], BODY);
        canvas.disc([x - 16.0, ground - 5.0], 5.0, INK);
        canvas.disc([x + 16.0, ground - 5.0], 5.0, INK);
        canvas.line(hinge, [hinge[0] + pole * theta.sin(), hinge[1] - pole * theta.cos()], 7.0, POLE);
        canvas.disc(hinge, 3.0, INK);
        let push = self.applied(moment, if moment.action[0] == 1.0 { 1.0 } else { -1.0 });
        let force = push * self.value(moment, "force_mag", 10.0);
        let from = [x + 30.0 * force.signum(), ground - 18.0];
        canvas.arrow(from, [from[0] + (4.0 * force).clamp(-90.0, 90.0), from[1]], 3.0, PUSH);
        canvas.text([10, 280], &format!("force {force:+.1} N"), 1, PUSH);
    }

    fn pendulum(&self, canvas: &mut Canvas, moment: &Moment) {
        let pivot = [250.0, 165.0];
        let length = 80.0 * self.value(moment, "length", 1.0).clamp(0.3, 1.5);
        let theta = moment.state[0];
        let tip = [pivot[0] + length * theta.sin(), pivot[1] - length * theta.cos()];
        canvas.line([pivot[0], pivot[1] - 125.0], [pivot[0], pivot[1] - 115.0], 2.0, GREY);
        let thickness = 8.0 + 6.0 * self.value(moment, "mass", 1.0).clamp(0.2, 2.0);
        canvas.line(pivot, tip, thickness, POLE);
        canvas.disc(pivot, 5.0, INK);
        let limit = self.value(moment, "max_torque", 2.0);
        let torque = self.applied(moment, moment.action[0].clamp(-limit, limit));
        let from = [pivot[0], 285.0];
        canvas.line([from[0], 278.0], [from[0], 292.0], 1.5, GREY);
        canvas.arrow(from, [from[0] + (35.0 * torque).clamp(-120.0, 120.0), from[1]], 3.0, PUSH);
        canvas.text([10, 280], &format!("torque {torque:+.2} N m"), 1, PUSH);
    }

    /// The point, the goal as a cross, and the move that comes next.
    fn navigation(&self, canvas: &mut Canvas, moment: &Moment) {
        let goal = [self.value(moment, "goal_x", 0.0), self.value(moment, "goal_y", 0.0)];
        let widest = goal.into_iter().chain(moment.state.iter().copied()).fold(0.6, |widest, x| x.abs().max(widest));
        let scale = 105.0 / widest;
        let at = |[x, y]: [f64; 2]| [255.0 + scale * x, 165.0 - scale * y];
        let (origin, goal, point) = (at([0.0, 0.0]), at(goal), at([moment.state[0], moment.state[1]]));
        for [x, y] in [[5.0, 0.0], [0.0, 5.0]] {
            canvas.line([origin[0] - x, origin[1] - y], [origin[0] + x, origin[1] + y], 1.5, GREY);
            canvas.line([goal[0] - x - y, goal[1] - x + y], [goal[0] + x + y, goal[1] + x - y], 2.5, POLE);
        }
        let limit = self.value(moment, "step_limit", 0.1);
        let [x, y] = [0, 1].map(|k| self.applied(moment, moment.action[k].clamp(-limit, limit)));
        let (sin, cos) = self.value(moment, "rotation", 0.0).sin_cos();
        let moved = [cos * x - sin * y, sin * x + cos * y];
        canvas.arrow(point, at([moment.state[0] + moved[0], moment.state[1] + moved[1]]), 3.0, PUSH);
        canvas.disc(point, 5.0, BODY);
        canvas.text([10, 280], &format!("move {:+.3} {:+.3}", moved[0], moved[1]), 1, PUSH);
    }

    /// Where there is no scene of its own: a bar for each component of the state.
    fn components(&self, canvas: &mut Canvas, moment: &Moment) {
        for (row, value) in moment.state.iter().enumerate().take(8) {
            let y = 130.0 + 18.0 * row as f64;
            canvas.line([200.0, y - 7.0], [200.0, y + 7.0], 1.5, GREY);
            // the scale is open at both ends: two thirds of the half width at 2
            canvas.rectangle([200.0, y - 5.0], [200.0 + 170.0 * value / (1.0 + value.abs()), y + 5.0], BODY);
            canvas.text([10, y as usize - 4], &format!("state {row} {value:+.3}"), 1, INK);
        }
    }
}
