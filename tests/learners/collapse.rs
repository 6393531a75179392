//! The guard against collapse, with a learner that fails on purpose.

use metadrift::{
    checkpoint,
    config::Experiment,
    device::DeviceChoice,
    run_dir::Place,
    session::{RunOptions, Session},
    train::Trainer,
};
use metadrift_agents::{backend::BackendChoice, device::Device};

use super::{experiment, names, trainer};

/// The learner of the tests on the guard: it fails from iteration 20 on, and training may go back once.
fn falling() -> Experiment {
    experiment("climber", &["climber.falls=20", "checkpoint.tries=1", "iterations=60"]).unwrap()
}

#[test]
fn a_run_that_collapses_for_good_ends_with_its_best_policy_and_its_own_exit_code() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("run");
    let (device, actors) = (DeviceChoice::Cpu, 1);
    let options = RunOptions { device, backend: None, actors, max_time: None, until: None, data: None, quiet: true };
    let mut session = Session::begin(falling(), &Place::Folder(dir.clone()), options).unwrap();
    let failure = session.run().unwrap_err();
    assert_eq!(failure.code(), 9, "{failure}");
    let text = failure.to_string();
    assert!(text.contains("Training has collapsed 2 times: lower ppo.outer_lr"), "{text}");
    drop(session);
    let (last, _) = checkpoint::newest(&dir.join("checkpoints")).unwrap();
    let tensor = |name: &str| last.tensors.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!(tensor("best"), tensor("best.best"));
    // ten failures fill the window of each fall
    assert_eq!(last.step, 40);
}

#[test]
fn training_goes_on_from_its_best_state_after_a_collapse_to_the_byte() {
    let new = || Trainer::new(falling(), Device::Cpu, BackendChoice::Native, 1).unwrap();
    let (mut whole, mut falls) = (new(), Vec::new());
    let step = |trainer: &mut Trainer| {
        let report = trainer.iterate().unwrap();
        trainer.watch(&report)
    };
    for _ in 0..35 {
        let mut again = new();
        again.restore(&whole.checkpoint()).unwrap();
        let found = step(&mut whole);
        assert_eq!(step(&mut again), found);
        assert!(again.checkpoint() == whole.checkpoint());
        falls.extend(found);
    }
    assert_eq!((falls.len(), falls[0].is_last()), (1, false));
    assert!(falls[0].last.abs() < 0.3 && falls[0].best > 0.8, "{:?}", falls[0]);
}

/// Every learner heeds the factor: with next to no step left, an iteration changes no policy.
#[test]
fn steps_of_any_learner_can_be_made_smaller() {
    for name in names() {
        let mut trainer = trainer(name, 1);
        trainer.iterate().unwrap();
        let policy = |trainer: &Trainer| {
            let mut agent = trainer.agent();
            agent.begin(1);
            agent.policies().params.to_vec()
        };
        let before = policy(&trainer);
        trainer.scale_steps(2f64.powi(-60));
        trainer.iterate().unwrap();
        assert_eq!(policy(&trainer), before, "{name}");
    }
}
