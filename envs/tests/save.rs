//! Batches that are saved and go on elsewhere, and lanes that are given one task after another.

use metadrift_envs::{
    CartPole, Clocks, Env, Pendulum, Purpose, Split, StepView, Stream, Task, TaskConfig, TaskDistribution, VecEnv,
    WrongState, channel_index,
};
use serde_json::{Value, json};

const SEED: u64 = 5;

fn distribution<E: Env>(value: Value) -> TaskDistribution {
    let config: TaskConfig = serde_json::from_value(value).unwrap();
    TaskDistribution::new(&E::SPEC, &config, Split::Train).unwrap()
}

/// Every fault that remembers something, drifts on three clocks, late notifications, past actions.
fn everything(env: &str, sensor: &str, parameter: &str) -> Value {
    let uniform = |low: f64, high: f64| json!({"law": "uniform", "low": low, "high": high});
    let mut value = json!({
        "env": env,
        "observe_actions": 2,
        "notify": {"level": "value", "delay": 3, "miss_prob": 0.1, "false_alarm_prob": 0.05, "noise_std": 0.1},
        "actuator": {"noise_std": uniform(0.05, 0.2), "delay": uniform(0.0, 4.0), "drop_prob": 0.05,
            "stick_prob": 0.05, "hold_steps": 3, "dead_zone": 0.05, "saturation": uniform(0.8, 1.2)},
        "sensor": {sensor: {"noise_std": 0.05, "quantum": 0.01, "delay": uniform(0.0, 3.0), "drop_prob": 0.05,
            "stuck_prob": 0.05, "bias": 0.1}},
        "drift": {
            "gravity": {"kind": "ou", "mean": 9.8, "stationary_std": 0.3, "relax_time": 20.0,
                "bounds": [9.5, 10.1], "on_bound": "clamp"},
            "actuator_gain": {"kind": "piecewise", "dwell": 1, "clock": "episode", "law": uniform(0.5, 1.5)},
            "actuator_bias": {"kind": "linear", "from": 0.0, "to": 0.04, "over": 40, "clock": "episode_step"},
        },
    });
    value["vary"] = json!({parameter: uniform(0.4, 0.6)});
    value
}

/// Every bit that `count` steps lead to; the actions are those of the ticks from `first` on.
fn bits<E: Env>(env: &mut VecEnv<E>, first: u32, count: u32, mut after: impl FnMut(u32, &mut VecEnv<E>)) -> Vec<u32> {
    let n = env.num_envs();
    let width = env.obs_dim();
    let mut next_obs = vec![0.0; n * width];
    let mut reward = vec![0.0; n];
    let mut terminated = vec![false; n];
    let mut truncated = vec![false; n];
    let mut bits = Vec::new();
    for tick in first..first + count {
        let draw = |lane| Stream::new(3, Purpose::Action).env(lane).block(tick)[0];
        let actions: Vec<f32> = (0..n as u32).map(|lane| (draw(lane) % 2) as f32).collect();
        let next_obs = &mut next_obs[..];
        let reward = &mut reward[..];
        let terminated = &mut terminated[..];
        let truncated = &mut truncated[..];
        env.step(&actions, StepView { next_obs, reward, terminated, truncated });
        after(tick, env);
        bits.extend(next_obs.iter().chain(&*reward).chain(env.obs()).map(|x| x.to_bits()));
        bits.extend(terminated.iter().chain(&*truncated).map(|flag| u32::from(*flag)));
        bits.extend(env.episode_step());
        bits.push(env.corrections() as u32);
    }
    bits
}

fn a_saved_batch_goes_on<E: Env>(value: Value) {
    let tasks: Vec<Task> = (0..2).map(|index| distribution::<E>(value.clone()).sample(SEED, 0, index)).collect();
    let fresh = || {
        let each = [(&tasks[0], 30), (&tasks[1], 11)];
        VecEnv::<E>::new(&each, 40, Stream::new(SEED, Purpose::Reset), Clocks::default())
    };
    let mut env = fresh();
    bits(&mut env, 0, 101, |_, _| ());
    let saved = env.save();
    let expected = bits(&mut env, 101, 200, |_, _| ());
    let mut other = fresh();
    bits(&mut other, 7, 13, |_, _| ());
    other.restore(&saved).unwrap();
    assert_eq!(other.save(), saved);
    assert!(bits(&mut other, 101, 200, |_, _| ()) == expected, "{}", E::SPEC.name);
    let wrong = other.restore(&saved[1..]).unwrap_err();
    assert_eq!(wrong, WrongState { found: saved.len() - 1, expected: saved.len() });
    assert_eq!(other.save(), env.save(), "a state that does not fit changes nothing");
}

#[test]
fn a_saved_batch_goes_on_to_the_bit_with_every_fault() {
    a_saved_batch_goes_on::<CartPole>(everything("cartpole", "theta", "half_length"));
    a_saved_batch_goes_on::<Pendulum>(everything("pendulum", "theta_dot", "length"));
}

#[test]
fn renewed_lanes_go_on_to_the_bit_from_the_tasks_they_had_when_saved() {
    let distribution = distribution::<CartPole>(everything("cartpole", "theta", "half_length"));
    let stream = Stream::new(SEED, Purpose::Reset);
    let tasks = |round: u32| (0..35).map(|lane| distribution.sample(SEED, round, lane)).collect::<Vec<Task>>();
    let mut now = tasks(0);
    let mut env = VecEnv::<CartPole>::renewable(&now, &distribution, 40, stream);
    // a lane a tick, so that their lives begin at different times
    bits(&mut env, 0, 90, |tick, env| {
        let lane = tick as usize * 3 % 35;
        now[lane] = distribution.sample(SEED, 1 + tick, lane as u32);
        env.renew(lane, &now[lane]);
    });
    let saved = env.save();
    let expected = bits(&mut env, 90, 200, |_, _| ());
    let mut other = VecEnv::<CartPole>::renewable(&now, &distribution, 40, stream);
    other.restore(&saved).unwrap();
    assert!(bits(&mut other, 90, 200, |_, _| ()) == expected);
}

#[test]
fn a_renewed_lane_lives_its_new_task_from_the_beginning_and_no_other_lane_notices() {
    // observations of the pendulum are 3 readings and then, by channel, what was announced; gravity is the first
    let value = |values: &[f64]| {
        json!({"env": "pendulum", "notify": {"level": "value"},
            "drift": {"gravity": {"kind": "trace", "values": values}}})
    };
    let old = distribution::<Pendulum>(value(&[5.0; 60]));
    let new = (1..=9).map(f64::from).collect::<Vec<_>>();
    let new = distribution::<Pendulum>(value(&new)).sample(SEED, 0, 0);
    let tasks: Vec<Task> = (0..2).map(|lane| old.sample(SEED, 0, lane)).collect();
    let fresh = || VecEnv::<Pendulum>::renewable(&tasks, &old, 30, Stream::new(SEED, Purpose::Reset));
    let mut env = fresh();
    let mut untouched = fresh();
    bits(&mut env, 0, 17, |_, _| ());
    bits(&mut untouched, 0, 17, |_, _| ());
    env.renew(0, &new);
    let gravity = |env: &VecEnv<Pendulum>, lane: usize| env.obs()[lane * env.obs_dim() + 3];
    assert_eq!((env.clocks(0), env.clocks(1).lifetime_step), (Clocks::default(), 17));
    assert_eq!((gravity(&env, 0), gravity(&env, 1)), (1.0, 5.0));
    let mut seen = Vec::new();
    let mut other = [Vec::new(), Vec::new()];
    bits(&mut env, 17, 9, |_, env| {
        seen.push(gravity(env, 0));
        other[0].extend_from_slice(&env.obs()[env.obs_dim()..]);
    });
    bits(&mut untouched, 17, 9, |_, env| other[1].extend_from_slice(&env.obs()[env.obs_dim()..]));
    // the tick at clock c senses with the values at c
    assert_eq!(seen, (1..=9).map(|g| g as f32).collect::<Vec<_>>());
    assert_eq!(other[0], other[1]);
}

#[test]
#[should_panic(expected = "mass is not among what this batch may vary")]
fn a_task_of_another_distribution_is_refused() {
    let nominal = distribution::<Pendulum>(json!({"env": "pendulum"}));
    let task = nominal.sample(SEED, 0, 0);
    let stream = Stream::new(SEED, Purpose::Reset);
    let mut env = VecEnv::<Pendulum>::renewable(std::slice::from_ref(&task), &nominal, 30, stream);
    env.renew(0, &task.with(&Pendulum::SPEC, "mass", 1.1).unwrap());
}

#[test]
fn an_altered_lane_goes_on_from_its_state_in_the_other_task() {
    let nominal = Task::nominal(&Pendulum::SPEC);
    let gain = channel_index(&Pendulum::SPEC, "actuator_gain").unwrap();
    let fresh = || {
        let stream = Stream::new(SEED, Purpose::Reset);
        VecEnv::<Pendulum>::changeable(std::slice::from_ref(&nominal), &[gain], 30, stream)
    };
    let step = |env: &mut VecEnv<Pendulum>, torque: f32| {
        let (mut next_obs, mut reward, mut ends) = ([0.0; 3], [0.0], [[false]; 2]);
        let [terminated, truncated] = &mut ends;
        env.step(&[torque], StepView { next_obs: &mut next_obs, reward: &mut reward, terminated, truncated });
        (env.state(0), reward)
    };
    let (mut altered, mut other) = (fresh(), fresh());
    for tick in 0..50 {
        let torque = (tick as f32 * 0.7).sin();
        // a motor that turns the wrong way does with a torque what a right one does with its opposite
        let sign = if tick >= 10 { -1.0 } else { 1.0 };
        if tick == 10 {
            let clocks = altered.clocks(0);
            altered.alter(0, &nominal.clone().with(&Pendulum::SPEC, "actuator_gain", -1.0).unwrap());
            assert_eq!(altered.clocks(0), clocks, "life goes on");
        }
        assert_eq!(step(&mut altered, torque), step(&mut other, sign * torque), "tick {tick}");
    }
}
