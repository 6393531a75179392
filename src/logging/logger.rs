//! The fan-out of a run's values to its sinks, whose failures do not stop the run.

use std::{
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{At, CsvFile, Feed, Hparam, JsonLinesFile, Outcome, Sink, Start, TensorBoard, XAxis};
use crate::message;

struct Entry {
    feed: Feed,
    axis: XAxis,
    sink: Box<dyn Sink + Send>,
    failing: bool,
    missing_column_reported: bool,
    lost: u64,
}

type Report = Box<dyn FnMut(&str) + Send>;

/// Hands the values of each iteration to all sinks; a failure of a sink does not stop the run.
pub struct Logger {
    entries: Vec<Entry>,
    report: Report,
}

impl Default for Logger {
    fn default() -> Self {
        Self::new()
    }
}

impl Logger {
    /// A logger without sinks. Failures are reported on stderr.
    pub fn new() -> Self {
        Self { entries: Vec::new(), report: Box::new(message::warn) }
    }

    /// The logs of a run: `metrics.csv`, `metrics.jsonl`, `timing.csv`, event files in `tb` and, if it `evaluates` while
    /// it trains, `evaluations.csv`. A resumed run drops the entries after `resumed`, which it logs again.
    ///
    /// A log that cannot be opened is reported through `report` and tried again at each iteration. Use
    /// [`Progress::reporter`](super::Progress::reporter) as `report` so that messages do not tear the progress bar.
    pub fn open(
        run_dir: &Path,
        tb: &Path,
        resumed: Option<At>,
        axis: XAxis,
        evaluates: bool,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let mut logger = Self { entries: Vec::new(), report: Box::new(report) };
        let start = |axis| resumed.map_or(Start::New, |at| Start::After(at.on(axis)));
        let rows = start(XAxis::Iteration);
        logger.add(Feed::Metrics, CsvFile::new(run_dir.join("metrics.csv"), rows));
        logger.add(Feed::Metrics, JsonLinesFile::new(run_dir.join("metrics.jsonl"), rows));
        logger.add(Feed::Timing, CsvFile::new(run_dir.join("timing.csv"), rows));
        if evaluates {
            logger.add(Feed::Evaluation, CsvFile::new(run_dir.join("evaluations.csv"), rows).sparse());
        }
        logger.add_on(axis, Feed::Both, TensorBoard::new(tb, start(axis)));
        if resumed.is_none_or(|at| at.iteration == 0) {
            logger.each(0, |sink| sink.charts());
        }
        logger
    }

    /// The event files of a run whose training is over, for what comes after it.
    pub fn after(tb: &Path, axis: XAxis) -> Self {
        let mut logger = Self::new();
        logger.add_on(axis, Feed::Both, TensorBoard::new(tb, Start::New));
        logger
    }

    /// Adds a sink and opens it.
    pub fn add(&mut self, feed: Feed, sink: impl Sink + Send + 'static) {
        self.add_on(XAxis::Iteration, feed, sink);
    }

    fn add_on(&mut self, axis: XAxis, feed: Feed, sink: impl Sink + Send + 'static) {
        let mut entry =
            Entry { feed, axis, sink: Box::new(sink), failing: false, missing_column_reported: false, lost: 0 };
        let opened = entry.sink.flush();
        entry.settle(opened, 0, &mut self.report);
        self.entries.push(entry);
    }

    /// Logs one iteration: `metrics` must be the same in a repeated run, `timing` need not.
    pub fn log(&mut self, at: At, metrics: &[(&str, f64)], timing: &[(&str, f64)]) {
        let both: Vec<(&str, f64)> = metrics.iter().chain(timing).copied().collect();
        self.scalars(at, |feed| match feed {
            Feed::Metrics => Some(metrics),
            Feed::Timing => Some(timing),
            Feed::Both => Some(&both),
            Feed::Evaluation => None,
        });
    }

    /// Logs an evaluation during training, the same in a repeated run: figures, and the distributions behind them.
    pub fn evaluation(&mut self, at: At, values: &[(&str, f64)], distributions: &[(String, Vec<f64>)]) {
        self.scalars(at, |feed| matches!(feed, Feed::Both | Feed::Evaluation).then_some(values));
        for entry in &mut self.entries {
            for (tag, values) in distributions {
                let result = entry.sink.distribution(at.on(entry.axis), tag, values);
                entry.settle(result, values.len(), &mut self.report);
            }
        }
    }

    fn scalars<'a>(&mut self, at: At, values: impl Fn(Feed) -> Option<&'a [(&'a str, f64)]>) {
        let wall_time = wall_time();
        for entry in &mut self.entries {
            let Some(values) = values(entry.feed) else { continue };
            match entry.sink.scalars(at.on(entry.axis), wall_time, values) {
                Ok(homeless) => {
                    entry.works(&mut self.report);
                    entry.no_place(homeless, &mut self.report);
                }
                Err(error) => entry.settle(Err(error), values.len(), &mut self.report),
            }
        }
    }

    /// Logs a text in Markdown, such as the configuration.
    pub fn text(&mut self, tag: &str, markdown: &str) {
        self.each(1, |sink| sink.text(tag, markdown));
    }

    /// Logs a film, a GIF of `size` (pixels), at the step of the latest values.
    pub fn film(&mut self, tag: &str, gif: &[u8], size: (u16, u16)) {
        self.each(1, |sink| sink.film(tag, gif, size));
    }

    /// Logs the settings of the run, by which TensorBoard compares runs.
    pub fn hparams(&mut self, values: &[(String, Hparam)]) {
        self.each(values.len(), |sink| sink.hparams(values));
    }

    /// Makes everything logged so far durable. Call it before a checkpoint is saved: a resume then finds the rows of
    /// every iteration up to the checkpoint even after a power loss.
    pub fn flush(&mut self) {
        self.each(0, |sink| sink.flush());
    }

    /// Logs how the run ended, makes the logs durable and reports how much is missing from them.
    pub fn finish(&mut self, outcome: Outcome) {
        self.each(0, |sink| sink.end(outcome));
        self.flush();
        for entry in self.entries.iter().filter(|entry| entry.lost > 0) {
            let target = entry.sink.target();
            (self.report)(&format!("{target}: {} values could not be written in this run", entry.lost));
        }
    }

    /// Number of values that did not reach their sink, over all sinks.
    pub fn dropped(&self) -> u64 {
        self.entries.iter().map(|entry| entry.lost).sum()
    }

    fn each(&mut self, values: usize, mut call: impl FnMut(&mut dyn Sink) -> io::Result<()>) {
        for entry in &mut self.entries {
            let result = call(entry.sink.as_mut());
            entry.settle(result, values, &mut self.report);
        }
    }
}

impl Entry {
    /// Counts the result of a call. Of consecutive failures the first is reported.
    fn settle(&mut self, result: io::Result<()>, values: usize, report: &mut Report) {
        match result {
            // a flush without values does not prove that writing works
            Ok(()) => {}
            Err(error) => {
                self.lost += values as u64;
                if !self.failing {
                    self.failing = true;
                    let target = self.sink.target();
                    let remedy = remedy(error.kind());
                    report(&format!(
                        "{target}: cannot log: {error}. Training continues without it and tries again at each \
                         iteration; {remedy} to get the rest logged"
                    ));
                }
            }
        }
    }

    /// Counts written values and reports the end of a series of failures.
    fn works(&mut self, report: &mut Report) {
        if std::mem::replace(&mut self.failing, false) {
            let target = self.sink.target();
            report(&format!("{target}: logging works again; {} values are missing so far", self.lost));
        }
    }

    fn no_place(&mut self, homeless: usize, report: &mut Report) {
        self.lost += homeless as u64;
        if homeless > 0 && !self.missing_column_reported {
            self.missing_column_reported = true;
            let target = self.sink.target();
            report(&format!(
                "{target}: {homeless} values have no column, for the first row fixed the columns; they are left out \
                 of this file. Log every tag from the first iteration on, as NaN where there is no value"
            ));
        }
    }
}

/// The remedy for an error of a log.
fn remedy(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match kind {
        StorageFull | QuotaExceeded | FileTooLarge => "free some space or raise the limit",
        PermissionDenied | ReadOnlyFilesystem => "fix the permissions",
        _ => "mend that",
    }
}

/// Seconds since 1970 (s).
pub(super) fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Fails while the switch is on.
    struct Flaky(Arc<Mutex<bool>>);

    impl Sink for Flaky {
        fn target(&self) -> String {
            "flaky".into()
        }
        fn scalars(&mut self, _: u64, _: f64, _: &[(&str, f64)]) -> io::Result<usize> {
            self.flush().map(|()| 0)
        }
        fn flush(&mut self) -> io::Result<()> {
            if *self.0.lock().unwrap() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_failing_sink_is_reported_once_counted_and_tried_again() {
        let broken = Arc::new(Mutex::new(true));
        let messages = Arc::new(Mutex::new(Vec::new()));
        let mut logger = Logger::new();
        let heard = messages.clone();
        logger.report = Box::new(move |message| heard.lock().unwrap().push(message.to_owned()));
        logger.add(Feed::Both, Flaky(broken.clone()));
        for iteration in 1..=5 {
            logger.log(At::iteration(iteration), &[("a", 1.0), ("b", 2.0)], &[("c", 3.0)]);
        }
        assert_eq!(logger.dropped(), 15);
        assert_eq!(messages.lock().unwrap().len(), 1, "one report for a row of failures");
        *broken.lock().unwrap() = false;
        logger.log(At::iteration(6), &[("a", 1.0)], &[]);
        logger.finish(Outcome::Finished);
        assert_eq!(logger.dropped(), 15);
        let messages = messages.lock().unwrap();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[1].contains("works again") && messages[2].contains("15 values"), "{messages:?}");
    }

    #[test]
    fn each_sink_gets_its_feed() {
        struct Tags(Arc<Mutex<Vec<String>>>);
        impl Sink for Tags {
            fn target(&self) -> String {
                "tags".into()
            }
            fn scalars(&mut self, _: u64, _: f64, values: &[(&str, f64)]) -> io::Result<usize> {
                self.0.lock().unwrap().extend(values.iter().map(|(tag, _)| (*tag).to_owned()));
                Ok(0)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let tags: [Arc<Mutex<Vec<String>>>; 3] = Default::default();
        let mut logger = Logger::new();
        for (feed, tags) in [Feed::Metrics, Feed::Timing, Feed::Both].into_iter().zip(&tags) {
            logger.add(feed, Tags(tags.clone()));
        }
        logger.log(At::iteration(1), &[("m", 1.0)], &[("t", 2.0)]);
        let got = tags.map(|tags| tags.lock().unwrap().join(" "));
        assert_eq!(got, ["m", "t", "m t"]);
    }

    #[test]
    fn a_sink_is_told_the_x_axis_it_asked_for() {
        struct Steps(Arc<Mutex<Vec<u64>>>);
        impl Sink for Steps {
            fn target(&self) -> String {
                "steps".into()
            }
            fn scalars(&mut self, step: u64, _: f64, _: &[(&str, f64)]) -> io::Result<usize> {
                self.0.lock().unwrap().push(step);
                Ok(0)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let seen: [Arc<Mutex<Vec<u64>>>; 3] = Default::default();
        let mut logger = Logger::new();
        logger.add(Feed::Both, Steps(seen[0].clone()));
        logger.add_on(XAxis::EnvSteps, Feed::Both, Steps(seen[1].clone()));
        logger.add(Feed::Evaluation, Steps(seen[2].clone()));
        logger.log(At { iteration: 3, env_steps: 600 }, &[("m", 1.0)], &[]);
        logger.evaluation(At { iteration: 4, env_steps: 800 }, &[("eval/ood/return_k1", 2.0)], &[]);
        assert_eq!(seen.map(|seen| seen.lock().unwrap().clone()), [vec![3, 4], vec![600, 800], vec![4]]);
    }
}
