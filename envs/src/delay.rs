//! Delay lines: what was put in, some steps ago.

use crate::lanes::{Column, LANES};
use crate::words::{Visit, Words};

/// Delay lines for blocks of lanes. The lag of a lane follows the one that is asked for, but grows
/// by at most one a step: nothing that was already shown is shown before what came ahead of it.
#[derive(Clone, Debug)]
pub(crate) struct DelayLines {
    /// Places in a line: one more than the longest lag.
    places: usize,
    /// `[lines, places]`.
    values: Vec<Column>,
    /// `[lines]`.
    lag: Vec<[u8; LANES]>,
}

impl DelayLines {
    /// Empty lines for lags up to `longest` (steps).
    pub fn new(lines: usize, longest: usize) -> DelayLines {
        let places = longest + 1;
        DelayLines { places, values: vec![Column::all(0.0); lines * places], lag: vec![[0; LANES]; lines] }
    }

    /// A line as long as it gets: `value` for ever.
    pub fn fill(&mut self, line: usize, lane: usize, value: f32, delay: f32) {
        for column in &mut self.values[line * self.places..(line + 1) * self.places] {
            column[lane] = value;
        }
        self.lag[line][lane] = self.steps(delay);
    }

    /// Puts `value` in at `tick` and takes out what was put in `delay` (rounded) ticks before.
    pub fn pass(&mut self, line: usize, lane: usize, tick: u32, value: f32, delay: f32) -> f32 {
        let lag = self.steps(delay).min(self.lag[line][lane] + 1);
        self.lag[line][lane] = lag;
        let now = tick as usize % self.places;
        let then = (now + self.places - usize::from(lag)) % self.places;
        self.values[line * self.places + now][lane] = value;
        self.values[line * self.places + then][lane]
    }

    fn steps(&self, delay: f32) -> u8 {
        ((delay + 0.5) as usize).min(self.places - 1) as u8
    }
}

impl Words for DelayLines {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.values.words(visit);
        self.lag.words(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the numbers 1, 2, ... go in with these delays, after a line of zeros.
    fn outputs(delays: &[f32]) -> Vec<f32> {
        let mut lines = DelayLines::new(2, 4);
        lines.fill(1, 7, 0.0, delays[0]);
        let pass = |(tick, delay): (usize, &f32)| lines.pass(1, 7, tick as u32 + 98, tick as f32 + 1.0, *delay);
        delays.iter().enumerate().map(pass).collect()
    }

    #[test]
    fn what_goes_in_comes_out_later() {
        assert_eq!(outputs(&[0.0; 4]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(outputs(&[2.0; 6]), [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(outputs(&[1.6; 4]), [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn a_lag_grows_by_one_a_step_and_shrinks_at_once() {
        assert_eq!(outputs(&[0.0, 3.0, 3.0, 3.0, 3.0, 0.0, 0.0]), [1.0, 1.0, 1.0, 1.0, 2.0, 6.0, 7.0]);
    }
}
