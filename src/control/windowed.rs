//! Laws with a short memory: a fixed law whose command is multiplied by what the last transitions say of the actuator.

use std::collections::VecDeque;

use metadrift_envs::{ActionSpace, EnvSpec};

use super::{
    Controller, Seen,
    feedback::{Family, Feedback},
};

/// Number of transitions that a law looks back on.
pub const WINDOW: usize = 4;

/// A family of laws with a short memory, over one of fixed laws.
///
/// For the last transitions, newest first, with the change d of the readings, the readings o before it, and the command u,
/// the response to commands is estimated as `G = b I + sum of w^i (C d + D o) u' / (sum of w^i u'u + 0.001)`, and the
/// command that is given is the fixed law's times `G' / sqrt(1 + |G|^2 / parts)`: of one part, this is a sign with a
/// strength. The numbers of a law are those of the fixed law, then b, w, and the rows of C and D in turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowedFamily {
    /// The family of the fixed laws.
    pub fixed: Family,
    /// The space of the actions.
    pub space: ActionSpace,
    /// Number of sensors.
    pub readings: usize,
}

impl WindowedFamily {
    /// The laws over those of `fixed` for the environment `spec`.
    pub fn new(fixed: Family, spec: &EnvSpec) -> Self {
        WindowedFamily { fixed, space: spec.action, readings: spec.obs_dim() }
    }

    /// The starting points of a search, each with the spread of every number: the fixed law `best`, without a look back,
    /// and every start of the fixed laws with a look at the direction of `effects`, the change of the readings by each
    /// part of a full command.
    pub fn starts(&self, spec: &EnvSpec, best: &[f64], effects: &[Vec<f64>]) -> Vec<(Vec<f64>, Vec<f64>)> {
        let parts = self.space.act_dim();
        let gate_spread: Vec<f64> = [0.5, 0.2].into_iter().chain(vec![1.0; 2 * parts * self.readings]).collect();
        let blind: Vec<f64> = [3.0, 0.5].into_iter().chain(vec![0.0; 2 * parts * self.readings]).collect();
        let mut looking = vec![0.2, 0.5];
        for effect in effects {
            let size: f64 = effect.iter().map(|x| x * x).sum::<f64>().max(1e-12);
            looking.extend(effect.iter().map(|x| x / size));
            looking.extend(vec![0.0; self.readings]);
        }
        let starts = self.fixed.starts(spec);
        let joined = |law: &[f64], gate: &[f64]| [law, gate].concat();
        let of_best = (joined(best, &blind), joined(&starts[0].1, &gate_spread));
        let others = starts.iter().map(|(law, spread)| (joined(law, &looking), joined(spread, &gate_spread)));
        std::iter::once(of_best).chain(others).collect()
    }

    fn numbers_of_gate(&self) -> usize {
        2 + 2 * self.space.act_dim() * self.readings
    }
}

/// A transition as a law sees it.
#[derive(Clone, Debug)]
struct Transition {
    before: Vec<f64>,
    change: Vec<f64>,
    /// The command in units of a full one, `[parts]`.
    command: Vec<f64>,
}

/// One law of a family, with its memory of a lane. The memory goes on from episode to episode.
#[derive(Clone, Debug)]
pub struct Windowed<'a> {
    family: WindowedFamily,
    gate: &'a [f64],
    law: Feedback<'a>,
    past: VecDeque<Transition>,
    last: Option<(Vec<f64>, Vec<f64>)>,
}

impl<'a> Windowed<'a> {
    /// The law with these numbers.
    pub fn new(family: WindowedFamily, numbers: &'a [f64]) -> Self {
        let (fixed, gate) = numbers.split_at(numbers.len() - family.numbers_of_gate());
        Windowed { family, gate, law: Feedback::new(family.fixed, fixed), past: VecDeque::new(), last: None }
    }

    /// The estimated response, `[parts, parts]`, scaled.
    fn response(&self) -> Vec<f64> {
        let parts = self.family.space.act_dim();
        let readings = self.family.readings;
        let mut response = vec![0.0; parts * parts];
        let (mut weight, mut effort) = (1.0, 1e-3);
        for Transition { before, change, command } in &self.past {
            for (row, weights) in self.gate[2..].chunks_exact(2 * readings).enumerate() {
                let seen: f64 = weights.iter().zip(change.iter().chain(before)).map(|(w, x)| w * x).sum();
                command.iter().enumerate().for_each(|(k, u)| response[row * parts + k] += weight * seen * u);
            }
            effort += weight * command.iter().map(|u| u * u).sum::<f64>();
            weight *= self.gate[1].clamp(0.0, 1.0);
        }
        for (k, x) in response.iter_mut().enumerate() {
            *x = *x / effort + if k % (parts + 1) == 0 { self.gate[0] } else { 0.0 };
        }
        let size = (1.0 + response.iter().map(|x| x * x).sum::<f64>() / parts as f64).sqrt();
        response.iter().map(|x| x / size).collect()
    }
}

impl Controller for Windowed<'_> {
    fn looks_at_values(&self) -> bool {
        false
    }

    fn act(&mut self, seen: &Seen<'_>, action: &mut [f32]) {
        let now: Vec<f64> = seen.obs[..self.family.readings].iter().map(|x| f64::from(*x)).collect();
        if let (Some((before, command)), false) = (self.last.take(), seen.episode_step == 0) {
            let change = now.iter().zip(&before).map(|(now, before)| now - before).collect();
            self.past.truncate(WINDOW - 1);
            self.past.push_front(Transition { before, change, command });
        }
        self.law.act(seen, action);
        let full = match self.family.space {
            ActionSpace::Discrete(count) => (count - 1) as f64,
            ActionSpace::Box { bound, .. } => bound,
        };
        let to_unit = |x: f32| match self.family.space {
            ActionSpace::Discrete(_) => 2.0 * f64::from(x) / full - 1.0,
            ActionSpace::Box { .. } => (f64::from(x) / full).clamp(-1.0, 1.0),
        };
        let wanted: Vec<f64> = action.iter().map(|x| to_unit(*x)).collect();
        let response = self.response();
        // the transpose turns what is wanted back into what to command
        let given =
            |k: usize| wanted.iter().enumerate().map(|(row, v)| response[row * wanted.len() + k] * v).sum::<f64>();
        let given: Vec<f64> = (0..wanted.len()).map(given).collect();
        for (part, unit) in action.iter_mut().zip(&given) {
            *part = match self.family.space {
                ActionSpace::Discrete(2) => f32::from(*unit > 0.0),
                ActionSpace::Discrete(_) => *part,
                ActionSpace::Box { .. } => (unit * full) as f32,
            };
        }
        self.last = Some((now, action.iter().map(|x| to_unit(*x)).collect()));
    }
}

#[cfg(test)]
mod tests {
    use metadrift_envs::EnvKind;

    use super::*;

    #[test]
    fn the_command_is_multiplied_by_the_response_to_the_last_ones() {
        // one reading, one part: law 1 * o; b = 0.5, w = 0.5, C = 2, D = -1
        let space = ActionSpace::Box { dim: 1, bound: 1.0 };
        let family = WindowedFamily { fixed: Family::Linear { obs_dim: 1, space }, space, readings: 1 };
        let numbers = [1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 2.0, -1.0];
        let mut law = Windowed::new(family, &numbers);
        let mut act = |obs: f32, episode_step: u32| {
            let mut action = [0.0];
            law.act(&Seen { obs: &[obs], state: &[], values: &[], episode_step, place: (0, 0) }, &mut action);
            f64::from(action[0])
        };
        let gated = |g: f64, wanted: f64| g / (1.0 + g * g).sqrt() * wanted;
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        let first = act(0.4, 0);
        close(first, gated(0.5, 0.4));
        // d = -0.6, o = 0.4: 2 d - o = -1.6
        let (one, effort) = (-1.6 * first, first * first);
        let second = act(-0.2, 1);
        close(second, gated(0.5 + one / (effort + 1e-3), -0.2));
        // d = 0.5, o = -0.2: 2 d - o = 1.2; the transition before it counts half
        let (two, weight) = (1.2 * second + 0.5 * one, second * second + 0.5 * effort);
        close(act(0.3, 2), gated(0.5 + two / (weight + 1e-3), 0.3));
        // no transition leads from one episode to the next, and the memory stays
        close(act(1.0, 0), gated(0.5 + two / (weight + 1e-3), 1.0));
    }

    #[test]
    fn the_first_start_is_the_fixed_law_itself() {
        let spec = EnvKind::CartPole.spec();
        let fixed = Family::of(EnvKind::CartPole, 4);
        let family = WindowedFamily::new(fixed, spec);
        let best = [0.1, 0.2, 3.0, 0.7, 0.0, 0.0, 0.0];
        let starts = family.starts(spec, &best, &[vec![0.0, 0.195, 0.0, -0.29]]);
        assert_eq!(starts.len(), 4);
        let (mut law, mut same) = (Windowed::new(family, &starts[0].0), Feedback::new(fixed, &best));
        for (step, obs) in [[0.1, 0.0, 0.02, -0.3], [-0.4, 0.2, 0.01, 0.1], [0.0, 0.0, -0.1, 0.2]].iter().enumerate() {
            let seen = Seen { obs, state: &[], values: &[], episode_step: step as u32, place: (0, 0) };
            let (mut found, mut expected) = ([9.0], [9.0]);
            law.act(&seen, &mut found);
            same.act(&seen, &mut expected);
            assert_eq!(found, expected);
        }
        assert!(starts.iter().all(|(numbers, spread)| numbers.len() == 7 + 2 + 8 && spread.len() == numbers.len()));
    }
}
