//! Pictures of an environment at one moment.

use metadrift_envs::{Array, Channel, Env, EnvKind, Navigation, NavigationRotated, channels};

use super::{Canvas, Colour, decimal};

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
    /// The actuator's output, as the engine computes it: in the unit of a command, `[act_dim]`.
    pub applied: Vec<f64>,
    /// Rewards so far in the episode.
    pub earned: f64,
    /// Steps done in the episode.
    pub step: u64,
    /// True if the episode has ended here.
    pub over: bool,
}

/// Draws scenes of one environment.
#[derive(Clone, Debug)]
pub struct Painter {
    env: EnvKind,
    channels: Vec<Channel>,
    /// Channels whose values are written next to the picture.
    shown: Vec<usize>,
}

impl Painter {
    /// A painter for `env` that writes the current values of the channels `shown`.
    pub fn new(env: EnvKind, shown: Vec<usize>) -> Self {
        Painter { env, channels: channels(env.spec()), shown }
    }

    /// True if the environment has a scene of its own, and not only bars for its state.
    pub fn has_scene(env: EnvKind) -> bool {
        matches!(env, EnvKind::CartPole | EnvKind::Pendulum | EnvKind::Navigation | EnvKind::NavigationRotated)
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
        let large = 12 * title.chars().count() + 10 <= SIZE.0;
        canvas.text([10, 8], title, if large { 2 } else { 1 }, INK);
        canvas.text([10, 280], &self.legend(moment), 1, PUSH);
        let end = if moment.over { "  over" } else { "" };
        canvas.text([10, 28], &format!("step {:<4} return {}{end}", moment.step, decimal(moment.earned, 1)), 1, INK);
        let width = self.shown.iter().map(|channel| self.channels[*channel].name.len()).max().unwrap_or(0);
        for (row, &channel) in self.shown.iter().take(6).enumerate() {
            let Channel { name, unit, .. } = &self.channels[channel];
            let unit = if *unit == "1" { "" } else { unit };
            let line = format!("{name:<width$} {:>8} {unit}", decimal(moment.values[channel], 3));
            canvas.text([10, 42 + 11 * row], &line, 1, INK);
        }
        canvas
    }

    fn value(&self, moment: &Moment, name: &str, absent: f64) -> f64 {
        self.channels.iter().position(|channel| channel.name == name).map_or(absent, |index| moment.values[index])
    }

    /// The force on a cart (N); the actuator's output is a share of the full force.
    fn force(&self, moment: &Moment) -> f64 {
        moment.applied[0] * self.value(moment, "force_mag", 10.0)
    }

    /// The change of the position in the next step of a navigation.
    fn displacement(&self, moment: &Moment) -> [f64; 2] {
        match self.env {
            EnvKind::NavigationRotated => displacement::<NavigationRotated>(moment),
            _ => displacement::<Navigation>(moment),
        }
    }

    /// The meaning of the arrow, with its unit; empty where there is none.
    fn legend(&self, moment: &Moment) -> String {
        match self.env {
            EnvKind::CartPole => format!("force {} N", signed(self.force(moment), 1)),
            EnvKind::Pendulum => format!("torque {} N m", signed(moment.applied[0], 2)),
            EnvKind::Navigation | EnvKind::NavigationRotated => {
                let [x, y] = self.displacement(moment).map(|distance| signed(distance, 3));
                format!("move {x} {y}")
            }
            _ => String::new(),
        }
    }

    fn cartpole(&self, canvas: &mut Canvas, moment: &Moment) {
        let limit = self.value(moment, "x_limit", 2.4);
        let scale = 170.0 / limit;
        let x = 200.0 + moment.state[0] * scale;
        let theta = moment.state[2];
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
        let force = self.force(moment);
        let from = [x + 30.0 * force.signum(), ground - 18.0];
        canvas.arrow(from, [from[0] + (4.0 * force).clamp(-90.0, 90.0), from[1]], 3.0, PUSH);
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
        let torque = moment.applied[0];
        let from = [pivot[0], 285.0];
        canvas.line([from[0], 278.0], [from[0], 292.0], 1.5, GREY);
        canvas.arrow(from, [from[0] + (35.0 * torque).clamp(-120.0, 120.0), from[1]], 3.0, PUSH);
    }

    /// Draws the point, the goal as a cross, and the next move.
    fn navigation(&self, canvas: &mut Canvas, moment: &Moment) {
        let goal = [self.value(moment, "goal_x", 0.0), self.value(moment, "goal_y", 0.0)];
        let widest = goal.into_iter().chain(moment.state.iter().copied()).fold(0.6, |widest, x| x.abs().max(widest));
        let scale = 105.0 / widest;
        let at = |[x, y]: [f64; 2]| [255.0 + scale * x, 165.0 - scale * y];
        let origin = at([0.0, 0.0]);
        let goal = at(goal);
        let point = at([moment.state[0], moment.state[1]]);
        for [x, y] in [[5.0, 0.0], [0.0, 5.0]] {
            canvas.line([origin[0] - x, origin[1] - y], [origin[0] + x, origin[1] + y], 1.5, GREY);
            canvas.line([goal[0] - x - y, goal[1] - x + y], [goal[0] + x + y, goal[1] + x - y], 2.5, POLE);
        }
        let moved = self.displacement(moment);
        canvas.arrow(point, at([moment.state[0] + moved[0], moment.state[1] + moved[1]]), 3.0, PUSH);
        canvas.disc(point, 5.0, BODY);
    }

    /// Draws a bar for each component of the state, for environments without a scene of their own.
    fn components(&self, canvas: &mut Canvas, moment: &Moment) {
        for (row, value) in moment.state.iter().enumerate().take(8) {
            let y = 130.0 + 18.0 * row as f64;
            canvas.line([200.0, y - 7.0], [200.0, y + 7.0], 1.5, GREY);
            // the scale is open at both ends: two thirds of the half width at 2
            canvas.rectangle([200.0, y - 5.0], [200.0 + 170.0 * value / (1.0 + value.abs()), y + 5.0], BODY);
            canvas.text([10, y as usize - 4], &format!("state {row} {}", signed(*value, 3)), 1, INK);
        }
    }
}

/// [`Painter::displacement`], by the engine's own step from the actuator's output.
fn displacement<E: Env>(moment: &Moment) -> [f64; 2] {
    let params = E::params(|index| moment.values[index]);
    let state = E::State::from_fn(|k| moment.state[k]);
    let applied = E::Action::from_fn(|k| moment.applied[k]);
    let next = E::step(&params, state, applied, applied).state;
    [0, 1].map(|k| next.as_ref()[k] - moment.state[k])
}

/// [`decimal`] with a sign where the number is not 0.
fn signed(number: f64, digits: usize) -> String {
    let text = decimal(number, digits);
    if number > 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) { format!("+{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use metadrift_agents::settings::Episodes;
    use metadrift_envs::Task;

    use super::*;
    use crate::{
        control::{Controlled, Controller, Seen, episodes},
        life::Life,
    };

    /// A controller with the same action at every step.
    struct Always(&'static [f32]);

    impl Controller for Always {
        fn act(&mut self, _seen: &Seen<'_>, action: &mut [f32]) {
            action.copy_from_slice(self.0);
        }
    }

    /// The legends of the first three steps of a task under one action.
    fn legends(env: EnvKind, values: &[(&str, f64)], action: &'static [f32]) -> [String; 3] {
        let nominal = Task::nominal(env.spec());
        let task = values.iter().fold(nominal, |task, (name, value)| task.with(env.spec(), name, *value).unwrap());
        let life = Life { horizon: 3, phase_steps: 3, episodes: Episodes::Count(1), phases: 1 };
        let painter = Painter::new(env, Vec::new());
        let mut legends = Vec::new();
        let stretch = episodes::Stretch::new(life, 0..1);
        let tasks = [task];
        let mut actor = Controlled::new(env, (&tasks, 1), |_, _| Always(action));
        episodes::run(env, (&tasks, 1), &stretch, 1, &mut actor, |tick| {
            let wide = |numbers: &[f32]| numbers.iter().copied().map(f64::from).collect();
            let state = wide(tick.state);
            let applied = wide(tick.applied);
            let moment = Moment { state, values: tick.values.to_vec(), applied, ..Moment::default() };
            legends.push(painter.legend(&moment));
        })
        .unwrap();
        legends.try_into().unwrap()
    }

    #[test]
    fn the_arrow_is_the_output_of_the_actuator() {
        let cart = |values: &[(&str, f64)]| legends(EnvKind::CartPole, values, &[1.0]);
        assert_eq!(cart(&[]), ["force +10.0 N"; 3]);
        assert_eq!(cart(&[("actuator_saturation", 0.3)]), ["force +3.0 N"; 3]);
        assert_eq!(cart(&[("actuator_gain", 0.5), ("actuator_bias", -0.7)]), ["force -2.0 N"; 3]);
        assert_eq!(cart(&[("actuator_gain", 0.2), ("actuator_dead_zone", 0.25)]), ["force 0.0 N"; 3]);
        assert_eq!(cart(&[("actuator_delay", 2.0)]), ["force 0.0 N", "force 0.0 N", "force +10.0 N"]);
        assert_eq!(cart(&[("actuator_drop_prob", 1.0), ("actuator_gain", -1.0)]), ["force 0.0 N"; 3]);
        let motor = |values: &[(&str, f64)]| legends(EnvKind::Pendulum, values, &[5.0]);
        assert_eq!(motor(&[("actuator_saturation", 0.25)]), ["torque +0.50 N m"; 3]);
        assert_eq!(motor(&[("actuator_gain", -1e-3)]), ["torque 0.00 N m"; 3]);
        // a quarter turn to the left, then half of a full move at most
        let turned = [("rotation", std::f64::consts::FRAC_PI_2), ("actuator_saturation", 0.5)];
        let moves = legends(EnvKind::NavigationRotated, &turned, &[1.0, 0.0]);
        assert_eq!(moves, ["move 0.000 +0.050"; 3]);
    }
}
