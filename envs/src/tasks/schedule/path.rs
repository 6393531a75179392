//! Paths of Markov processes, coarse to fine: first the values at 1, 2, 4, 8, ..., each given the
//! one before; then midpoints of the intervals that hold the ticks asked for, each given the two
//! ends. Every value belongs to a fixed place, so it does not depend on the other ticks asked for.

/// A process: the laws by which it is extended and refined.
pub(super) trait Process {
    /// A value of the process.
    type Value: Copy;

    /// The value at `place`, `lag` ticks after `before`.
    fn forward(&mut self, before: Self::Value, lag: u64, place: u64) -> Self::Value;

    /// The value at `place`, halfway between `left` and `right`, each `half` ticks away.
    fn bridge(&mut self, left: Self::Value, right: Self::Value, half: u64, place: u64) -> Self::Value;
}

/// The ticks asked for, and the function that takes their values.
struct Wanted<'a, V> {
    first: u64,
    end: u64,
    take: &'a mut dyn FnMut(usize, V),
}

/// Gives `take` the values at `count` ticks from `first` on of the process that is `origin` at 0,
/// each with its number.
pub(super) fn walk<P: Process>(
    process: &mut P,
    origin: P::Value,
    (first, count): (u64, usize),
    take: &mut dyn FnMut(usize, P::Value),
) {
    let mut wanted = Wanted { first, end: first + count as u64, take };
    wanted.show(0, origin);
    let (mut left, mut at_left) = (0, origin);
    while left + 1 < wanted.end {
        let right = if left == 0 { 1 } else { 2 * left };
        let at_right = process.forward(at_left, right - left, right);
        wanted.show(right, at_right);
        wanted.refine(process, (left, at_left), (right, at_right));
        (left, at_left) = (right, at_right);
    }
}

impl<V: Copy> Wanted<'_, V> {
    fn show(&mut self, tick: u64, value: V) {
        if self.first <= tick && tick < self.end {
            (self.take)((tick - self.first) as usize, value);
        }
    }

    /// Draws the values asked for between two known ones.
    fn refine<P: Process<Value = V>>(&mut self, process: &mut P, left: (u64, V), right: (u64, V)) {
        if right.0 - left.0 < 2 || right.0 <= self.first || self.end <= left.0 + 1 {
            return;
        }
        let half = (right.0 - left.0) / 2;
        let place = left.0 + half;
        let middle = (place, process.bridge(left.1, right.1, half, place));
        self.show(place, middle.1);
        self.refine(process, left, middle);
        self.refine(process, middle, right);
    }
}
