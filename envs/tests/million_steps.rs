//! A million random steps of every environment with each fault: observations stay where they belong.

use crate::rig::{Out, actions, reset_stream, step};
use metadrift_envs::{
    CartPole, CartPoleBalance, Channel, Clocks, ComplexOde, DoubleIntegrator, Env, Navigation, NavigationRotated,
    Pendulum, Task, VecEnv, channels,
};

/// Number of lanes. With [`TICKS`] at either end of a channel's range, 1,001,472 steps.
const LANES: usize = 1024;
const TICKS: usize = 489;
const HORIZON: u32 = 50;

/// Smallest and largest legal value; above a minimum that is not legal itself, a small one.
fn ends(channel: &Channel) -> [f64; 2] {
    let low = if channel.bounds.above_min { channel.default.min(0.01) } else { channel.bounds.min };
    [low, channel.bounds.max]
}

/// Steps all lanes with each row of actions; `inside(observation, terminated)` looks at what each step leads to.
fn run<E: Env>(task: &Task, actions: &[Vec<f32>], name: &str, inside: impl Fn(&[f32], bool) -> bool) {
    let mut env = VecEnv::<E>::new(&[(task, LANES)], HORIZON, reset_stream(1), Clocks::default());
    let width = env.obs_dim();
    for (tick, actions) in actions.iter().enumerate() {
        let Out { obs, next_obs, reward, terminated, .. } = step(&mut env, actions);
        let finite = |numbers: &[f32]| numbers.iter().fold(true, |all, x| all & x.is_finite());
        assert!(finite(&next_obs) && finite(&obs) && finite(&reward), "{name}, tick {tick}: not finite");
        let outside = next_obs.chunks(width).zip(&terminated).position(|(row, ended)| !inside(row, *ended));
        assert_eq!(outside, None, "{name}, tick {tick}: {:?}", outside.map(|lane| &next_obs[lane * width..][..width]));
    }
}

/// The unperturbed environment, then each channel at both ends. `limits` are those of a task, `inside` looks at what
/// healthy sensors show, and at whether the episode has ended.
fn million<E: Env, L>(limits: impl Fn(&Task) -> L, inside: impl Fn(&L, &[f32], bool) -> bool) {
    let actions: Vec<Vec<f32>> = (0..2 * TICKS as u32).map(|tick| actions::<E>(tick, 0, LANES)).collect();
    let nominal = Task::nominal(&E::SPEC);
    let healthy = limits(&nominal);
    run::<E>(&nominal, &actions, "unperturbed", |row, ended| inside(&healthy, row, ended));
    for channel in channels(&E::SPEC) {
        for (value, actions) in ends(&channel).into_iter().zip(actions.chunks(TICKS)) {
            let task = nominal.clone().with(&E::SPEC, &channel.name, value).unwrap();
            let name = format!("{} = {value}", channel.name);
            let limits = limits(&task);
            let faulty = channel.name.starts_with("sensor_");
            run::<E>(&task, actions, &name, |row, ended| faulty || inside(&limits, row, ended));
        }
    }
}

/// The value of a channel of `task`.
fn value<E: Env>(task: &Task, name: &str) -> f32 {
    task.values[metadrift_envs::channel_index(&E::SPEC, name).unwrap()] as f32
}

#[test]
fn cartpole_stays_within_its_limits_until_it_ends() {
    let nominal = Task::nominal(&CartPole::SPEC);
    // Gymnasium's observation space, twice the limits, holds the last observation of the unperturbed environment, too
    let space = |task: &Task| if *task == nominal { [4.8, 0.418_879_02] } else { [f32::INFINITY; 2] };
    let limits = |task: &Task| (["x_limit", "theta_limit"].map(|name| value::<CartPole>(task, name)), space(task));
    million::<CartPole, _>(limits, |(limits, space), row, ended| {
        let within = |[x, theta]: &[f32; 2]| row[0].abs() <= *x && row[2].abs() <= *theta;
        within(space) && (ended || within(limits))
    });
}

#[test]
fn pendulum_stays_on_the_circle_and_within_its_speed() {
    million::<Pendulum, _>(
        |task| value::<Pendulum>(task, "max_speed"),
        |speed, row, _| (row[0].hypot(row[1]) - 1.0).abs() < 1e-5 && row[2].abs() <= *speed,
    );
}

#[test]
fn navigation_stays_within_what_its_moves_reach() {
    // the first coordinate, then as many moves as an episode has
    fn reach<E: Env>(task: &Task) -> f32 {
        let [first, step] = ["init_position", "step_limit"].map(|name| value::<E>(task, name));
        let [gain, bias, noise] =
            ["gain", "bias", "noise_std"].map(|name| value::<E>(task, &format!("actuator_{name}")));
        1.0001 * (first + HORIZON as f32 * (gain.abs() * step + bias.abs() + 7.0 * noise))
    }
    million::<Navigation, _>(reach::<Navigation>, |limit, row, _| row.iter().all(|x| x.abs() <= *limit));
    // the way to the goal, moves turned: the longest are along a diagonal
    let from_goal = |task: &Task| {
        let goal = ["goal_x", "goal_y"].map(|name| value::<NavigationRotated>(task, name).abs());
        goal[0].max(goal[1]) + 1.5 * reach::<NavigationRotated>(task)
    };
    million::<NavigationRotated, _>(from_goal, |limit, row, _| row.iter().all(|x| x.abs() <= *limit));
}

#[test]
fn the_environments_of_the_actuator_inversion_benchmark_stay_within_their_limits() {
    let limits = |task: &Task| ["position_limit", "velocity_limit"].map(|name| value::<DoubleIntegrator>(task, name));
    million::<DoubleIntegrator, _>(limits, |[position, velocity], row, ended| {
        !ended && (0..2).all(|k| row[k].abs() <= *position && row[2 + k].abs() <= *velocity)
    });
    million::<ComplexOde, _>(
        |task| value::<ComplexOde>(task, "x_limit"),
        |limit, row, ended| !ended && row[0].abs() <= *limit,
    );
    million::<CartPoleBalance, _>(|_| (), |(), row, ended| !ended && (row[1].hypot(row[2]) - 1.0).abs() < 1e-5);
}
