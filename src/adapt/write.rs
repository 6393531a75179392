//! Episodes as a log.

use metadrift_agents::rollout::Rollout;

use super::columns::{Columns, TERMINATED, TRUNCATED};
use crate::failure::Result;

/// The episodes of the first task of `data` as CSV, lane after lane, with a step every `period` (s). Numbers are written so
/// that reading gives the same bits: observations and rewards as `f32`, an action as the exact product of the policy's
/// action and the environment's unit. An episode that the end of the data cuts off ends like one at a time limit.
///
/// # Errors
/// If the text cannot be made.
pub fn write(data: &Rollout, columns: &Columns, period: f64) -> Result<Vec<u8>> {
    let data = data.task(0);
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(&columns.names)?;
    for (episode, (env, start, end)) in data.episodes().enumerate() {
        let first = |step: usize| [episode.to_string(), (step as f64 * period).to_string()];
        for t in start..end {
            let at = data.row(t, env);
            let mut cells = first(t - start).to_vec();
            cells.extend(data.obs_at(data.obs, at).iter().map(f32::to_string));
            cells.extend(data.action[at * columns.act_dim..][..columns.act_dim].iter().map(|a| command(*a, columns)));
            cells.extend([data.reward[at].to_string(), String::new()]);
            out.write_record(cells)?;
        }
        let last = data.row(end - 1, env);
        let mut cells = first(end - start).to_vec();
        cells.extend(data.obs_at(data.next_obs, last).iter().map(f32::to_string));
        cells.resize(columns.names.len() - 1, String::new());
        cells.push(if data.terminated[last] { TERMINATED } else { TRUNCATED }.to_owned());
        out.write_record(cells)?;
    }
    Ok(out.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// An action of the policy in the environment's unit. The product is exact in `f64`.
fn command(action: f32, columns: &Columns) -> String {
    if columns.scale == 1.0 { action.to_string() } else { (f64::from(action) * columns.scale).to_string() }
}
