//! Tests of the value baseline on processes with known values, and on awkward data.

use metadrift_agents::{
    advantage::{Fit, gae, prepare},
    baseline::LinearBaseline,
    batch::Trajectories,
};

/// Experience of several lanes with equally many steps, written step by step.
struct Data {
    envs: usize,
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    reward: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    episode_step: Vec<u32>,
    valid_steps: Vec<u32>,
}

impl Data {
    /// Data of episodes of `length` steps, cut off or terminated then. A process is a function of the lane's state, the
    /// step and a source of uniform numbers on [-1, 1]; it returns the reward and moves the state.
    fn of<const N: usize>(
        [envs, steps, length]: [usize; 3],
        dies: bool,
        mut start: impl FnMut(&mut Noise) -> [f64; N],
        mut step: impl FnMut(&mut [f64; N], usize, &mut Noise) -> f64,
    ) -> Data {
        let mut noise = Noise(1);
        let mut states: Vec<[f64; N]> = (0..envs).map(|_| start(&mut noise)).collect();
        let rows = envs * steps;
        let (terminated, truncated) = (vec![false; rows], vec![false; rows]);
        let (obs, next_obs, reward, episode_step) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let valid_steps = vec![steps as u32; envs];
        let mut data = Data { envs, obs, next_obs, reward, terminated, truncated, episode_step, valid_steps };
        for t in 0..steps {
            for (lane, state) in states.iter_mut().enumerate() {
                data.obs.extend(state.map(|x| x as f32));
                data.reward.push(step(state, t % length, &mut noise) as f32);
                data.next_obs.extend(state.map(|x| x as f32));
                data.episode_step.push((t % length) as u32);
                if t % length + 1 == length {
                    let ended = if dies { &mut data.terminated } else { &mut data.truncated };
                    ended[t * envs + lane] = true;
                    *state = start(&mut noise);
                }
            }
        }
        data
    }

    fn view(&self) -> Trajectories<'_> {
        Trajectories {
            envs: self.envs,
            obs: &self.obs,
            next_obs: &self.next_obs,
            action: &self.reward,
            log_prob: &self.reward,
            reward: &self.reward,
            terminated: &self.terminated,
            truncated: &self.truncated,
            episode_step: &self.episode_step,
            valid_steps: &self.valid_steps,
        }
    }

    /// The baseline's values before and after every step.
    fn values(&self, gamma: f64) -> (Vec<f64>, Vec<f64>) {
        LinearBaseline::fit(&self.view(), gamma).values(&self.view())
    }
}

struct Noise(u64);

impl Noise {
    /// The next number, uniform on [-1, 1].
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |of: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

/// The process x' = 0.9 x + 0.3 e with reward -x². V = -(p x² + c): by the discounted Lyapunov equation p = 1 + gamma
/// 0.81 p, and c = gamma (c + p 0.09 / 3), since e has variance 1/3.
fn scalar(envs: usize, length: usize, gamma: f64) -> (Data, impl Fn(f32) -> f64) {
    let step = |x: &mut [f64; 1], _: usize, noise: &mut Noise| {
        let reward = -x[0] * x[0];
        x[0] = 0.9 * x[0] + 0.3 * noise.next();
        reward
    };
    let p = 1.0 / (1.0 - 0.81 * gamma);
    let c = gamma * p * 0.03 / (1.0 - gamma);
    (Data::of([envs, length, length], false, |noise| [noise.next()], step), move |x| -(p * f64::from(x).powi(2) + c))
}

#[test]
fn a_task_of_negative_rewards_has_values_that_are_possible_and_near_the_true_ones() {
    for length in [20, 50, 100, 200] {
        for gamma in [0.9, 0.99, 0.999] {
            let (data, truth) = scalar(20, length, gamma);
            let worst = f64::from(data.reward.iter().copied().fold(0.0, f32::min)) / (1.0 - gamma);
            let (value, next_value) = data.values(gamma);
            let what = format!("{length} steps, gamma {gamma}");
            for v in value.iter().chain(&next_value) {
                assert!((worst..=0.0).contains(v), "{what}: {v} in {worst}..0");
            }
            // 20 lanes determine the mean reward of this process to about 10 %, 20 steps to half of that
            let expected: Vec<f64> = data.obs.iter().map(|x| truth(*x)).collect();
            let ratio = mean(&value) / mean(&expected);
            assert!((0.6..1.6).contains(&ratio), "{what}: {} where {} is right", mean(&value), mean(&expected));
            // the purpose of values is to make advantages
            let after: Vec<f64> = data.next_obs.iter().map(|x| truth(*x)).collect();
            let right = gae(&data.view(), &expected, &after, gamma, 0.97);
            let found = gae(&data.view(), &value, &next_value, gamma, 0.97);
            let r = correlation(&found, &right);
            assert!(r > 0.85, "{what}: advantages correlate by {r}");
        }
    }
}

#[test]
fn a_linear_quadratic_task_has_its_known_value() {
    // x' = x + v/10, v' = v + u/10, u = -x - 1.5 v + e; reward -(x² + u²/10). P comes from the recursion P <- Q + gamma
    // A' P A of the closed loop; e has variance 1/3
    let a = [[1.0, 0.1], [-0.1, 0.85]];
    let b = [0.0, 0.1];
    let k = [-1.0, -1.5];
    let gamma = 0.95f64;
    let mut p = [[0.0; 2]; 2];
    let at = |p: &[[f64; 2]; 2], x: [f64; 2], y: [f64; 2]| {
        (0..2).map(|i| (0..2).map(|j| x[i] * p[i][j] * y[j]).sum::<f64>()).sum::<f64>()
    };
    for _ in 0..5000 {
        let column = |j: usize| [a[0][j], a[1][j]];
        let cost = |i: usize, j: usize| f64::from(u8::from(i == 0 && j == 0)) + 0.1 * k[i] * k[j];
        let entry = |i: usize, j: usize| cost(i, j) + gamma * at(&p, column(i), column(j));
        p = [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]];
    }
    let c = (0.1 / 3.0 + gamma * at(&p, b, b) / 3.0) / (1.0 - gamma);
    let step = |s: &mut [f64; 2], _: usize, noise: &mut Noise| {
        let u = k[0] * s[0] + k[1] * s[1] + noise.next();
        let reward = -(s[0] * s[0] + 0.1 * u * u);
        *s = [s[0] + 0.1 * s[1], s[1] + 0.1 * u];
        reward
    };
    let data = Data::of([40, 300, 100], false, |noise| [noise.next(), noise.next()], step);
    let (value, _) = data.values(gamma);
    let truth: Vec<f64> =
        data.obs.chunks(2).map(|s| [f64::from(s[0]), f64::from(s[1])]).map(|s| -(at(&p, s, s) + c)).collect();
    let (of_value, of_truth) = (mean(&value), mean(&truth));
    assert!((of_value / of_truth - 1.0).abs() < 0.05, "{of_value} where {of_truth} is right");
    let error = value.iter().zip(&truth).map(|(v, t)| (v - t).powi(2)).sum::<f64>();
    let spread = truth.iter().map(|t| (t - of_truth).powi(2)).sum::<f64>();
    assert!(error < 0.05 * spread, "{error} of {spread}");
}

#[test]
fn a_deterministic_value_is_found_exactly() {
    // x' = 0.9 x, reward -x²: V = -x² / (1 - 0.81 gamma)
    for gamma in [0.9, 0.99] {
        let step = |x: &mut [f64; 1], _: usize, _: &mut Noise| {
            let reward = -x[0] * x[0];
            x[0] *= 0.9;
            reward
        };
        let data = Data::of([4, 40, 20], false, |noise| [noise.next()], step);
        let (value, next_value) = data.values(gamma);
        let right = |x: &f32| -f64::from(*x).powi(2) / (1.0 - 0.81 * gamma);
        for (value, obs) in value.iter().zip(&data.obs).chain(next_value.iter().zip(&data.next_obs)) {
            assert!((value - right(obs)).abs() < 0.02, "{value} where {} is right", right(obs));
        }
    }
}

#[test]
fn rewards_that_follow_the_clock_of_an_episode_that_ends_for_good_are_foreseen() {
    // reward 1 at the last of 30 steps, plus unpredictable noise: V = gamma^(steps left)
    let step = |_: &mut [f64; 1], t: usize, noise: &mut Noise| f64::from(u8::from(t == 29)) + 0.01 * noise.next();
    let data = Data::of([10, 60, 30], true, |noise| [noise.next()], step);
    let (value, _) = data.values(0.95);
    for (v, t) in value.iter().zip(&data.episode_step) {
        let right = 0.95f64.powi(29 - *t as i32);
        assert!((v - right).abs() < 0.05, "{t}: {v} where {right} is right");
    }
}

#[test]
fn units_of_observations_do_not_matter() {
    let (mut data, _) = scalar(10, 50, 0.99);
    let (value, next_value) = data.values(0.99);
    for x in data.obs.iter_mut().chain(&mut data.next_obs) {
        *x = *x * 1e6 + 3e6;
    }
    let (scaled, next_scaled) = data.values(0.99);
    for (a, b) in value.iter().chain(&next_value).zip(scaled.iter().chain(&next_scaled)) {
        assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn few_steps_constant_observations_and_lanes_cut_short_give_possible_values() {
    for [envs, steps, length] in [[1, 1, 1], [1, 3, 50], [1, 40, 50], [2, 5, 2], [4, 30, 30]] {
        for (gamma, dies) in [(0.9, false), (0.999, false), (0.99, true)] {
            // the second observation is constant, the third is the first one again
            let start = |noise: &mut Noise| [noise.next(), 7.0, 0.0];
            let step = |s: &mut [f64; 3], _: usize, noise: &mut Noise| {
                s[0] += 0.2 * noise.next();
                s[2] = s[0];
                -1.0 - s[0].abs()
            };
            let mut data = Data::of([envs, steps, length], dies, start, step);
            data.valid_steps[0] = (steps as u32).div_ceil(2);
            let low = f64::from(data.reward.iter().copied().fold(0.0, f32::min)) / (1.0 - gamma);
            let (value, next_value) = data.values(gamma);
            for v in value.iter().chain(&next_value) {
                assert!((low..=0.0).contains(v), "{envs} lanes, {steps} steps: {v} in {low}..0");
            }
            let (batch, estimate) = prepare(&data.view(), gamma, 0.97);
            let explained = estimate.explained_variance;
            assert!(batch.advantage.iter().all(|a| a.is_finite()) && (-1.0..=1.0).contains(&explained), "{explained}");
        }
    }
}

#[test]
fn what_settings_append_to_observations_costs_no_products_and_no_accuracy() {
    // 58 numbers of noise behind the state; with all products there would be more features than samples
    let start = |noise: &mut Noise| {
        let mut state = [0.0; 60];
        state[0] = noise.next();
        state
    };
    let step = |s: &mut [f64; 60], _: usize, noise: &mut Noise| {
        let reward = -s[0] * s[0];
        s[0] = 0.9 * s[0] + 0.3 * noise.next();
        s[2..].fill_with(|| noise.next());
        reward
    };
    let data = Data::of([20, 36, 36], false, start, step);
    let (value, _) = LinearBaseline::fit_own(&data.view(), 2, 0.95).values(&data.view());
    let right: Vec<f64> = data
        .obs
        .chunks(60)
        .map(|s| f64::from(s[0]).powi(2) / (1.0 - 0.81 * 0.95))
        .map(|cost| -cost - 0.95 * 0.03 / (1.0 - 0.81 * 0.95) / 0.05)
        .collect();
    let r = correlation(&value, &right);
    assert!(r > 0.85, "{r}");
}

#[test]
fn points_that_wander_far_from_a_hidden_goal_have_values_that_are_possible() {
    // two or three lanes with reward minus the distance from (0.3, 0.4): a value is never positive
    for (envs, steps) in [(2, 30), (3, 20), (20, 100)] {
        let step = |s: &mut [f64; 2], _: usize, noise: &mut Noise| {
            *s = s.map(|x| x + 0.1 * noise.next());
            -((s[0] - 0.3).powi(2) + (s[1] - 0.4).powi(2)).sqrt()
        };
        let data = Data::of([envs, steps, steps], false, |_| [0.0; 2], step);
        let low = f64::from(data.reward.iter().copied().fold(0.0, f32::min)) / 0.01;
        let high = f64::from(data.reward.iter().copied().fold(f32::MIN, f32::max)) / 0.01;
        let (value, next_value) = data.values(0.99);
        for v in value.iter().chain(&next_value) {
            assert!((low..=high).contains(v), "{v} in {low}..{high}");
        }
    }
}

#[test]
fn explained_variance_by_hand() {
    // one lane, cut off after two steps, gamma 1/2: rewards 1, 2 earn 2 and 2; 3/4 of a value v at the first step falls
    // into the data, and 1/2 of one at the second
    let step = |_: &mut [f64; 1], t: usize, _: &mut Noise| [1.0, 2.0][t];
    let data = Data::of([1, 2, 2], false, |_| [0.0], step);
    let explained = |value: &[f64]| {
        let mut fit = Fit::default();
        fit.add(&data.view(), value, 0.5);
        fit.explained_variance()
    };
    assert!((explained(&[2.0 / 0.75, 4.0]) - 1.0).abs() < 1e-12);
    // the best constant value c has (3/4) (2 - 3c/4) + (1/2) (2 - c/2) = 0, so c = 2.5 / 0.8125
    let best = 2.5 / 0.8125;
    assert!(explained(&[best; 2]).abs() < 1e-12);
    // it misses (2 - 3c/4)² + (2 - c/2)²; values of 2 and 4 miss 1/4
    let left = (2.0 - 0.75 * best).powi(2) + (2.0 - best / 2.0).powi(2);
    assert!((explained(&[2.0, 4.0]) - (1.0 - 0.25 / left)).abs() < 1e-12);
    assert_eq!(explained(&[1e6, -1e6]), -1.0);
    // data that a constant value explains
    let constant = Data::of([2, 20, 20], false, |_| [0.0], |_, _, _| 3.0);
    for (value, right) in [(6.0, 1.0), (6.1, -1.0)] {
        let mut fit = Fit::default();
        fit.add(&constant.view(), &[value; 40], 0.5);
        assert!((fit.explained_variance() - right).abs() < 1e-9, "{value}: {}", fit.explained_variance());
    }
}
