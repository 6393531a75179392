//! Value networks: one that estimates the values of states for advantages, and learns from what the states led to.

use std::sync::Arc;

use metadrift_random::{Purpose, Stream};

use crate::{
    backend::{self, NoBackend},
    batch::{Batch, Trajectories},
    descent::{Descent, Means, Slope, orders},
    host_policy::HostPolicy,
    inputs::Normalizer,
    layout::Layout,
    learner::Ground,
    memory::Sizes,
    network::Network,
    report::{Diverged, Metrics},
    settings::{BaselineChoice, MamlConfig, Settings},
    state::{Misfit, State},
};

/// A value network as it stands at some time.
#[derive(Clone, Debug)]
pub struct Values {
    layout: Layout,
    inputs: Option<Arc<Normalizer>>,
    params: Vec<f32>,
    /// The answer to a state whose value is 1.
    unit: f64,
}

impl Values {
    /// The values by `network`, which sees observations normalised by `inputs` and answers `unit` to a state whose value
    /// is 1 in the rewards' own unit.
    pub fn new(network: &Network, inputs: Option<Arc<Normalizer>>, unit: f64) -> Self {
        Values { layout: network.layout().clone(), inputs, params: network.params.clone(), unit }
    }

    /// Values before and after every valid step, `[steps, envs]` each, in the rewards' own unit; padding stays 0, and so
    /// does the value after a terminal step. The value after another step is that of the next state or, where a time limit
    /// or the end of the data cut the episode, that of the true next observation. The network sees `beside` behind every
    /// observation.
    pub fn of(&self, data: &Trajectories<'_>, beside: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let network = HostPolicy::new(&self.layout, &self.params);
        let mut scratch = network.scratch();
        let mut answers = |rows: &[usize], column: &[f32], values: &mut [f64]| {
            let mut obs: Vec<f32> = rows.iter().flat_map(|row| data.obs_at(column, *row)).copied().collect();
            self.inputs.iter().for_each(|inputs| inputs.apply(&mut obs));
            let seen = obs.chunks_exact(data.obs_dim()).flat_map(|obs| obs.iter().chain(beside));
            let obs: Vec<f32> = seen.copied().collect();
            let mut out = vec![0.0; rows.len()];
            network.forward(&obs, &mut out, &mut scratch);
            rows.iter().zip(out).for_each(|(row, answer)| values[*row] = f64::from(answer) / self.unit);
        };
        let mut value = vec![0.0; data.reward.len()];
        answers(&data.rows().collect::<Vec<_>>(), data.obs, &mut value);
        let mut next_value = vec![0.0; data.reward.len()];
        let mut cut = Vec::new();
        for (env, start, end) in data.episodes() {
            (start..end - 1).for_each(|t| next_value[data.row(t, env)] = value[data.row(t + 1, env)]);
            let last = data.row(end - 1, env);
            if !data.terminated[last] {
                cut.push(last);
            }
        }
        answers(&cut, data.next_obs, &mut next_value);
        (value, next_value)
    }
}

/// Fits a network's answers to targets, down half the mean squared error; gives that loss. `samples` appends the
/// observations `[rows, obs_dim]` and targets `[rows]` of the samples with given numbers.
///
/// # Errors
/// As [`Descent::run`].
pub(crate) fn fit(
    network: &mut Network,
    descent: &Descent,
    orders: impl IntoIterator<Item: AsRef<[u32]>>,
    mut samples: impl FnMut(&[u32], &mut Vec<f32>, &mut Vec<f32>),
) -> Result<Means<1>, Diverged> {
    let Network { params, optimizer, backend } = network;
    let mut gradients = backend.minibatches();
    let (mut obs, mut target) = (Vec::new(), Vec::new());
    descent.run((params, optimizer), orders, |params, rows| {
        obs.clear();
        target.clear();
        samples(rows, &mut obs, &mut target);
        let (gradient, loss) = gradients.squared(params, &obs, &target);
        Slope { gradient, figures: [loss], moves: true }
    })
}

/// The value baseline of a learner whose policies adapt by gradient steps, `maml.baseline`.
#[derive(Clone, Debug)]
pub enum Baseline {
    /// Linear features, fitted to the data of each task and phase.
    Linear,
    /// A network that all tasks and phases share.
    Network(Box<Shared>),
}

/// A value network that all tasks share. It sees an observation, and the share of the adaptation that lies behind the policy:
/// the same state is worth less before adaptation than after it. It learns at the end of an iteration, from all of its
/// phases, and stays as it is until the next one ends, so that every advantage of an iteration is measured from the same
/// values.
///
/// Its targets are discounted returns, to which a time limit or the end of the data adds the value of the last observation.
/// It answers in units of 1 / (1 - gamma).
#[derive(Clone, Debug)]
pub struct Shared {
    network: Network,
    descent: Descent,
    epochs: usize,
    unit: f64,
    seed: u64,
}

/// Samples per gradient step: an iteration has some hundred thousand.
const MINIBATCH: usize = 1024;

impl Baseline {
    /// The baseline that `settings` ask for, beside a policy on `ground`.
    ///
    /// # Errors
    /// If the backend is not available.
    pub(crate) fn of(settings: &Settings, ground: &Ground) -> Result<Self, NoBackend> {
        let Settings { maml, ppo, seed, .. } = settings;
        if maml.baseline == BaselineChoice::Linear {
            return Ok(Baseline::Linear);
        }
        let layout = layout(maml, ground.layout.obs_dim()).with_activation(ground.layout.activation());
        let mut rng = Stream::new(*seed, Purpose::Init).task(1).rng();
        let params = settings.policy.init.draw(&layout, 0.0, &mut rng);
        let network = Network::new(backend::open(ground.backend, layout, ground.device, 0, 1)?, params);
        let shared = Shared::new(network, maml, (ppo.gamma, ppo.max_grad_norm), *seed);
        Ok(Baseline::Network(Box::new(shared)))
    }

    /// The network's values as they are now, for observations normalised by `inputs`; none for the linear baseline.
    pub fn values(&self, inputs: Option<Arc<Normalizer>>) -> Option<Arc<Values>> {
        let Baseline::Network(shared) = self else { return None };
        Some(Arc::new(Values::new(&shared.network, inputs, shared.unit)))
    }

    /// Learns from the data of an iteration, whose observations are those that the network saw. Returns the mean loss as a
    /// metric; the linear baseline has none.
    ///
    /// # Errors
    /// [`Diverged`] on a number that is not finite; the baseline is then spoilt.
    pub fn learn<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>, iteration: u32) -> Result<Metrics, Diverged> {
        let Baseline::Network(shared) = self else { return Ok(Metrics::new()) };
        let loss = shared.learn(&batches.collect::<Vec<_>>(), iteration)?;
        Ok(vec![("loss/value", loss)])
    }

    /// Multiplies the learning rate by `factor`.
    pub fn scale_steps(&mut self, factor: f64) {
        if let Baseline::Network(shared) = self {
            shared.descent.rate *= factor;
        }
    }

    /// Puts the network and its optimiser into `state`.
    pub fn save(&self, state: &mut State) {
        if let Baseline::Network(shared) = self {
            shared.network.save(state, "value_params", "value_adam");
        }
    }

    /// The same baseline as [`Baseline::save`] stored it.
    ///
    /// # Errors
    /// If the network is missing or has another size.
    pub fn loaded(&self, state: &State) -> Result<Self, Misfit> {
        let Baseline::Network(shared) = self else { return Ok(Baseline::Linear) };
        let network = shared.network.loaded(state, "value_params", "value_adam")?;
        Ok(Baseline::Network(Box::new(Shared { network, ..(**shared).clone() })))
    }
}

impl Shared {
    /// The baseline by `network`, which has one output, at the start of a run with that `seed`.
    pub fn new(network: Network, maml: &MamlConfig, (gamma, max_grad_norm): (f64, f64), seed: u64) -> Self {
        let descent = Descent {
            minibatch: MINIBATCH,
            rate: maml.value_lr,
            key: "maml.value_lr",
            done: 0.0,
            max_grad_norm,
            network: "value network",
        };
        Shared { network, descent, epochs: maml.value_epochs, unit: 1.0 - gamma, seed }
    }

    fn learn(&mut self, batches: &[&Batch], iteration: u32) -> Result<f64, Diverged> {
        let starts: Vec<usize> =
            batches.iter().scan(0, |sum, batch| Some(std::mem::replace(sum, *sum + batch.len()))).collect();
        let samples = batches.iter().map(|batch| batch.len()).sum();
        let dim = self.network.layout().obs_dim() - 1;
        let shuffle = Stream::new(self.seed, Purpose::Shuffle).iteration(iteration);
        let unit = self.unit;
        let gather = |rows: &[u32], obs: &mut Vec<f32>, target: &mut Vec<f32>| {
            for row in rows.iter().map(|row| *row as usize) {
                let at = starts.partition_point(|start| *start <= row) - 1;
                let (batch, row) = (batches[at], row - starts[at]);
                obs.extend_from_slice(&batch.obs[row * dim..(row + 1) * dim]);
                obs.push(batch.adapted);
                target.push((f64::from(batch.target[row]) * unit) as f32);
            }
        };
        let orders = orders(shuffle, self.epochs, samples);
        let ([loss], _) = fit(&mut self.network, &self.descent, orders, gather)?;
        Ok(loss)
    }
}

fn layout(maml: &MamlConfig, obs_dim: usize) -> Layout {
    Layout::plain(obs_dim + 1, &maml.value_hidden, 1)
}

/// Memory of the baseline that `maml` asks for, where an iteration has `samples` samples: data and networks (B).
pub(crate) fn memory(maml: &MamlConfig, samples: u128, sizes: &Sizes) -> (u128, u128) {
    match maml.baseline {
        BaselineChoice::Linear => (0, 0),
        BaselineChoice::Network => {
            let widths = 4 * maml.value_hidden.iter().map(|width| *width as u128).sum::<u128>();
            let minibatch = samples.min(MINIBATCH as u128) * (8 * widths + 2 * sizes.sample);
            // a target and a place in the order for each sample
            (8 * samples + minibatch, sizes.networks(4 * layout(maml, sizes.obs_dim).num_params() as u128, 1))
        }
    }
}
