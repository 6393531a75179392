//! Regression of sine waves (Finn et al. 2017, arXiv 1703.03400, section 5.1): a sin(x + b) with the amplitude a uniform in
//! [0.1, 5], the phase b in [0, pi], and x in [-5, 5]. Outside the training distribution the amplitude is in [5, 8].

use std::f32::consts::PI;

use metadrift_agents::{layout::Head, settings::Shots};
use metadrift_envs::{Split, StreamRng};
use rand_distr::{Distribution, Uniform};

use super::{Family, Task};

/// The family of sine waves.
#[derive(Debug)]
pub(super) struct Sinusoid;

impl Family for Sinusoid {
    fn inputs(&self) -> usize {
        1
    }

    fn head(&self) -> Head {
        Head::Gaussian(1)
    }

    fn draw(&self, split: Split, shots: Shots, rng: &mut StreamRng) -> Task {
        let mut uniform = |low: f32, high: f32| Uniform::new(low, high).expect("a range").sample(rng);
        let amplitude = match split {
            Split::Train | Split::InDist => uniform(0.1, 5.0),
            Split::Ood => uniform(5.0, 8.0),
        };
        let phase = uniform(0.0, PI);
        let inputs: Vec<f32> = (0..shots.support + shots.query).map(|_| uniform(-5.0, 5.0)).collect();
        let labels = inputs.iter().map(|x| amplitude * (x + phase).sin()).collect();
        Task { inputs, labels, group: 0 }
    }
}
