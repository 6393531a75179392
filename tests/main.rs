//! The tests of the program in one binary, since every binary more compiles the library's generic code again. Those that
//! change their whole process, or look at all its children, are binaries of their own (Cargo.toml).

mod checkpoint;
mod checkpoint_crash;
mod checkpoint_forged;
mod cli;
mod command;
mod damage;
mod double_integrator;
mod estimators;
mod event_file;
mod examples;
mod facts;
mod faults;
mod folders;
mod learning;
mod lives;
mod logging_files;
mod manual;
mod messages;
mod mutated_config;
mod optimizer;
mod policies;
mod record;
mod reference;
mod remembering;
mod replay;
mod resume;
mod rollouts;
mod run_dir;
mod score;
mod signals;
mod sizes;
mod task_lists;
mod tasks;
mod tensorboard;
mod torture;
