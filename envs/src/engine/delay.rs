//! Delay lines: ring buffers of the last inputs.

use crate::engine::{
    faults::whole,
    lanes::{Column, LANES, Lanes},
    words::{Visit, Words},
};

/// Delay lines for blocks of lanes. The lag of a lane follows the requested delay, but grows by at most one a step, so
/// outputs keep the order of inputs.
#[derive(Clone, Debug)]
pub(crate) struct DelayLines {
    /// Length of a line: one more than the longest lag.
    places: usize,
    /// Ring buffers of the inputs, `[lines, places]`.
    values: Vec<Column>,
    /// Current lags (steps), `[lines]`.
    lag: Vec<Lanes<u32>>,
}

impl DelayLines {
    /// Empty lines for lags up to `longest` (steps).
    pub fn new(lines: usize, longest: usize) -> DelayLines {
        let places = longest + 1;
        DelayLines { places, values: vec![Column::all(0.0); lines * places], lag: vec![Lanes::all(0); lines] }
    }

    /// Fills the line of a lane with `value`, as if that had been its input for ever.
    pub fn fill(&mut self, line: usize, lane: usize, value: f32, delay: f32) {
        for column in &mut self.values[line * self.places..(line + 1) * self.places] {
            column[lane] = value;
        }
        self.lag[line][lane] = self.steps(delay);
    }

    /// Replaces the input of a lane at the tick before `tick`; an output that was already given stays.
    pub fn amend(&mut self, line: usize, lane: usize, tick: u32, value: f32) {
        let before = (tick as usize + self.places - 1) % self.places;
        self.values[line * self.places + before][lane] = value;
    }

    /// Stores the inputs `values` of `tick` and replaces them by the inputs `delay` (rounded) ticks before.
    #[inline(always)]
    pub fn pass(&mut self, line: usize, tick: u32, values: &mut Column, delay: &Column) {
        let longest = (self.places - 1) as u32;
        let lag = &mut self.lag[line];
        let now = tick as usize % self.places;
        for lane in 0..LANES {
            lag[lane] = whole(delay[lane]).min(longest).min(lag[lane] + 1);
        }
        let line = &mut self.values[line * self.places..][..self.places];
        line[now] = *values;
        let then = |lag: u32| if lag as usize > now { now + self.places - lag as usize } else { now - lag as usize };
        let first = lag[0];
        if lag.iter().fold(true, |all, lag| all & (*lag == first)) {
            *values = line[then(first)];
        } else {
            for lane in 0..LANES {
                values[lane] = line[then(lag[lane])][lane];
            }
        }
    }

    fn steps(&self, delay: f32) -> u32 {
        whole(delay).min(self.places as u32 - 1)
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

    /// The outputs for the inputs 1, 2, ... with these delays, after a line of zeros.
    fn outputs(delays: &[f32]) -> Vec<f32> {
        let mut lines = DelayLines::new(2, 4);
        lines.fill(1, 7, 0.0, delays[0]);
        let pass = |(tick, delay): (usize, &f32)| {
            // the lanes beside it have other delays
            let mut values = Column::all(tick as f32 + 1.0);
            let mut lags = Column::all(1.0);
            lags[7] = *delay;
            lines.pass(1, tick as u32 + 98, &mut values, &lags);
            values[7]
        };
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
