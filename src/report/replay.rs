//! The replay of a run's worst task.

use std::path::Path;

use metadrift_agents::device::Device;
use metadrift_envs::Task;

use super::page::Block;
use crate::{
    checkpoint::Which,
    config::Experiment,
    evaluate::Protocol,
    failure::Result,
    film::{self, Gif, Room},
    memory::{self, Arithmetic},
    message,
    render::scene::Painter,
    trained::Trained,
};

/// The policy before and after adaptation on `task`, the worst one of an evaluation under `protocol` of the policy after
/// `iteration` iterations; or the reason why there is no film.
pub fn block(
    dir: &Path,
    (stem, config): (&str, &Experiment),
    task: &Task,
    (protocol, iteration): (&Protocol, Option<u64>),
) -> Block {
    if !Painter::has_scene(config.env()) {
        return Block::Text(format!("{} has no scene, so there is no replay of the worst task.", config.task.env));
    }
    match filmed(dir, task, (protocol, iteration)) {
        Ok(gif) => {
            let told: Vec<String> = gif.told.iter().map(|(title, told)| format!("{title}: {told}")).collect();
            let caption = format!(
                "The worst task of {stem}, number {}, most likely actions. {}. The film adapts on episodes of its own, so \
                 its returns are not those of the table to the last digit.",
                task.id.index,
                told.join("; ")
            );
            Block::Film(format!("replay-{stem}"), caption, gif)
        }
        Err(error) => Block::Text(format!("There is no replay of the worst task: {}", message::of_error(&error))),
    }
}

fn filmed(dir: &Path, task: &Task, (protocol, iteration): (&Protocol, Option<u64>)) -> Result<Gif> {
    let which = iteration.map_or(Which::Last, Which::Step);
    let Trained { config, agent, .. } = Trained::open(dir, which, Device::Cpu, None, 1)?;
    let arithmetic = Arithmetic::of(&config, agent.computes_by(), Device::Cpu, 1)?;
    memory::evaluation(&config, 1, protocol.episodes, arithmetic).check()?;
    film::before_and_after(&config, (&config.name, &*agent), task, (protocol, 1), Room::Small)
}
