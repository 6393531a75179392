//! A check of an exported policy by the vectors that come with it: what the program itself has computed.

use core::fmt;

use crate::{Adapter, End, Fault, Policy, prelude::*};

/// The reason why a policy does not pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// A row, counted from 2 behind the header, is not as vectors are.
    Unreadable(usize),
    /// A row asks for what the policy does not do.
    Fault(usize, Fault),
    /// A row's command, or a parameter after adaptation, is another number.
    Other {
        /// The row, or the number of the parameter.
        row: usize,
        /// The number expected.
        expected: f32,
        /// The number found.
        found: f32,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Unreadable(row) => write!(f, "row {row} is not a row of vectors"),
            Mismatch::Fault(row, fault) => write!(f, "row {row}: {fault}"),
            Mismatch::Other { row, expected, found } => write!(f, "row {row}: {found} instead of {expected}"),
        }
    }
}

impl core::error::Error for Mismatch {}

/// Lets `policy` live through the rows of `likely.csv` and `drawn.csv`, and adapt to the latter if there is `adapted.csv`.
/// All commands and parameters must be the same to the bit. Gives the number of commands; the policy is then at its
/// beginning again.
///
/// # Errors
/// The first difference.
pub fn check(policy: &mut Policy, likely: &str, drawn: &str, adapted: Option<&str>) -> Result<usize, Mismatch> {
    let ticks = live(policy, likely, None)? + live(policy, drawn, None)?;
    if let Some(adapted) = adapted {
        let start = policy.start().to_vec();
        let mut adapter = Adapter::new(policy, drawn.lines().count()).map_err(|fault| Mismatch::Fault(0, fault))?;
        live(policy, drawn, Some(&mut adapter))?;
        adapter.adapt(policy).map_err(|fault| Mismatch::Fault(0, fault))?;
        let numbers = adapted.lines().skip(1).enumerate();
        let mut count = 0;
        for (at, line) in numbers {
            let expected: f32 = line.parse().map_err(|_| Mismatch::Unreadable(at + 2))?;
            same(at + 2, expected, adapter.params().get(at).copied().unwrap_or(f32::NAN))?;
            count += 1;
        }
        if count != start.len() {
            return Err(Mismatch::Unreadable(count + 2));
        }
        adapter.reset(policy);
    }
    policy.begin();
    Ok(ticks)
}

fn same(row: usize, expected: f32, found: f32) -> Result<(), Mismatch> {
    if expected.to_bits() == found.to_bits() { Ok(()) } else { Err(Mismatch::Other { row, expected, found }) }
}

/// Lets the policy live through the rows of a file; gives their number.
fn live(policy: &mut Policy, text: &str, mut adapter: Option<&mut Adapter>) -> Result<usize, Mismatch> {
    let (n, actions) = (policy.obs_dim(), policy.act_dim());
    let draws = text.lines().next().is_some_and(|header| header.contains("uniform0"));
    let columns = 2 + 2 * n + actions + if draws { 4 } else { 0 };
    let mut command = vec![0.0; actions];
    let mut life = None;
    let mut count = 0;
    for (at, line) in text.lines().enumerate().skip(1) {
        let row = at + 1;
        let unreadable = Mismatch::Unreadable(row);
        let (numbers, end) = line.rsplit_once(',').ok_or(unreadable.clone())?;
        let numbers: Result<Vec<f32>, _> = numbers.split(',').map(str::parse).collect();
        let numbers = numbers.ok().filter(|numbers| numbers.len() == columns).ok_or(unreadable.clone())?;
        let end = match end {
            "going" => End::Going,
            "terminated" => End::Terminated,
            "stopped" => End::Stopped,
            _ => return Err(unreadable),
        };
        let (first, rest) = numbers.split_at(1);
        let (observation, rest) = rest.split_at(n);
        let (uniforms, rest) = rest.split_at(if draws { 4 } else { 0 });
        let (expected, rest) = rest.split_at(actions);
        if life.replace(first[0]) != Some(first[0]) {
            policy.begin();
        }
        let fault = |fault| Mismatch::Fault(row, fault);
        match uniforms.first_chunk() {
            Some(uniforms) => policy.sample(observation, *uniforms, &mut command).map_err(fault)?,
            None => policy.act(observation, &mut command).map_err(fault)?,
        }
        expected.iter().zip(&command).try_for_each(|(expected, found)| same(row, *expected, *found))?;
        match &mut adapter {
            Some(adapter) => adapter.record(policy, rest[0], &rest[1..], end).map_err(fault)?,
            None => policy.outcome(rest[0], &rest[1..], end).map_err(fault)?,
        }
        count += 1;
    }
    Ok(count)
}
