//! Acting, recording, detecting and guarding allocate nothing.

use std::{
    alloc::{GlobalAlloc, Layout as Memory, System},
    cell::Cell,
    sync::Arc,
};

use metadrift_runtime::{
    Adaptation, Adapter, End, Form, Policy,
    detector::{Detector, Test},
    guard::Guard,
    inputs::Normalizer,
    layout::{Head, Layout},
    loss::InnerLoss,
    uniforms,
    window::{Commands, Window},
};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks it for.
struct Counting;

// SAFETY: all calls go to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller guarantees it, here and below.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        COUNT.with(|count| count.set(count.get() + 1));
        unsafe { System.dealloc(at, memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator that `work` makes.
fn calls(work: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

fn form(layout: Layout, commands: Commands) -> Form {
    let params: Vec<f32> = (0..layout.num_params()).map(|k| ((k * 37 % 101) as f32 - 50.0) / 200.0).collect();
    let rate_limit = matches!(commands, Commands::Vector { .. }).then_some(0.1);
    Form { layout, readings: 3, commands, rate_limit, params, adaptation: None }
}

fn kinds() -> Vec<Form> {
    let bound = Commands::Vector { dim: 1, bound: 2.0 };
    let normalizer = Normalizer::new(vec![0.1; 3], vec![2.0; 3]);
    vec![
        form(Layout::new(3, &[64, 64], Head::Categorical(2)), Commands::Choices(2)),
        form(Layout::new(3, &[64, 64], Head::Gaussian(1)).normalizing(Some(Arc::new(normalizer))), bound),
        form(Layout::new(3 + 22, &[32], Head::StateGaussian(1)).looking_back(2), bound),
        form(Layout::context((3, 3 + 22), &[16], 2, &[32], Head::Gaussian(1)).looking_back(2), bound),
        form(Layout::recurrent(3, 32, 32, Head::Gaussian(1)), bound),
        form(Layout::recurrent(3 + 11, 32, 32, Head::Gaussian(1)).looking_back(1), bound),
    ]
}

#[test]
fn acting_allocates_nothing() {
    assert!(calls(|| drop(vec![1.0])) == 2, "the counter counts");
    for form in kinds() {
        let kind = format!("{:?}", form.layout.core());
        let mut policy = Policy::from_bytes(&form.to_bytes()).unwrap();
        let mut command = vec![0.0; policy.act_dim()];
        let found = calls(|| {
            for tick in 0..1000 {
                let observation = [0.1, -0.2, (tick % 7) as f32];
                if tick % 2 == 0 {
                    policy.act(&observation, &mut command).unwrap();
                } else {
                    policy.sample(&observation, uniforms(1, tick), &mut command).unwrap();
                }
                let end = if tick % 100 == 99 { End::Stopped } else { End::Going };
                policy.outcome(command[0], &observation, end).unwrap();
            }
            policy.begin();
        });
        assert_eq!(found, 0, "{kind}");
    }
}

#[test]
fn a_detector_and_a_guard_allocate_nothing() {
    let window = Window { readings: 3, commands: Commands::Vector { dim: 1, bound: 2.0 } };
    let mut detectors =
        [Detector::of_prediction(Test::Cusum, 40.0, window), Detector::of_returns(Test::PageHinkley, 5.0)];
    let mut guard = Guard::new(0.05).unwrap();
    let mut alarms = [0; 2];
    let found = calls(|| {
        for tick in 0..1000 {
            let gain = if tick < 500 { 1.0 } else { -1.0 };
            let [a, b, c, _] = uniforms(2, tick);
            for (detector, alarms) in detectors.iter_mut().zip(&mut alarms) {
                let next = [0.9 * a, b + gain * (c - 0.5), 0.0];
                *alarms += usize::from(detector.step(&[a, b, 0.0], &[c - 0.5], &next).unwrap());
                *alarms += usize::from(detector.episode(f64::from(gain + 0.1 * a)).unwrap());
            }
            guard.adapted_acts(c.into()).unwrap();
            guard.see(a.into(), tick % 2 == 0).unwrap();
            guard.renew();
        }
    });
    assert_eq!((found, alarms), (0, [1, 1]));
}

#[test]
fn recording_allocates_nothing() {
    let mut form = form(Layout::new(3, &[16], Head::Categorical(2)), Commands::Choices(2));
    form.adaptation = Some(Adaptation {
        loss: InnerLoss::LVC,
        gamma: 0.9,
        gae_lambda: 0.9,
        rates: vec![0.1; form.params.len()],
        episodes: 4,
        horizon: 25,
        steps: 1,
    });
    let mut policy = Policy::new(form);
    let mut adapter = Adapter::new(&policy, 100).unwrap();
    let mut command = [0.0];
    for round in 0..3 {
        let found = calls(|| {
            for tick in 0..100 {
                let observation = [0.1, -0.2, (tick % 7) as f32];
                policy.sample(&observation, uniforms(round, tick), &mut command).unwrap();
                let end = if tick % 25 == 24 { End::Terminated } else { End::Going };
                adapter.record(&mut policy, command[0], &observation, end).unwrap();
            }
        });
        assert_eq!(found, 0);
        adapter.adapt(&mut policy).unwrap();
    }
}
