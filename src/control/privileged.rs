//! Controllers that know the state and the current parameters: what full knowledge is worth.
//!
//! CartPole: the sign of the LQR of the current model, mirrored where the actuator is. Pendulum: pumps energy until the
//! LQR of the current model, tried on that model, catches the rod. Both look ahead over the actions that are still
//! under way when the actuator has a delay.

use std::{collections::VecDeque, f64::consts::PI};

use metadrift_envs::{CartPole, Env, EnvKind, Pendulum, channels};
use nalgebra::{RowSVector, SMatrix};

use super::{Controller, Seen, lqr};

/// The privileged controller for `env`; `None` where there is none.
pub fn controller(env: EnvKind) -> Option<Privileged> {
    let law = match env {
        EnvKind::CartPole => Law::Balance(Gain::new()),
        EnvKind::Pendulum => Law::SwingUp(Gain::new()),
        _ => return None,
    };
    let all = channels(env.spec());
    let place = |name: &str| all.iter().position(|channel| channel.name == name);
    let places = Places {
        gain: place("actuator_gain").expect("every environment has an actuator gain"),
        bias: place("actuator_bias").expect("every environment has an actuator bias"),
        delay: place("actuator_delay"),
        target: place("target_position").or(place("hold_angle")),
        wind: place("wind_torque"),
    };
    Some(Privileged { law, places, under_way: VecDeque::new() })
}

/// A controller with full knowledge.
#[derive(Clone, Debug)]
pub struct Privileged {
    law: Law,
    places: Places,
    /// Commands that the actuator has not yet carried out, the next one first.
    under_way: VecDeque<f64>,
}

/// Where the channels of the faults lie.
#[derive(Clone, Copy, Debug)]
struct Places {
    gain: usize,
    bias: usize,
    delay: Option<usize>,
    target: Option<usize>,
    wind: Option<usize>,
}

#[derive(Clone, Debug)]
enum Law {
    Balance(Gain<4>),
    SwingUp(Gain<2>),
}

/// The gain of the regulator, and the parameters it was computed for.
#[derive(Clone, Debug)]
struct Gain<const N: usize> {
    values: Vec<f64>,
    gain: RowSVector<f64, N>,
}

impl<const N: usize> Gain<N> {
    fn new() -> Self {
        Gain { values: Vec::new(), gain: RowSVector::zeros() }
    }

    /// For the current parameters; the last one where they leave nothing to regulate.
    fn at<E: Env>(&mut self, values: &[f64], target: [f64; N], cost: [f64; N], effort: f64) -> RowSVector<f64, N> {
        if self.values != values {
            let params = E::params(|index| values[index]);
            let (a, b) = lqr::linearise::<E, N>(&params, target, 0.0);
            let cost = SMatrix::from_diagonal(&cost.into());
            if let Some(gain) = lqr::gain(&a, &b, &cost, effort) {
                self.gain = gain;
            }
            self.values = values.to_vec();
        }
        self.gain
    }
}

/// The actuator as it is now: `applied = gain * command + bias`.
#[derive(Clone, Copy, Debug)]
struct Actuator {
    gain: f64,
    bias: f64,
}

impl Controller for Privileged {
    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        let values = seen.values;
        let actuator = Actuator { gain: values[self.places.gain], bias: values[self.places.bias] };
        let target = self.places.target.map_or(0.0, |place| values[place]);
        let delay = self.places.delay.map_or(0, |place| values[place].round() as usize);
        if seen.episode_step == 0 {
            self.under_way.clear();
        }
        // a delay that shrinks drops the oldest, one that grows or has just begun waits with nothing asked for
        self.under_way.drain(..self.under_way.len().saturating_sub(delay));
        while self.under_way.len() < delay {
            self.under_way.push_front(0.0);
        }
        let command = match &mut self.law {
            Law::Balance(gain) => {
                let params = CartPole::params(|index| values[index]);
                let state = ahead::<CartPole, 4>(&params, seen.state, &self.under_way, actuator);
                let gain = gain.at::<CartPole>(values, [target, 0.0, 0.0, 0.0], BALANCE, 1.0);
                let away = [state[0] - target, state[1], state[2], state[3]];
                let wanted = -(gain * nalgebra::Vector4::from(away))[0] * actuator.gain.signum();
                action[0] = f32::from(wanted > 0.0);
                wanted.signum()
            }
            Law::SwingUp(gain) => {
                let params = Pendulum::params(|index| values[index]);
                let state = ahead::<Pendulum, 2>(&params, seen.state, &self.under_way, actuator);
                let gain = gain.at::<Pendulum>(values, [target, 0.0], UPRIGHT, 0.001);
                let wind = self.places.wind.map_or(0.0, |place| values[place]);
                let rod = Rod { params, target, wind, gain, actuator };
                let command = rod.command(state);
                action[0] = command as f32;
                command
            }
        };
        self.under_way.push_back(command);
    }
}

/// Weights of position, velocity, angle and angular velocity; what a push costs does not matter for its sign.
const BALANCE: [f64; 4] = [1.0, 0.1, 10.0, 0.1];
/// Those of the reward.
const UPRIGHT: [f64; 2] = [1.0, 0.1];

/// The state in which the next command will act: after those that are under way.
fn ahead<E: Env, const N: usize>(
    params: &E::Params<f64>,
    state: &[f32],
    under_way: &VecDeque<f64>,
    actuator: Actuator,
) -> [f64; N] {
    use metadrift_envs::Array;
    let mut state = E::State::from_fn(|k| f64::from(state[k]));
    for command in under_way {
        let applied = E::Action::from_fn(|_| actuator.gain * command + actuator.bias);
        state = E::step(params, state, E::Action::from_fn(|_| *command), applied).state;
    }
    std::array::from_fn(|k| state.as_ref()[k])
}

/// The rod, its joint's actuator, and the regulator that holds it at the target angle.
struct Rod {
    params: metadrift_envs::PendulumParams<f64>,
    target: f64,
    /// Torque that acts besides the actuator's (N m).
    wind: f64,
    gain: RowSVector<f64, 2>,
    actuator: Actuator,
}

impl Rod {
    /// Largest torque either way that the actuator can be made to deliver.
    fn authority(&self) -> f64 {
        (self.actuator.gain.abs() * self.params.max_torque - self.actuator.bias.abs()).max(0.0)
    }

    /// Torque that holds the target angle against gravity and wind.
    fn holding(&self) -> f64 {
        -0.5 * self.params.mass * self.params.gravity * self.params.length * self.target.sin() - self.wind
    }

    /// What to ask for (N m): the regulator if it will catch the rod, else what pumps energy.
    fn command(&self, state: [f64; 2]) -> f64 {
        let torque = if self.catches(state) { self.regulate(state) } else { self.pump(state) };
        let command = (torque - self.actuator.bias) / self.actuator.gain;
        if command.is_finite() { command.clamp(-self.params.max_torque, self.params.max_torque) } else { 0.0 }
    }

    fn away(&self, [theta, speed]: [f64; 2]) -> [f64; 2] {
        [(theta - self.target + PI).rem_euclid(2.0 * PI) - PI, speed]
    }

    fn regulate(&self, state: [f64; 2]) -> f64 {
        let torque = self.holding() - (self.gain * nalgebra::Vector2::from(self.away(state)))[0];
        torque.clamp(-self.authority(), self.authority())
    }

    /// Towards the energy of standing upright, with all the torque there is.
    fn pump(&self, [theta, speed]: [f64; 2]) -> f64 {
        let p = &self.params;
        let energy = p.mass * p.length * p.length * speed * speed / 6.0
            + 0.5 * p.mass * p.gravity * p.length * (theta.cos() - 1.0);
        let direction = if speed < 0.0 { -1.0 } else { 1.0 };
        if energy < 0.0 { direction * self.authority() } else { -direction * self.authority() }
    }

    /// Whether the regulator, from here on, brings the rod to rest at the target without letting it fall first.
    fn catches(&self, start: [f64; 2]) -> bool {
        let mut state = start;
        let mut angle = self.away(start)[0].abs();
        for _ in 0..CATCH {
            let torque = self.regulate(state);
            state = Pendulum::step(&self.params, state, [0.0], [torque]).state;
            let now = self.away(state)[0].abs();
            if now > PI / 2.0 && now > angle {
                return false;
            }
            angle = now;
        }
        angle < 0.2 && state[1].abs() < 0.5
    }
}

/// Steps within which the regulator must have caught the rod.
const CATCH: usize = 40;
