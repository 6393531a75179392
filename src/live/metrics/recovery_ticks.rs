//! Time of recovery in ticks: from a sudden change to the first window of 20 ticks in which nothing fails and the mean reward
//! is that of the 20 ticks before the change, up to 5 % of the range of the rewards. The next change, or the end of the life,
//! censors it; quantiles are those of Kaplan and Meier (1958).

use crate::evaluate::recovered;

/// Time from each of the changes at ticks `switches` to recovery, and true, or to the end of the time it had, and false.
/// `ticks` has reward and failure of each tick of the life; a lane that waits has failed.
pub fn times(ticks: &[(f64, bool)], switches: &[u64]) -> Vec<(usize, bool)> {
    let (reward, failed): (Vec<f64>, Vec<bool>) = ticks.iter().copied().unzip();
    let switches: Vec<usize> = switches.iter().map(|tick| *tick as usize).collect();
    recovered(&reward, &failed, &switches)
}
