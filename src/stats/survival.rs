//! Times until an event of which some were not waited for.

use serde::Serialize;

/// Quantiles of times, some of which are only known to be longer than the time they had, by the estimator of Kaplan and Meier
/// (1958). After a change of the world, it is the next change or the end that cuts the time to recovery short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Censored {
    /// The time in which half of the events happen; none if fewer do.
    pub median: Option<usize>,
    /// The time in which nine tenths do.
    pub p90: Option<usize>,
    /// Number of times that were cut short.
    pub censored: usize,
}

impl Censored {
    /// The quantiles of `times`: those of events, or, where the flag is false, of the end of observation.
    pub fn of(times: &[(usize, bool)]) -> Censored {
        Censored {
            median: quantile(times, 0.5),
            p90: quantile(times, 0.9),
            censored: times.iter().filter(|(_, happened)| !happened).count(),
        }
    }
}

/// The time by which a `share` of events has happened, by the estimator of Kaplan and Meier (1958): the survival
/// after time t is the product over event times up to t of 1 - events / at risk; `times` are those of events, or,
/// where the flag is false, of the end of observation.
fn quantile(times: &[(usize, bool)], share: f64) -> Option<usize> {
    let mut sorted = times.to_vec();
    sorted.sort_by_key(|(time, happened)| (*time, !happened));
    let mut waiting = 1.0;
    for (index, (time, happened)) in sorted.iter().enumerate() {
        if *happened {
            waiting *= 1.0 - 1.0 / (sorted.len() - index) as f64;
        }
        if waiting <= 1.0 - share + 1e-12 {
            return Some(*time);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_kaplan_and_meier() {
        // the textbook's example of 6-mercaptopurine (Freireich 1963, 21 patients): median 23 weeks
        let happened = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|time| (time, true));
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(|time| (time, false));
        let all: Vec<(usize, bool)> = happened.into_iter().chain(censored).collect();
        assert_eq!((quantile(&all, 0.5), quantile(&all, 0.9)), (Some(23), None));
        // the survival is 0.857 after 6 weeks and 0.807 after 7
        assert_eq!((quantile(&all, 0.14), quantile(&all, 0.19)), (Some(6), Some(7)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
