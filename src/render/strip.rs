//! A strip below a picture that shows the course of a film: the changes of the world, and the time until the policy recovered.

use super::{Canvas, Colour};
use crate::evaluate::Change;

const REST: Colour = [190, 190, 190];
const CHANGED: Colour = [213, 94, 0];
const RECOVERED: Colour = [0, 158, 115];
const NOW: Colour = [40, 40, 40];

/// Draws the strip of a film of `ticks` ticks at tick `now`, and a line of words above it from the first change on.
pub fn draw(canvas: &mut Canvas, left: usize, width: usize, (changes, ticks): (&[Change], usize), now: usize) {
    let (low, high) = (271.0, 275.0);
    let at = |tick: usize| left as f64 + 10.0 + (width - 20) as f64 * tick.min(ticks) as f64 / ticks.max(1) as f64;
    canvas.rectangle([at(0), low], [at(ticks), high], REST);
    for change in changes {
        let end = change.recovered.unwrap_or(ticks);
        canvas.rectangle([at(change.at), low - 3.0], [at(end).max(at(change.at) + 2.0), high], CHANGED);
        if change.recovered.is_some() {
            canvas.rectangle(
                [at(end).max(at(change.at) + 2.0), low - 3.0],
                [at(end).max(at(change.at)) + 4.0, high],
                RECOVERED,
            );
        }
    }
    canvas.line([at(now), low - 6.0], [at(now), high + 3.0], 2.0, NOW);
    if let Some(change) = changes.iter().rev().find(|change| change.at <= now) {
        let (words, colour) = words(change, now);
        canvas.text([left + 10, 258], &words, 1, colour);
    }
}

/// The state of a film after `change` in a few words.
fn words(change: &Change, now: usize) -> (String, Colour) {
    match change.recovered {
        Some(recovered) if recovered <= now => {
            (format!("changed {} ticks ago, recovered after {}", now - change.at, recovered - change.at), RECOVERED)
        }
        _ => (format!("changed {} ticks ago", now - change.at), CHANGED),
    }
}
