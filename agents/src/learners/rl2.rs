//! RL²: a recurrent policy that adapts while it acts (Duan et al. 2016, arXiv 1611.02779; Wang et al. 2016,
//! arXiv 1611.05763), trained by PPO on whole lives.

use super::recurrent::{self, IGNORES, OWN, RecurrentConfig};
use crate::{
    keys::own,
    learner::{Entry, Learns, any},
    settings::Settings,
};

/// `learner = "rl2"`
pub const ENTRY: Entry = Entry {
    name: "rl2",
    about: "A recurrent policy that adapts while it acts, over all episodes of a life",
    details: "Duan et al. 2016, arXiv 1611.02779; Wang et al. 2016, arXiv 1611.05763. A gated recurrent unit lives through all \
              episodes of a life, and is trained by PPO with backpropagation through time.",
    ignores: IGNORES,
    own: Some(OWN),
    settings: Some(SETTINGS),
    learns: Learns::Episodes,
    check: any,
    layout: recurrent::layout,
    demand: |settings| recurrent::demand(settings, imitate(settings)),
    size: |settings| format!("RL², {}", recurrent::size(settings)),
    memory: recurrent::memory,
    build: |settings, ground| recurrent::build(settings, ground, imitate(settings)),
};

/// Settings for any preset: 15 million steps where lives have 500. A window of one shows products of commands with changes,
/// which a memory would have to learn to make.
const SETTINGS: &str = "iterations = 120\n[ppo]\nouter_lr = 7e-4\nouter_epochs = 4\nent_coef = 0.005\n\
    [policy]\nwindow = 1\n";

fn imitate(settings: &Settings) -> u64 {
    own::<RecurrentConfig>(&settings.own).imitate.unwrap_or(0)
}
