//! The replay of the worst task: a run's, or that of a study's best method.

use std::path::Path;

use metadrift_agents::device::Device;
use metadrift_envs::{Split, Task};

use super::{
    page::Block,
    run_evaluations::worst_first,
    stored::{Preset, Results},
};
use crate::{
    checkpoint::Which,
    config::Experiment,
    evaluate::{Protocol, REPORTED},
    failure::Result,
    film::{self, Gif, Room},
    memory::{self, Arithmetic},
    message,
    render::scene::Painter,
    session::read_config,
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
    shown((stem, ""), task, filmed(dir, task, (protocol, iteration)))
}

/// The policy of `method` on its worst task of `in-dist`, from the first of its runs in the folder `dir` of a study; `None`
/// if it has no run there, or its tasks cannot be drawn again.
pub fn of_study(dir: &Path, results: &Results, preset: &Preset, method: &str) -> Option<Block> {
    let split = Split::InDist;
    let of = |name: &str| results.evaluation.get(name).copied();
    let cell = results.cells.iter().find(|cell| cell.method == method && cell.preset == preset.name)?;
    let run = dir.join(cell.run.as_ref()?);
    let index = *worst_first(&cell.result.held_out(split.name())?.curve.last()?.returns).first()?;
    let known = &preset.splits.get(split.name())?.get(index)?.fingerprint;
    let seed = of("seed")?;
    let config = read_config(&run).ok().filter(|config| Painter::has_scene(config.env()))?;
    let task = config.tasks(split).sample(seed, REPORTED, index as u32);
    if format!("{:016x}", task.digest(config.env().spec())) != *known {
        return None;
    }
    let (episodes, adapt_steps) = (of("episodes")? as usize, of("adapt_steps")? as usize);
    let protocol = Protocol { split, tasks: 1, episodes, adapt_steps, seed, draw: REPORTED };
    let name = format!(" with {method}, seed {}", cell.seed);
    Some(shown((&format!("{}-{}", preset.name, split.name()), &name), &task, filmed(&run, &task, (&protocol, None))))
}

/// The film of the worst task of `stem`, or the reason why there is none.
fn shown((stem, by): (&str, &str), task: &Task, film: Result<Gif>) -> Block {
    match film {
        Ok(gif) => {
            let told: Vec<String> = gif.told.iter().map(|(title, told)| format!("{title}: {told}")).collect();
            let caption = format!(
                "The worst task of {stem}{by}, number {}, most likely actions. {}. The film adapts on episodes of its own, so \
                 its returns are not those of the table to the last digit.",
                task.id.index,
                told.join("; ")
            );
            Block::Film(format!("replay-{stem}"), caption, gif)
        }
        Err(error) => Block::Text(format!("There is no replay of the worst task{by}: {}", message::of_error(&error))),
    }
}

fn filmed(dir: &Path, task: &Task, (protocol, iteration): (&Protocol, Option<u64>)) -> Result<Gif> {
    let which = iteration.map_or(Which::Last, Which::Step);
    let Trained { config, agent, .. } = Trained::open(dir, which, Device::Cpu, None, 1)?;
    let arithmetic = Arithmetic::of(&config, agent.computes_by(), Device::Cpu, 1)?;
    memory::evaluation(&config, 1, protocol.episodes, arithmetic).check()?;
    film::before_and_after(&config, (&config.name, &*agent), task, (protocol, 1), Room::Small)
}
