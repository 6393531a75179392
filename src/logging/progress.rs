//! The display of a run's progress: a bar on a terminal, one line per iteration in a pipe or a file.
//!
//! The display goes to stderr, so that stdout stays free for machine-readable output.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::message;

/// One iteration as the progress line shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProgressLine {
    /// Number of the finished iteration, from 1.
    pub iteration: u64,
    /// The share of the run that is done, 0 to 1.
    pub done: f64,
    /// Mean return before adaptation; none for a learner that does not adapt.
    pub return_unadapted: Option<f64>,
    /// Mean return, after adaptation if there is any.
    pub return_post: f64,
    /// Divergence of the updated policy from the one that collected the data, if it is known.
    pub kl: Option<f64>,
    /// Environment steps per second (1/s).
    pub steps_per_second: f64,
    /// Duration of the iteration (s).
    pub seconds: f64,
}

#[derive(Clone)]
enum Target {
    /// `-q`: only warnings.
    Quiet,
    /// A terminal.
    Bar(ProgressBar),
    /// A pipe or a file.
    Lines,
}

impl Target {
    /// Prints a line, above the bar if there is one. A closed stderr is no reason to stop.
    fn print(&self, line: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| message::say(line)),
            Self::Lines | Self::Quiet => message::say(line),
        }
    }
}

/// The progress of a run on stderr.
pub struct Progress {
    total: u64,
    /// The share of the run that was done before this process.
    before: f64,
    began: Instant,
    target: Target,
}

impl Progress {
    /// Progress of a run of `total` iterations of which `start`, the share `before`, are done. `quiet` leaves only the
    /// warnings.
    pub fn new(total: u64, (start, before): (u64, f64), quiet: bool) -> Self {
        let bar = bar(total, start);
        // hidden without a terminal, and on one that cannot move back in a line (TERM=dumb)
        let target = match (quiet, bar.is_hidden()) {
            (true, _) => Target::Quiet,
            (false, true) => Target::Lines,
            (false, false) => Target::Bar(bar),
        };
        Self { total, before, began: Instant::now(), target }
    }

    /// Shows a finished iteration.
    pub fn iteration(&self, line: &ProgressLine) {
        let eta = self.eta(line.done, self.began.elapsed());
        match &self.target {
            Target::Quiet => {}
            Target::Bar(bar) => {
                bar.set_message(format!("eta {}  {}", duration(eta), numbers(line)));
                bar.set_position(line.iteration);
            }
            Target::Lines => self.target.print(&plain(line, self.total, eta)),
        }
    }

    /// Prints a line for the reader, above the bar. Silent when quiet.
    pub fn note(&self, message: &str) {
        if !matches!(self.target, Target::Quiet) {
            self.target.print(message);
        }
    }

    /// Prints a warning, above the bar, also when quiet.
    pub fn warn(&self, message: &str) {
        self.target.print(&format!("warning: {message}"));
    }

    /// [`Progress::warn`] as a function that others can own, such as the logger.
    pub fn reporter(&self) -> impl FnMut(&str) + Send + 'static {
        let target = self.target.clone();
        move |message| target.print(&format!("warning: {message}"))
    }

    /// Ends the bar and leaves it on the screen as it is.
    pub fn finish(&self) {
        if let Target::Bar(bar) = &self.target {
            bar.abandon();
        }
    }

    /// The time left at the mean pace of this process: a resumed run's earlier iterations do not count.
    fn eta(&self, done: f64, elapsed: Duration) -> Duration {
        let left = (1.0 - done) / (done - self.before);
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * left).unwrap_or(Duration::MAX)
    }
}

fn bar(total: u64, start: u64) -> ProgressBar {
    // an 80-column terminal cuts off the rate, not the time left
    let template = "iter {pos:>4}/{len} [{bar:8}] {wide_msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(style.progress_chars("=> "));
    bar.set_position(start);
    bar
}

fn plain(line: &ProgressLine, total: u64, eta: Duration) -> String {
    let width = total.to_string().len().max(4);
    let eta = duration(eta);
    format!("iter {:>width$}/{total}  {}  {:.1} s  eta {eta}", line.iteration, numbers(line), line.seconds)
}

fn numbers(line: &ProgressLine) -> String {
    let kl = line.kl.map_or(String::new(), |kl| format!("  kl {}", format!("{kl:.3}").replace("-0.000", "0.000")));
    let rate = rate(line.steps_per_second);
    let post = line.return_post;
    let returns = match line.return_unadapted {
        Some(pre) => format!("{pre:.1} -> {post:.1} ({})", gain(post - pre)),
        None => format!("{post:.1}"),
    };
    format!("return {returns}{kl}  {rate} steps/s")
}

/// `+57.2`, `-3.0`; `+0.0` also for a small negative number.
fn gain(gain: f64) -> String {
    let text = format!("{gain:+.1}");
    if text == "-0.0" { "+0.0".to_owned() } else { text }
}

/// `950`, `8.4k`, `210k`, `1.3M`.
fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 999.5 => format!("{rate:.0}"),
        rate if rate < 9_950.0 => format!("{:.1}k", rate / 1e3),
        rate if rate < 999_500.0 => format!("{:.0}k", rate / 1e3),
        rate => format!("{:.1}M", rate / 1e6),
    }
}

/// `8s`, `4m31s`, `1h02m`, `3d04h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () if days > 999 => "?".into(),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: ProgressLine = ProgressLine {
        iteration: 12,
        done: 0.08,
        return_unadapted: Some(31.2),
        return_post: 88.4,
        kl: Some(0.0123),
        steps_per_second: 210_300.0,
        seconds: 1.92,
    };

    #[test]
    fn the_plain_line_reads_as_promised() {
        assert_eq!(
            plain(&LINE, 150, Duration::from_secs(271)),
            "iter   12/150  return 31.2 -> 88.4 (+57.2)  kl 0.012  210k steps/s  1.9 s  eta 4m31s"
        );
        let worse = ProgressLine { return_post: -3.0, kl: None, ..LINE };
        assert_eq!(numbers(&worse), "return 31.2 -> -3.0 (-34.2)  210k steps/s");
        assert_eq!([0.04, -0.04, -0.06].map(gain), ["+0.0", "+0.0", "-0.1"]);
        assert_eq!(numbers(&ProgressLine { return_unadapted: None, ..worse }), "return -3.0  210k steps/s");
    }

    #[test]
    fn the_rest_is_estimated_from_this_process() {
        let progress = Progress { total: 150, before: 0.5, began: Instant::now(), target: Target::Quiet };
        assert_eq!(progress.eta(0.625, Duration::from_secs(20)), Duration::from_secs(60));
        assert_eq!(progress.eta(1.0, Duration::from_secs(20)), Duration::ZERO);
    }

    #[test]
    fn units_change_where_they_should() {
        assert_eq!(
            [3.2, 999.4, 999.6, 9_949.0, 9_951.0, 1.26e6].map(rate),
            ["3", "999", "1.0k", "9.9k", "10k", "1.3M"]
        );
        let seconds = [8.4, 59.6, 271.0, 3_725.0, 273_600.0, 1e12];
        let texts = seconds.map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(texts, ["8s", "1m00s", "4m31s", "1h02m", "3d04h", "?"]);
        assert_eq!(duration(Duration::MAX), "?");
    }
}
