//! The oracle of navigation: it moves straight to the goal.
//!
//! A move can be chosen from a square, turned by the rotation. In the frame of that square each coordinate moves as far
//! towards the goal as the actuator allows; after any number of moves no other choice is nearer, so the return is
//! optimal (but for dead zone, noise and losses).

use metadrift_envs::EnvKind;

use super::{Actuator, Command, place};
use crate::control::Seen;

/// The oracle of navigation.
#[derive(Clone, Debug)]
pub struct Reach {
    goal: [usize; 2],
    limit: usize,
    rotation: Option<usize>,
}

impl Reach {
    pub(super) fn new(env: EnvKind) -> Reach {
        let known = |name| place(env, name).expect("both navigations have it");
        let goal = ["goal_x", "goal_y"].map(known);
        Reach { goal, limit: known("step_limit"), rotation: place(env, "rotation") }
    }

    pub(super) fn command(
        &self,
        seen: &Seen<'_>,
        actuator: Actuator,
        under_way: impl Iterator<Item = Command>,
    ) -> Command {
        let limit = seen.values[self.limit];
        let angle = self.rotation.map_or(0.0, |place| seen.values[place]);
        // the way to the goal, turned back
        let [x, y] = [0, 1].map(|k| seen.values[self.goal[k]] - f64::from(seen.state[k]));
        let (sin, cos) = angle.sin_cos();
        let way = [cos * x + sin * y, cos * y - sin * x];
        let left = under_way.fold(way, |way, command| [0, 1].map(|k| way[k] - actuator.applied(command[k], limit)));
        left.map(|wanted| actuator.command(wanted, limit))
    }
}
