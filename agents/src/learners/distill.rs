//! Distillation of the controller that knows the state and the task into a recurrent policy that knows neither (DAgger, Ross
//! et al. 2011, arXiv 1011.0686): the student acts, the teacher shows its actions in the student's states, and the student
//! learns them as a classifier or a regression learns its labels. The teacher leads half of the lives at first and none at
//! the end; returns of training are those of all lives.

use super::recurrent::{self, IGNORES, OWN, RecurrentConfig};
use crate::{
    keys::own,
    learner::{Entry, Learns, any},
    settings::Settings,
};

/// `learner = "distill"`
pub const ENTRY: Entry = Entry {
    name: "distill",
    about: "A recurrent policy that imitates the controller with full knowledge",
    details: "DAgger, Ross et al. 2011, arXiv 1011.0686. The student acts, and the controller with full knowledge shows its \
              actions in the student's states.",
    ignores: IGNORES,
    own: Some(OWN),
    settings: Some(SETTINGS),
    learns: Learns::Episodes,
    check: any,
    layout: recurrent::layout,
    demand: |settings| recurrent::demand(settings, imitate(settings)),
    size: |settings| format!("distillation, {}", recurrent::size(settings)),
    memory: recurrent::memory,
    build: |settings, ground| recurrent::build(settings, ground, imitate(settings)),
};

/// For any preset: 6 million steps where lives have 500. Labels are less noisy than advantages, so steps are larger.
const SETTINGS: &str = "iterations = 100\n[ppo]\nouter_lr = 5e-3\nouter_epochs = 8\nent_coef = 0.005\n\
    max_grad_norm = 2.0\n[recurrent]\nlanes = 128\n[policy]\nwindow = 1\n";

fn imitate(settings: &Settings) -> u64 {
    own::<RecurrentConfig>(&settings.own).imitate.unwrap_or(settings.iterations)
}
