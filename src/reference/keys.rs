//! Every key of a configuration file: those of the common sections, and those of each learner's own.

use metadrift_agents::{
    keys::{Absent, INTEGER, Key, LAYERS, Legal, NOT_NEGATIVE, NUMBER, SWITCH, TEXT, WIDTHS, WORD, key, range},
    learner::Entry,
    learners,
};
use serde_json::json;

/// Names of the learners that read a key, or `all`. A key that the learner of a configuration does not read must have its
/// default.
pub fn readers(key: &Key) -> String {
    let reads = |entry: &&Entry| match entry.own.filter(|own| own.keys.contains(key)) {
        Some(_) => true,
        None if key.key.starts_with("examples.") => entry.learns.examples(),
        None => !entry.ignores(key.key) && !is_own(key),
    };
    let names: Vec<&str> = learners::all().filter(reads).map(|entry| entry.name).collect();
    if names.len() == learners::all().count() { "all".into() } else { names.join(", ") }
}

/// True if the key is in a learner's own section.
fn is_own(key: &Key) -> bool {
    learners::all().filter_map(|entry| entry.own).any(|own| own.keys.contains(key))
}

/// A key for programs.
pub fn to_json(key: &Key) -> serde_json::Value {
    let choices = if let Legal::OneOf(words) = key.legal { Some(words) } else { None };
    json!({
        "key": key.key, "type": key.kind, "required": key.default == Absent::Required,
        "default": key.default.value(), "default_text": key.default.text(), "legal": key.legal.text(),
        "choices": choices, "unit": key.unit, "learner": readers(key), "meaning": key.meaning,
    })
}

/// Every key, in the order of the documents: a learner's own ones behind those of the policy and the loops.
pub fn all() -> impl Iterator<Item = &'static Key> {
    let own = learners::sections().flat_map(|own| own.keys);
    let (before, after) = KEYS.split_at(KEYS.iter().position(|key| key.key.starts_with("checkpoint.")).unwrap_or(0));
    before.iter().chain(own).chain(after)
}

/// The keys that begin with `prefix`; all for an empty one.
pub fn with_prefix(prefix: &str) -> Vec<&'static Key> {
    all().filter(|key| key.key.starts_with(prefix)).collect()
}

const TABLE: &str = "table";

/// A table of the task language.
const fn table(name: &'static str, kind: &'static str, meaning: &'static str) -> Key {
    key(name, kind, Words("none"), Legal::Table, "", meaning)
}

const SHARE: Legal = range("above 0 and below 1", "1.0");
const POSITIVE: Legal = range("a positive number", "0.0");
const PROBABILITY: Legal = range("0 to 1", "1.5");

use Absent::{Is, Required, Words};

/// The keys of the common sections, in the order of the documents. `tests/reference.rs` compares them with the parser's.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("name", TEXT, Required, range("letters, digits, `-`, `_` and `.`, not starting with `.`", "\"a b\""), "", "Name of the run's folder and of its evaluations"),
    key("description", TEXT, Is("\"\""), Legal::Any, "", "One line on the tasks"),
    key("role", WORD, Is("\"adaptation\""), Legal::OneOf(&["adaptation", "control"]), "", "Purpose of the tasks: they need adaptation (adaptation), or one fixed policy solves them all (control)"),
    key("seed", INTEGER, Is("0"), range("0 to 9223372036854775807", "-1"), "", "Seed of every random number of the run"),
    key("learner", WORD, Is("\"maml\""), range("one of `metadrift learners list`", "\"nobody\""), "", "The learner"),
    key("iterations", INTEGER, Is("100"), range("1 to 16777216", "0"), "iterations", "Updates of the policy, each on newly collected experience"),
    key("max_env_steps", INTEGER, Is("0"), range("0 or more", "-1"), "environment steps", "Training ends with the iteration that reaches so many environment steps, if that comes before `iterations`; 0: no limit. Learning rates that fall towards the end follow the share of whichever limit is nearer"),

    key("task.env", WORD, Required, range("one of `metadrift env list`", "\"nowhere\""), "", "Environment"),
    key("task.horizon", INTEGER, Words("the environment's"), range("1 to 1000000", "1000001"), "steps", "Time limit of an episode"),
    key("task.observe_actions", INTEGER, Is("0"), range("0 to 64", "65"), "actions", "Number of last actions that are appended to the observation"),
    key("task.integrator", WORD, Words("cartpole: euler, pendulum: semi_implicit"), Legal::OneOf(&["euler", "semi_implicit", "rk4"]), "", "Integration method: CartPole has all, Pendulum semi_implicit only"),
    key("task.reward", WORD, Words("cartpole and pendulum: gym"), Legal::OneOf(&["gym", "sutton_barto", "quadratic"]), "", "Reward of a step: CartPole has all, Pendulum gym only"),
    key("task.sensor_fill", WORD, Is("\"zero\""), Legal::OneOf(&["zero", "last"]), "", "Reading that stands in for one that was dropped: 0, or the last that came through"),
    key("task.notify.level", WORD, Is("\"none\""), Legal::OneOf(&["none", "flag", "delta", "value"]), "", "Report of a change in the observation: nothing, that there was one, its size, or the new value"),
    key("task.notify.delay", INTEGER, Is("0"), range("0 to 64", "65"), "ticks", "Time between a change and its notification"),
    key("task.notify.noise_std", NUMBER, Is("0.0"), range("0 to 1e6", "-1.0"), "the channel's", "Standard deviation of the noise on a reported size or value"),
    key("task.notify.miss_prob", NUMBER, Is("0.0"), PROBABILITY, "", "Probability that a change goes unreported"),
    key("task.notify.false_alarm_prob", NUMBER, Is("0.0"), PROBABILITY, "", "Probability, per tick without a change, that one is reported"),
    key("task.filter.energy_margin_min", NUMBER, Words("no limit"), POSITIVE, "", "Pendulum: tasks with a smaller ratio of available to needed energy are left out"),
    key("task.filter.max_step_authority", NUMBER, Words("no limit"), POSITIVE, "rad/s", "Pendulum: tasks in which full torque changes the speed by more in one step are left out"),
    key("task.filter.max_wind_share", NUMBER, Words("no limit"), POSITIVE, "", "CartPole: tasks with a larger ratio of wind to push are left out"),
    key("task.filter.max_step_growth", NUMBER, Words("no limit"), POSITIVE, "", "CartPole: tasks in which a fall grows by more in one step are left out"),
    key("task.filter.max_tries", INTEGER, Is("1000"), range("1 to 10000", "0"), "tasks", "Tasks that are drawn to see whether at least 1 % pass the filter"),
    table("task.base", "table of numbers", "Channels that have the same value in all tasks"),
    table("task.vary", "table of laws", "Channels that are drawn once per task"),
    table("task.drift", "table of schedules", "Channels that follow a schedule over the life of a task"),
    table("task.actuator", "table of numbers or laws", "Faults of the actuator, by short name"),
    table("task.sensor", "tables of numbers or laws", "Faults of the sensors, by observation and short name"),
    table("task.correlated", "list of tables", "Channels of task.vary that are drawn together"),
    table("task.list", "list of tables", "Alternatives, one of which each task takes"),
    table("task.split.in_dist", TABLE, "Changes for the held-out tasks of the training distribution"),
    table("task.split.ood", TABLE, "Changes for the tasks outside the training distribution"),

    key("examples.family", WORD, Words("none: an environment instead"), Legal::OneOf(&["sinusoid", "images", "entities"]), "", "Family of tasks of labelled examples, in place of [task]"),
    key("examples.support", INTEGER, Is("10"), range("1 to 10000", "0"), "examples", "Examples that adaptation sees"),
    key("examples.ways", INTEGER, Words("needed for classes, none for numbers"), range("2 to 100", "1"), "classes", "Classes of a task of images or entities"),
    key("examples.data", TEXT, Words("none"), Legal::Any, "", "Folder of the data of images or entities"),
    key("examples.query", INTEGER, Is("10"), range("1 to 10000", "0"), "examples", "Examples on which the adapted network is judged"),

    key("rollout.num_tasks", INTEGER, Is("20"), range("1 to 100000", "0"), "tasks", "Tasks drawn for each iteration"),
    key("rollout.num_envs", INTEGER, Is("20"), range("1 to 100000", "0"), "lanes", "Lanes of each task (maml), or in all (ppo, context; at most 32 or a multiple of 32)"),
    key("rollout.num_steps", INTEGER, Is("0"), range("0 to 1000000", "1000001"), "steps", "Steps of each lane per phase (maml), iteration (ppo, context) or life (learners of lives: the others); 0: as many as its episodes may last, with ppo and context or without a limit of episodes task.horizon, with rl2, distill and distill-window two episodes, but at most 500 or task.horizon"),
    key("rollout.episodes_per_env", INTEGER, Is("1"), range("0 to 1000000", "1000001"), "episodes", "Episodes after which a lane rests until the next phase (maml; learners of lives in an evaluation) or draws a new task (ppo, context); 0: never rests, and draws a new task when the life of an evaluation would be over"),

    key("evaluation.tasks", INTEGER, Is("100"), range("1 to 1000000", "0"), "tasks", "Held-out tasks of an evaluation"),
    key("evaluation.episodes", INTEGER, Words("as in training with maml, else 20"), range("1 to 100000", "0"), "lanes", "Lanes per task, each an episode of the data for an adaptation step"),
    key("evaluation.steps", INTEGER, Words("as in training with maml; else 0, or twice task.horizon with learners of lives where rollout.episodes_per_env is 0"), range("0 (one episode), or from task.horizon to 1000000", "1"), "ticks", "Ticks of a lane before each adaptation step and after the last"),
    key("evaluation.adapt_steps", INTEGER, Words("as in training, at least 1"), range("0 to 100", "101"), "steps", "Adaptation steps"),
    key("evaluation.every", INTEGER, Is("0"), range("0 or more", "-1"), "iterations", "Iterations between two evaluations during training, on held-out tasks that are never those of a report; 0: only when it is over"),

    key("policy.hidden", WIDTHS, Is("[64, 64]"), LAYERS, "units", "Widths of the policy's hidden layers"),
    key("policy.activation", WORD, Is("\"tanh\""), Legal::OneOf(&["tanh", "relu"]), "", "Function between the layers of the policy, and of the value network, encoder and predictor beside it"),
    key("policy.init", WORD, Is("\"normal\""), Legal::OneOf(&["normal", "orthogonal"]), "", "First weights of these networks: normal with variance 1 / inputs, the last layer 100 times smaller; or orthogonal, times sqrt(2), 0.01 in the policy's last layer, 1 in the last of the others"),
    key("policy.log_std", WORD, Is("\"free\""), Legal::OneOf(&["free", "state"]), "", "Log standard deviations of continuous actions: free parameters; or outputs of the network, means first, held within -5 and 2 with slope 0 outside"),
    key("policy.init_log_std", NUMBER, Is("0.0"), range("-10 to 3", "4.0"), "", "Initial log standard deviation of a Gaussian policy, in units of the action bound"),
    key("policy.normalize_obs", SWITCH, Is("false"), Legal::Any, "", "Normalise observations by the mean and spread of all those of training so far, a window among them; the statistics are saved with the policy, and stay in evaluations"),
    key("policy.window", INTEGER, Is("0"), range("0 to 64", "65"), "transitions", "The last transitions that the policy sees: changes, commands, rewards, and their products"),

    key("maml.inner_lr", NUMBER, Is("0.1"), NOT_NEGATIVE, "", "Step size of adaptation; its starting point where it is learned"),
    key("maml.inner_steps", INTEGER, Is("1"), range("0 to 100", "101"), "steps", "Gradient steps of adaptation in training: each on new episodes (maml, reptile), or all on the episodes of the task before (continual) or on the same support examples ([examples])"),
    key("maml.first_order", SWITCH, Is("false"), Legal::Any, "", "Leave out second derivatives (FOMAML): cheaper and biased"),
    key("maml.update_rule", WORD, Is("\"gradient\""), Legal::OneOf(&["gradient", "learned"]), "", "Step of adaptation: the step sizes times the gradient, or times the direction of a small recurrent rule, whose weights are learned with the policy"),
    key("maml.estimator", WORD, Is("\"lvc\""), Legal::OneOf(&["score", "lvc", "dice", "loaded-dice"]), "", "Estimator of second derivatives: score function, low-variance curvature, DiCE, loaded DiCE (`metadrift estimators` measures them)"),
    key("maml.dice_lambda", NUMBER, Is("0.9"), range("0 to 1", "1.5"), "", "Lambda of loaded DiCE: 0 is lvc, 1 is DiCE"),
    key("maml.sampling_term", WORD, Is("\"none\""), Legal::OneOf(&["none", "plain", "leave-one-out"]), "", "Credit of the meta-policy for the episodes that adaptation saw (E-MAML), with or without a baseline; needs maml.estimator = \"score\""),
    key("maml.adapts", WORD, Is("\"all\""), Legal::OneOf(&["all", "head", "biases", "context", "low-rank"]), "", "Parameters that adaptation changes: all, the last layer (ANIL), the biases, context parameters beside the observation (CAVIA), or changes of low rank of the weights (LoRA)"),
    key("maml.adapts_size", INTEGER, Is("4"), range("1 to 1024", "0"), "", "Number of context parameters, or rank of the changes; read if maml.adapts is context or low-rank"),
    key("maml.outer", WORD, Is("\"ppo\""), Legal::OneOf(&["ppo", "trpo", "policy-gradient"]), "", "Step of the meta-policy: Adam on PPO's loss, a trust region, or one Adam step along the policy gradient"),
    key("maml.max_kl", NUMBER, Is("0.01"), range("from 1.2e-38 to 3.4e38", "0.0"), "", "Divergence of the adapted policies in a step of trpo, at most"),
    key("maml.risk", WORD, Is("\"mean\""), Legal::OneOf(&["mean", "variance", "cvar"]), "", "Figure of the tasks' returns that is to grow: their mean, the mean minus risk_level times the variance, or the mean of the worst share risk_level"),
    key("maml.risk_level", NUMBER, Is("0.0"), range("above 0", "-1.0"), "", "Weight of the variance (risk = variance), or share of the worst tasks (cvar; at most 1); 0 stands for none"),
    key("maml.baseline", WORD, Is("\"linear\""), Legal::OneOf(&["linear", "network"]), "", "Values that advantages are measured from: linear features, fitted to the data of each task and phase, or a network that all tasks share, which sees the observation and how much of the adaptation is done, and learns after each iteration"),
    key("maml.value_hidden", WIDTHS, Is("[64, 64]"), LAYERS, "units", "Widths of the value network's hidden layers; read if maml.baseline = \"network\""),
    key("maml.value_lr", NUMBER, Is("1e-3"), NOT_NEGATIVE, "", "Adam's learning rate for the value network; read if maml.baseline = \"network\""),
    key("maml.value_epochs", INTEGER, Is("2"), range("1 to 1000", "0"), "epochs", "Passes of the value network over the experience of an iteration; read if maml.baseline = \"network\""),
    key("maml.stop_at_return", NUMBER, Words("never"), range("a finite number", "inf"), "", "Mean return after adaptation over five iterations at which training ends"),
    key("maml.learn_inner_lr", SWITCH, Is("false"), Legal::Any, "", "Learn one step size per parameter (Meta-SGD)"),
    key("maml.adapt_log_std", SWITCH, Is("true"), Legal::Any, "", "Adapt the exploration noise of a Gaussian policy, too; with policy.log_std = \"state\" false holds its weights and biases in the last layer, but not the layers below"),
    key("maml.tasks_per_chunk", INTEGER, Is("0"), range("0 or more", "-1"), "tasks", "Tasks in one autograd graph (backend tch); 0: one on a CPU, all on a GPU"),

    key("ppo.outer_lr", NUMBER, Is("1e-3"), NOT_NEGATIVE, "", "Adam's learning rate for the policy"),
    key("ppo.outer_epochs", INTEGER, Is("5"), range("1 to 1000", "0"), "epochs", "Passes over the experience of an iteration"),
    key("ppo.clip_eps", NUMBER, Is("0.2"), SHARE, "", "Probability ratios count up to 1 plus or minus this"),
    key("ppo.kl_coef", NUMBER, Is("5e-4"), NOT_NEGATIVE, "", "Weight of KL(old || new meta-policy) on the support states"),
    key("ppo.ent_coef", NUMBER, Is("0.0"), NOT_NEGATIVE, "", "Weight of the policy's entropy"),
    key("ppo.max_grad_norm", NUMBER, Is("0.5"), range("from 1.2e-38 to 3.4e38", "0.0"), "", "Longer gradients are scaled down to this Euclidean norm"),
    key("ppo.gamma", NUMBER, Is("0.99"), SHARE, "", "Discount factor per step"),
    key("ppo.gae_lambda", NUMBER, Is("0.97"), range("0 to 1", "1.5"), "", "Trace decay of the advantage estimate"),

    key("checkpoint.every", INTEGER, Is("10"), range("1 or more", "0"), "iterations", "Iterations between two checkpoints; the first and the last always have one"),
    key("checkpoint.keep", INTEGER, Is("3"), range("1 or more", "0"), "checkpoints", "Number of newest checkpoints that are kept"),
    key("checkpoint.tries", INTEGER, Is("3"), range("0 to 30", "31"), "", "Number of times that training, after its return has fallen for good, goes back to its best policy with half the step; after that it ends with exit code 9; 0 does not watch"),

    key("log.x_axis", WORD, Is("\"iteration\""), Legal::OneOf(&["iteration", "env_steps"]), "", "Horizontal axis in TensorBoard: iterations, or environment steps"),
];
