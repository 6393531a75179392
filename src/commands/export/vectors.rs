//! Vectors to check an exported policy with: lives of the trained policy in the program itself, tick by tick, and the
//! parameters after one step of adaptation.

use metadrift_agents::{
    agent::{Adapts, Agent},
    rollout::{Rollout, Shape},
    settings::Episodes,
    window::near,
};
use metadrift_envs::{LaneStreams, Purpose, Split, Task};

use crate::{
    config::Experiment,
    evaluate::REPORTED,
    failure::Result,
    life::Life,
    rollout::{Actions, Collection, Phase, collect_all, window},
};

/// Lives that the vectors of a policy by gradient show, and learn from.
const LIVES: usize = 4;
/// Most steps of one.
const STEPS: usize = 500;

/// The files, as CSV. Numbers are the shortest that read back as the same `f32`.
pub(super) struct Vectors {
    /// A life with the most likely actions.
    pub likely: String,
    /// Lives with actions that are drawn from given uniform numbers.
    pub drawn: String,
    /// The parameters after a step of adaptation to the latter, if the policy takes gradient steps.
    pub adapted: Option<String>,
}

/// The vectors of `agent`, trained by `config`, from lives on its first task in distribution. They are computed by what
/// training and evaluation run on, not by what is exported; only a limit of the change of commands is applied to them
/// afterwards, since training knows none.
///
/// # Errors
/// If the policy is not finite.
pub(super) fn vectors(config: &Experiment, agent: &dyn Agent, rate_limit: Option<f32>) -> Result<Vectors> {
    let task = [config.tasks(Split::InDist).sample(0, REPORTED, 0)];
    let mut agent = agent.duplicate();
    agent.begin(1);
    let (likely, _) = live(config, &*agent, &task, (Actions::Deterministic, rate_limit))?;
    let (drawn, rollout) = live(config, &*agent, &task, (Actions::Sampled, rate_limit))?;
    let adapted = match agent.adapts() {
        Adapts::ByGradient => {
            agent.adapt(&rollout)?;
            let params = &agent.policies().params[0];
            Some(params.iter().fold("parameter\n".to_owned(), |text, value| text + &format!("{value}\n")))
        }
        Adapts::ByMemory | Adapts::AtOnce => None,
    };
    Ok(Vectors { likely, drawn, adapted })
}

/// Lives of the agent's policy on `task`: as text, and as experience.
fn live(
    config: &Experiment,
    agent: &dyn Agent,
    task: &[Task; 1],
    (actions, rate_limit): (Actions, Option<f32>),
) -> Result<(String, Rollout)> {
    let spec = config.env().spec();
    let life = Life::evaluation(config);
    let horizon = (life.horizon as usize).min(STEPS);
    let (lives, episodes) = match (agent.adapts(), actions) {
        (Adapts::ByGradient, Actions::Sampled) => (LIVES, Episodes::Count(1)),
        (Adapts::ByGradient, Actions::Deterministic) => (1, Episodes::Count(1)),
        // the end of an episode is a part of what a memory sees
        _ => (1, Episodes::Endless),
    };
    let policies = agent.policies();
    let shape = Shape {
        tasks: 1,
        steps: if episodes == Episodes::Endless { 2 * horizon } else { horizon },
        envs: lives,
        obs_dim: policies.layout.obs_dim(),
        act_dim: spec.act_dim(),
    };
    let mut rollout = Rollout::new(shape, horizon as u32).with_own_obs(spec.obs_dim());
    let collection = Collection { env: config.env(), horizon: horizon as u32, num_actors: 1 };
    let phase = Phase {
        resets: Purpose::EvaluationReset,
        draws: Purpose::EvaluationAction,
        actions,
        ..Phase::training(0, REPORTED, life.start(0, 0), episodes)
    };
    let own = policies.layout.obs_dim() - window::width(spec, policies.layout.window());
    collect_all(&collection, task, policies, &phase, &mut rollout)?;
    let text = text(config, &rollout, own, &phase, rate_limit);
    Ok((text, rollout))
}

/// A row for each step of each life. `life` begins anew with every number; `command` is what the policy gives.
fn text(config: &Experiment, rollout: &Rollout, own: usize, phase: &Phase, rate_limit: Option<f32>) -> String {
    let commands = window::commands(config.env().spec());
    let data = rollout.task(0);
    let names = |prefix: &str, count: usize| (0..count).map(|k| format!(",{prefix}{k}")).collect::<String>();
    let drawn = phase.actions == Actions::Sampled;
    let mut text = format!("life{}", names("observation", own));
    text += &if drawn { names("uniform", 4) } else { String::new() };
    text += &format!("{},reward{},end\n", names("command", commands.act_dim()), names("next_observation", own));
    let mut streams = LaneStreams::new(phase.stream(phase.draws, 0), data.envs);
    for lane in 0..data.envs {
        let mut given = vec![0.0; commands.act_dim()];
        for t in 0..data.valid_steps[lane] as usize {
            let row = data.row(t, lane);
            text += &lane.to_string();
            put(&mut text, &data.obs_at(data.obs, row)[..own]);
            if drawn {
                streams.draw(t as u32);
                put(&mut text, &streams.uniforms(lane));
            }
            let action = &data.action[row * data.act_dim()..][..data.act_dim()];
            for (given, action) in given.iter_mut().zip(action) {
                let wanted = commands.command(*action);
                *given = rate_limit.map_or(wanted, |rate| near(wanted, *given, rate));
            }
            put(&mut text, &given);
            put(&mut text, &[data.reward[row]]);
            put(&mut text, &data.obs_at(data.next_obs, row)[..own]);
            text += match (data.terminated[row], data.truncated[row]) {
                (true, _) => ",terminated\n",
                (_, true) => ",stopped\n",
                _ => ",going\n",
            };
        }
    }
    text
}

/// Appends numbers to a row.
fn put(text: &mut String, numbers: &[f32]) {
    numbers.iter().for_each(|number| *text += &format!(",{number}"));
}
