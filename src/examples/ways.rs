//! Tasks of some classes out of many, with a few members of each.

use metadrift_agents::settings::Shots;
use metadrift_envs::StreamRng;
use rand::seq::index;

use super::Task;

/// A class with its members' inputs.
pub(super) type Class = Vec<Vec<f32>>;

/// A task of `ways` of the classes in `pool`, in a random order that numbers them; support and query have the same number
/// of members of each class, and no member in common.
pub(super) fn draw(pool: &[Class], ways: usize, shots: Shots, rng: &mut StreamRng) -> Task {
    let classes = index::sample(rng, pool.len(), ways).into_vec();
    let (support, query) = (shots.support / ways, shots.query / ways);
    let members: Vec<Vec<usize>> =
        classes.iter().map(|class| index::sample(rng, pool[*class].len(), support + query).into_vec()).collect();
    let mut task = Task::default();
    for places in [0..support, support..support + query] {
        for (label, (class, members)) in classes.iter().zip(&members).enumerate() {
            for member in &members[places.clone()] {
                task.inputs.extend_from_slice(&pool[*class][*member]);
                task.labels.push(label as f32);
            }
        }
    }
    task
}

/// Refuses a pool that has too few classes, or too few members of one.
///
/// # Errors
/// If there are too few; the text names what is missing.
pub(super) fn check(pool: &[Class], ways: usize, shots: Shots) -> Result<(), String> {
    let needed = shots.support / ways + shots.query / ways;
    if pool.len() < ways {
        return Err(format!("{} classes, but a task has {ways}", pool.len()));
    }
    match pool.iter().map(Vec::len).min() {
        Some(fewest) if fewest < needed => Err(format!("{fewest} members of a class, but a task shows {needed}")),
        _ => Ok(()),
    }
}
