//! An audit as a table for people.

use std::fmt::Write as _;

use super::{Audit, SHORT_MEMORY, Scores, SplitAudit};
use crate::{
    control::{identified::IdentificationTicks, search::Budget, windowed::WINDOW},
    stats::Difference,
};

impl SplitAudit {
    /// The worth of a memory on this split, in a sentence.
    pub fn memory(&self) -> String {
        let ticks = |ticks: Option<u32>| ticks.map_or("more than a phase".to_owned(), |ticks| format!("{ticks}"));
        let IdentificationTicks { median, p90 } = self.identification_ticks;
        let known = format!("ticks to find out how commands act: median {}, 90 % {}", ticks(median), ticks(p90));
        match self.last().normalised(self.last().windowed) {
            Some(way) if way >= SHORT_MEMORY => {
                format!("a short memory is enough ({way:.2} of the gap); {known}")
            }
            Some(way) => format!("a short memory closes {way:.2} of the gap; {known}"),
            None => format!("no gap to close; {known}"),
        }
    }
}

impl Audit {
    /// The scores as a table for people.
    pub fn to_text(&self) -> String {
        let Budget { population, rounds, tasks, lanes, .. } = self.search;
        let mut text = format!(
            "{}: mean return per episode over {} tasks, {} lanes each, seed {}\n",
            self.preset, self.tasks, self.lanes, self.seed
        );
        let _ = writeln!(
            text,
            "best fixed: {}; {population} laws x {rounds} rounds from each start, each on {tasks} other tasks, {lanes} \
             lanes\n",
            self.family
        );
        let _ = writeln!(
            text,
            "{:<8} {:>5} {:>8} {:>8} {:>8} {:>8} {:>8} {:>20}",
            "split", "phase", "random", "fixed", "windowed", "oracle", "gap", "95 % interval"
        );
        for SplitAudit { split, moves, phases, .. } in &self.splits {
            for (k, Scores { random, fixed, windowed, oracle, gap, .. }) in phases.iter().enumerate() {
                let phase = if *moves { k.to_string() } else { "all".to_owned() };
                let _ = write!(text, "{split:<8} {phase:>5} {random:>8.1} {fixed:>8.1} {windowed:>8.1}");
                let _ = match (oracle, gap) {
                    (Some(oracle), Some(Difference { mean, ci95: [low, high] })) => {
                        writeln!(text, " {oracle:>8.1} {mean:>8.1} {:>20}", format!("[{low:.1}, {high:.1}]"))
                    }
                    _ => writeln!(text, " {:>8} {:>8} {:>20}", "none", "-", "-"),
                };
            }
        }
        let _ =
            writeln!(text, "\nwindowed: a fixed law times the response to commands in the last {WINDOW} transitions\n");
        for split in &self.splits {
            let _ = writeln!(text, "{:<8} {}", split.split, split.memory());
        }
        text
    }
}
