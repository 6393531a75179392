//! The progress of work that is done in pieces: a bar on a terminal, one line for each piece in a pipe or a file.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::duration;
use crate::message;

/// The pieces of a study or a search on stderr.
pub struct Pieces {
    /// The name of a piece.
    noun: &'static str,
    /// Their number, as far as it is known.
    pieces: usize,
    /// Work of all pieces, in any unit.
    total: u64,
    began: Instant,
    bar: ProgressBar,
    quiet: bool,
}

impl Pieces {
    /// No piece of `pieces` is done yet.
    pub fn new(noun: &'static str, pieces: usize, total: u64, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(pieces as u64), target);
        let style = ProgressStyle::with_template(&format!("{noun} {{pos:>3}}/{{len}} [{{bar:8}}] {{wide_msg}}"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        bar.tick();
        Pieces { noun, pieces, total, began: Instant::now(), bar, quiet }
    }

    /// Shows `line` and the time left when `done` pieces, and so much work, are done.
    pub fn show(&self, (done, work): (usize, u64), line: &str) {
        let left = duration(self.left(work));
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("left {left}  {line}"));
            self.bar.set_position(done as u64);
        } else if !self.quiet {
            let pieces = self.pieces.max(done);
            message::say(&format!("{} {done:>3}/{pieces}  {line}  left {left}", self.noun));
        }
    }

    /// Ends the bar and leaves it on the screen as it is.
    pub fn finish(&self) {
        if !self.bar.is_hidden() {
            self.bar.abandon();
        }
    }

    /// The time left at the mean pace so far.
    fn left(&self, done: u64) -> Duration {
        let share = self.total.saturating_sub(done) as f64 / done.max(1) as f64;
        Duration::try_from_secs_f64(self.began.elapsed().as_secs_f64() * share).unwrap_or(Duration::MAX)
    }
}
