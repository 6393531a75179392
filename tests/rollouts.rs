//! Rollouts are equal for any number of actors and contiguous in time, and report an actor's panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use metadrift::{
    config::Experiment,
    control::episodes,
    life::Life,
    registry,
    rollout::{Actions, Collection, Lanes, Network, Phase, collect_all, continue_all, steps::Memories, window},
};
use metadrift_agents::{
    layout::Layout,
    rollout::{Rollout, Shape},
    settings::Episodes,
    source::{Policies, Source},
};
use metadrift_envs::{Clocks, Env, EnvKind, Pendulum, Purpose, Split, StepView, Stream, Task, TaskSettings, VecEnv};

const STEPS: usize = 60;
const ENVS: usize = 7;

fn setting(env: EnvKind) -> (Layout, Vec<Task>, Vec<Vec<f32>>) {
    let text = format!(
        "name = \"x\"\n[task]\nenv = \"{}\"\n[task.vary]\ngravity = {{ law = \"uniform\", low = 8.0, high = 11.0 }}\n\
         [task.drift]\nactuator_gain = {{ kind = \"linear\", from = 1.0, to = -1.0, over = 40 }}\n",
        env.spec().name
    );
    let tasks = Experiment::parse("x", &text, &[]).unwrap().tasks(Split::Train).clone();
    let tasks: Vec<_> = (0..5).map(|i| tasks.sample(9, 0, i)).collect();
    let layout = registry::layout(env.spec(), &TaskSettings::default(), &[16, 16]);
    let mut seed = 0u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    let params = (0..5).map(|_| layout.init(-0.5, || 3.0 * noise())).collect();
    (layout, tasks, params)
}

fn collect(env: EnvKind, actors: usize, episodes: Episodes, actions: Actions, rollout: &mut Rollout) {
    let (layout, tasks, params) = setting(env);
    let collection = Collection { env, horizon: 25, num_actors: actors };
    let phase = Phase {
        actions,
        ..Phase::training(4, 3, Clocks { lifetime_step: 10, adapt_round: 1, ..Clocks::default() }, episodes)
    };
    collect_all(&collection, &tasks, Policies { layout: &layout, params: &params }, &phase, rollout).unwrap();
}

fn empty(env: EnvKind) -> Rollout {
    let (obs_dim, act_dim) = (env.spec().obs_dim(), env.spec().act_dim());
    Rollout::new(Shape { tasks: 5, steps: STEPS, envs: ENVS, obs_dim, act_dim }, 25)
}

#[test]
fn any_number_of_actors_gives_the_same_bytes() {
    for env in [EnvKind::CartPole, EnvKind::Pendulum] {
        for (episodes, actions) in [
            (Episodes::Endless, Actions::Sampled),
            (Episodes::Count(1), Actions::Sampled),
            (Episodes::Count(2), Actions::Deterministic),
        ] {
            let mut one = empty(env);
            collect(env, 1, episodes, actions, &mut one);
            for actors in [2, 3, 8] {
                // the buffer holds the data of another rollout before
                let mut many = empty(env);
                collect(env, actors, Episodes::Endless, Actions::Sampled, &mut many);
                collect(env, actors, episodes, actions, &mut many);
                // NaN-free, so equality of values is equality of bytes up to the sign of zero
                assert!(one == many, "{env:?} {episodes:?} {actors} actors");
            }
        }
    }
}

#[test]
fn lanes_stop_after_their_episodes_and_observations_follow_each_other() {
    let env = EnvKind::CartPole;
    let mut rollout = empty(env);
    collect(env, 2, Episodes::Count(2), Actions::Sampled, &mut rollout);
    for data in rollout.tasks() {
        assert_eq!(data.episodes().count(), 2 * ENVS, "two episodes of at most 25 steps fit into 60");
        for (lane, start, end) in data.episodes() {
            for t in start..end {
                let row = data.row(t, lane);
                assert_eq!(data.episode_step[row] as usize, t - start);
                assert_eq!(data.truncated[row], t - start == 24);
                if t + 1 < end {
                    assert_eq!(data.obs_at(data.next_obs, row), data.obs_at(data.obs, data.row(t + 1, lane)));
                }
            }
            let last = data.row(end - 1, lane);
            assert!(data.terminated[last] || data.truncated[last]);
        }
    }
    // a return is the mean length of a CartPole episode
    let data = rollout.task(0);
    let steps: u32 = data.valid_steps.iter().sum();
    assert_eq!(rollout.returns()[0], f64::from(steps) / (2 * ENVS) as f64);
}

#[test]
fn what_is_stored_is_what_the_environment_did() {
    // the stored actions, replayed through the engine alone, give the stored columns
    let env = EnvKind::Pendulum;
    let mut rollout = empty(env);
    collect(env, 3, Episodes::Endless, Actions::Sampled, &mut rollout);
    let (_, tasks, _) = setting(env);
    let data = rollout.task(2);
    let stream = Stream::new(4, Purpose::Reset).iteration(3).phase(1).task(2);
    let start = Clocks { lifetime_step: 10, adapt_round: 1, ..Clocks::default() };
    let mut engine = VecEnv::<Pendulum>::new(&[(&tasks[2], ENVS)], 25, stream, start);
    let mut next_obs = vec![0.0; ENVS * Pendulum::SPEC.obs_dim()];
    let mut reward = vec![0.0; ENVS];
    let (mut terminated, mut truncated) = (vec![false; ENVS], vec![false; ENVS]);
    for t in 0..STEPS {
        let rows = t * ENVS..(t + 1) * ENVS;
        assert_eq!(engine.obs(), &data.obs[rows.start * Pendulum::SPEC.obs_dim()..rows.end * Pendulum::SPEC.obs_dim()]);
        // the policy speaks in units of the action bound, 2 N m
        let actions: Vec<f32> = data.action[rows.clone()].iter().map(|a| 2.0 * a).collect();
        let out = StepView {
            next_obs: &mut next_obs,
            reward: &mut reward,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        engine.step(&actions, out);
        assert_eq!((&reward[..], &truncated[..]), (&data.reward[rows.clone()], &data.truncated[rows]));
    }
    assert!(rollout.task(2).action.iter().any(|a| a.abs() > 1.0), "samples beyond the bound are stored unclipped");
}

#[test]
fn an_actor_that_panics_ends_the_collection_with_its_message() {
    let env = EnvKind::CartPole;
    let (layout, mut tasks, params) = setting(env);
    tasks[3] = Task::nominal(EnvKind::Pendulum.spec()); // of another environment: the engine refuses it
    let collection = Collection { env, horizon: 25, num_actors: 2 };
    let phase = Phase::training(0, 0, Clocks::default(), Episodes::Endless);
    let mut rollout = empty(env);
    let run = AssertUnwindSafe(|| {
        collect_all(&collection, &tasks, Policies { layout: &layout, params: &params }, &phase, &mut rollout)
    });
    let payload = catch_unwind(run).unwrap_err();
    let message = metadrift::failure::WorkerPanic::new(payload.as_ref()).to_string();
    assert!(message.contains("channels"), "{message}");
}

#[test]
fn a_policy_that_is_not_finite_is_an_error_that_names_the_task() {
    let env = EnvKind::Pendulum;
    let (layout, tasks, mut params) = setting(env);
    params[1][0] = f32::NAN;
    let collection = Collection { env, horizon: 25, num_actors: 2 };
    let phase = Phase::training(0, 0, Clocks::default(), Episodes::Endless);
    let error =
        collect_all(&collection, &tasks, Policies { layout: &layout, params: &params }, &phase, &mut empty(env))
            .unwrap_err();
    assert!(error.to_string().contains("task 1"), "{error}");
}

/// The values of a drift on `clock`, on three tasks of iteration 2 in the phase after one adaptation step,
/// `[tasks][steps]` of lane 0.
fn readings(clock: &str, episodes_per_env: u32) -> Vec<Vec<f32>> {
    // the probe pays plus or minus the gain and ends after every step; the gain is the clock's reading in thousandths
    let text = format!(
        "name = \"x\"\n[task]\nenv = \"probe-sign\"\nhorizon = 2\n[task.drift.actuator_gain]\nkind = \"linear\"\n\
         from = 0.0\nto = 1.0\nover = 1000.0\nclock = \"{clock}\"\n\
         [rollout]\nnum_tasks = 3\nnum_envs = 2\nnum_steps = 4\nepisodes_per_env = {episodes_per_env}\n"
    );
    let config = Experiment::parse("x", &text, &[]).unwrap();
    let env = config.env();
    let tasks = config.tasks(Split::Train);
    let tasks: Vec<_> = (0..3).map(|i| tasks.sample(0, 2, i)).collect();
    let layout = registry::layout(env.spec(), &TaskSettings::default(), &[4]);
    let params = vec![vec![0.0; layout.num_params()]; 3];
    let collection = Collection { env, horizon: 2, num_actors: 1 };
    let shape = Shape { tasks: 3, steps: 4, envs: 2, obs_dim: env.spec().obs_dim(), act_dim: env.spec().act_dim() };
    let mut rollout = Rollout::new(shape, 2);
    let phase = Phase::training(0, 2, Life::training(&config).start(6, 1), config.settings().episodes());
    collect_all(&collection, &tasks, Policies { layout: &layout, params: &params }, &phase, &mut rollout).unwrap();
    let mut read = vec![Vec::new(); 3];
    for (slab, read) in rollout.slabs().into_iter().zip(&mut read) {
        for row in (0..4).map(|step| step * 2).filter(|row| *row / 2 < slab.valid_steps[0] as usize) {
            read.push((1000.0 * slab.reward[row]).abs().round());
        }
    }
    read
}

#[test]
fn all_five_clocks_run_in_training() {
    // 4 ticks a phase in episodes of at most 2: phase 1 begins at tick 4, after 2 episodes a lane
    assert_eq!(readings("lifetime_step", 0), [[4.0, 5.0, 6.0, 7.0]; 3]);
    assert_eq!(readings("adapt_round", 0), [[1.0; 4]; 3]);
    // tasks 0 to 5 belonged to iterations 0 and 1
    assert_eq!(readings("task", 0), [[6.0; 4], [7.0; 4], [8.0; 4]]);
    assert_eq!(readings("episode", 0), [[2.0, 3.0, 4.0, 5.0]; 3]);
    assert_eq!(readings("episode", 3), [[3.0, 4.0, 5.0]; 3]);
    assert_eq!(readings("episode_step", 0), [[0.0; 4]; 3]);
}

#[test]
fn a_window_goes_on_from_phase_to_phase() {
    let env = EnvKind::Pendulum;
    let (_, tasks, _) = setting(env);
    let own = env.spec().obs_dim();
    let layout = Layout::new(own + window::width(env.spec(), 2), &[], registry::head(env.spec())).looking_back(2);
    let policies = [vec![0.1; layout.num_params()]];
    let policies = Policies { layout: &layout, params: &policies };
    let collection = Collection { env, horizon: 20, num_actors: 1 };
    let shape = Shape { tasks: 1, steps: 30, envs: 2, obs_dim: layout.obs_dim(), act_dim: 1 };
    // lanes that run on, and lanes that rest after an episode of 20 steps
    for (episodes, last) in [(Episodes::Endless, 29), (Episodes::Count(1), 19)] {
        let mut memories = vec![Memories::new()];
        let mut windows = Vec::new();
        for index in 0..2 {
            let mut rollout = Rollout::new(shape, 20);
            let phase = Phase::training(0, 0, Clocks { adapt_round: index, ..Clocks::default() }, episodes);
            continue_all(&collection, &tasks[..1], policies, &phase, &mut memories, &mut rollout).unwrap();
            let data = rollout.task(0);
            let window = |column: &[f32], step: usize| data.obs_at(column, data.row(step, 1))[own..].to_vec();
            windows.push([window(data.obs, 0), window(data.next_obs, last)]);
        }
        assert!(windows[0][0].iter().all(|number| *number == 0.0), "a life begins with an empty window");
        assert_eq!(windows[1][0], windows[0][1], "{episodes:?}");
    }
}

#[test]
fn lanes_that_live_on_draw_new_tasks_when_a_life_is_over() {
    // lives of 2 phases of 3 ticks, episodes of one tick: every seventh tick is the first of another task
    let text = "name = \"x\"\nlearner = \"ppo\"\n[task]\nenv = \"probe-sign\"\nhorizon = 2\n[task.drift.actuator_gain]\n\
        kind = \"linear\"\nfrom = 0.0\nto = 1.0\nover = 1000.0\nclock = \"lifetime_step\"\n[rollout]\nnum_envs = 2\n\
        num_steps = 7\nepisodes_per_env = 0\n[evaluation]\nsteps = 3\nadapt_steps = 1\n";
    let config = Experiment::parse("x", text, &[]).unwrap();
    let layout = registry::policy(&config);
    let params = vec![vec![0.0; layout.num_params()]];
    let mut lanes = Lanes::new(&config, 1);
    let mut ages = Vec::new();
    for iteration in 0..2 {
        lanes.begin(iteration);
        let rollout = lanes.collect(0, Policies { layout: &layout, params: &params }).unwrap();
        let rewards = rollout.task(0).reward.chunks(2).map(|lanes| (1000.0 * lanes[1]).abs().round());
        ages.extend(rewards);
    }
    let expected: Vec<f32> = (0..14u8).map(|tick| f32::from(tick % 6)).collect();
    assert_eq!(ages, expected);
}

#[test]
fn a_shown_policy_commands_what_a_collected_one_does() {
    // a network that always answers 1, in units of the torque's bound of 2 N m
    let env = EnvKind::Pendulum;
    let layout = registry::layout(env.spec(), &TaskSettings::default(), &[]);
    let mut params = vec![0.0; layout.num_params()];
    let bias = layout.blocks().iter().find(|block| block.name == "layer0.bias").unwrap().range.start;
    params[bias] = 1.0;
    let place = || "a test".to_owned();
    let stream = Stream::new(0, Purpose::EvaluationAction);
    let mut policy = Network::new((&layout, &params), (env.spec(), 1), Actions::Deterministic, stream, &place);
    let life = Life { horizon: 3, phase_steps: 3, episodes: Episodes::Count(1), phases: 1 };
    let stretch = episodes::Stretch::new(life, 0..1);
    let tasks = [Task::nominal(env.spec())];
    let mut commands = Vec::new();
    episodes::run(env, (&tasks, 1), &stretch, 0, &mut policy, |tick| commands.push(tick.action[0])).unwrap();
    assert_eq!(commands, [2.0; 3]);
}
