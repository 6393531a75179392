//! The tests of this crate's public interface, in one binary: every binary more compiles the generic code again.

mod actuator_inversion;
mod announcements;
mod cartpole_balance;
mod contract;
mod environments;
mod extremes;
mod faults;
mod language;
mod million_steps;
mod own_environment;
mod reference;
mod refusals;
mod rig;
mod save;
mod schedules;
mod spinning;
mod statements;
mod tasks;
mod variants;
