//! A stop that is requested from another thread. The request is one flag of the process, so that this test stands apart from
//! all others that compute in theirs.

use std::{thread::sleep, time::Duration};

use metadrift::{config::Experiment, train::Trainer};
use metadrift_agents::{backend::BackendChoice, stop as request};

#[test]
fn an_iteration_that_was_stopped_is_done_again_to_the_byte() {
    for learner in ["maml", "ppo"] {
        let text = super::command::TINY.replace("num_tasks = 3, ", "");
        let sets = [format!("learner={learner}"), "rollout.num_envs=32".to_owned()];
        let new = || {
            let config = Experiment::parse("x", &text, &sets).unwrap();
            Trainer::new(config, metadrift_agents::device::Device::Cpu, BackendChoice::Auto, 2).unwrap()
        };
        let (mut whole, mut stopped) = (new(), new());
        whole.iterate().unwrap();
        stopped.iterate().unwrap();
        let before = stopped.checkpoint();
        // stopped at any place: the flag is raised by another thread while the iteration runs
        for delay in [0, 200, 1000, 3000] {
            let raise = std::thread::spawn(move || {
                sleep(Duration::from_micros(delay));
                request::request(15);
            });
            let outcome = request::catch(|| stopped.iterate().map(drop));
            raise.join().unwrap();
            request::request(0);
            assert!(outcome.is_ok() || outcome == Err(request::Stopped(15)));
            stopped.restore(&before).unwrap();
        }
        whole.iterate().unwrap();
        stopped.iterate().unwrap();
        assert_eq!(whole.checkpoint(), stopped.checkpoint(), "{learner}");
    }
}
