//! Plain PPO on a latent context: an encoder of the last transitions learns to help a predictor of the next change of the
//! readings; policy and value see its code, as an input and as a factor of the observation. The code is bounded, and the
//! policy's gradient does not reach the encoder (after "Dynamics model adaptation" of the Actuator Inversion Benchmark,
//! arXiv 2602.06550, and CaDM, Lee et al. 2020, arXiv 2005.06800).

use metadrift_random::{Purpose, Stream};

use super::ppo::{self, Ppo, Run};
use crate::{
    adam::Adam,
    agent::{Agent, Remembering},
    backend::{self, NoBackend},
    context::{Encoder, width},
    descent::{Descent, Slope, orders},
    keys::{Section, own},
    layout::{Head, Layout},
    learner::{Entry, Ground, Learner, Learns, looks_back},
    memory::{Sizes, Taken},
    native::PredictionGradients,
    network::Network,
    optimizer::Optimizer,
    report::{Diverged, Report, Stopwatch},
    rollout::Rollout,
    settings::{PpoConfig, Settings},
    source::{Policies, Source},
    state::{Misfit, State},
};

mod config;
mod experience;

pub use config::ContextConfig;
use experience::Experience;

/// `learner = "context"`
pub const ENTRY: Entry = Entry {
    name: "context",
    about: "Plain PPO that sees a code of the last transitions, learned by predicting the next",
    details: "After arXiv 2602.06550 and CaDM, Lee et al. 2020, arXiv 2005.06800. An encoder of the last transitions learns \
              to predict the next change; no gradient of the policy reaches it.",
    ignores: &["rollout.num_tasks", "policy.normalize_obs", "maml.*", "ppo.kl_coef"],
    own: Some(Section::of::<ContextConfig>()),
    settings: Some("iterations = 300\n[rollout]\nnum_envs = 64\nnum_steps = 128\n[policy]\nwindow = 4\n"),
    learns: Learns::Episodes,
    check: looks_back,
    layout,
    demand: ppo::demand,
    size: |settings| {
        format!("latent context of {} transitions, {} lanes", settings.policy.window, settings.rollout.num_envs)
    },
    memory,
    build,
};

/// The learner.
pub struct Context {
    layout: Layout,
    ppo: Ppo,
    /// Encoder, and behind it the predictor, `[num_params]`.
    params: Vec<f32>,
    optimizer: Optimizer,
    gradients: PredictionGradients<f32>,
    /// Standard deviations of the changes to predict, known after the first iteration; 0 before, `[own]`.
    unit: Vec<f32>,
    config: ContextConfig,
    max_grad_norm: f64,
    seed: u64,
}

impl Learner for Context {
    /// Runs one iteration:
    ///
    /// ```text
    /// step all lanes on, with actions drawn from the policy that sees observation, code, and products of the two
    /// policy, value <- PPO on what they saw, the codes fixed
    /// for each epoch and minibatch
    ///     encoder, predictor <- Adam step along the gradient of |predicted change - change|^2 / 2
    /// ```
    fn iterate(&mut self, source: &mut dyn Source, iteration: u32) -> Result<Report, Diverged> {
        let mut watch = Stopwatch::start();
        let before = source.env_steps();
        source.begin(iteration);
        let params = [self.deployed()];
        let policies = Policies { layout: &self.layout, params: &params };
        let rollout = source.collect(0, policies).map_err(|diverged| diverged.advising("ppo.outer_lr"))?;
        watch.lap("time/rollout_s");
        let mut report = self.ppo.learn(&self.seen(rollout, &params[0]), (iteration, before), &mut watch)?;
        let loss = self.predict(rollout, iteration)?;
        watch.lap("time/encoder_s");
        let steps = source.env_steps();
        report.metrics.insert(1, ("env_steps", steps as f64));
        report.metrics.push(("loss/prediction", loss));
        Ok(Report { timing: watch.timing(steps - before), ..report })
    }

    fn agent(&self) -> Box<dyn Agent> {
        Box::new(Remembering::new(self.layout.clone(), self.deployed()))
    }

    fn scale_steps(&mut self, factor: f64) {
        self.ppo.scale_steps(factor);
        self.config.encoder_lr *= factor;
    }

    fn save(&self, state: &mut State) {
        self.ppo.save(state);
        state.put("encoder_params", &self.params);
        self.optimizer.save(state, "encoder_adam");
        state.put("change_unit", &self.unit);
    }

    fn load(&mut self, state: &State) -> Result<(), Misfit> {
        let params = state.tensor("encoder_params", self.params.len())?;
        let optimizer = self.optimizer.loaded(state, "encoder_adam")?;
        let unit = state.tensor("change_unit", self.unit.len())?;
        self.ppo.load(state)?;
        (self.params, self.optimizer, self.unit) = (params, optimizer, unit);
        Ok(())
    }
}

impl Context {
    /// The policy as it acts: the encoder, and the network behind it, `[num_params]`.
    fn deployed(&self) -> Vec<f32> {
        let encoder = self.layout.parts()[0].num_params();
        [&self.params[..encoder], &self.ppo.policy.params].concat()
    }

    /// The experience as policy and value see it.
    fn seen(&self, rollout: &Rollout, params: &[f32]) -> Rollout {
        let encoder = Encoder::new(&self.layout, params).expect("the layout has one");
        let mut sight = encoder.sight();
        let (mut obs, mut next_obs) = (Vec::new(), Vec::new());
        for data in rollout.tasks() {
            obs.extend_from_slice(encoder.see(data.obs, &mut sight));
            next_obs.extend_from_slice(encoder.see(data.next_obs, &mut sight));
        }
        rollout.seen_as(self.layout.parts()[1].obs_dim(), obs, next_obs)
    }

    /// Trains encoder and predictor on `rollout`; returns the mean loss. They are as they were if a number is not finite.
    fn predict(&mut self, rollout: &Rollout, iteration: u32) -> Result<f64, Diverged> {
        let experience = Experience::new(rollout, &self.layout, &mut self.unit);
        let shuffle = Stream::new(self.seed, Purpose::Shuffle).iteration(iteration).phase(1);
        let descent = Descent {
            minibatch: self.config.minibatch,
            rate: self.config.encoder_lr,
            key: "context.encoder_lr",
            done: 0.0,
            max_grad_norm: self.max_grad_norm,
            network: "encoder",
        };
        let orders = orders(shuffle, self.config.encoder_epochs, experience.samples());
        let (mut params, mut optimizer) = (self.params.clone(), self.optimizer.clone());
        let gradients = &mut self.gradients;
        let ([loss], _) = descent.run((&mut params, &mut optimizer), orders, |params, rows| {
            let (gradient, loss) = gradients.gradient(params, &experience.of(rows));
            Slope { gradient, figures: [loss], moves: true }
        })?;
        (self.params, self.optimizer) = (params, optimizer);
        Ok(loss)
    }
}

fn layout(settings: &Settings, obs_dim: usize, head: Head) -> Layout {
    let ContextConfig { code, hidden, .. } = own(&settings.own);
    let head = settings.policy.head(head);
    Layout::context((settings.obs_dim, obs_dim), &hidden, code, &settings.policy.hidden, head)
        .with_activation(settings.policy.activation)
}

fn predictor(settings: &Settings, head: Head) -> Layout {
    let ContextConfig { code, hidden, .. } = own(&settings.own);
    Layout::plain(width(settings.obs_dim + head.shown(), code), &hidden, settings.obs_dim)
        .with_activation(settings.policy.activation)
}

fn memory(settings: &Settings, sizes: &Sizes) -> Taken {
    let config: ContextConfig = own(&settings.own);
    let samples = (settings.rollout.num_envs * ppo::demand(settings).steps()) as u128;
    let seen = width(settings.obs_dim, config.code);
    let value = Layout::plain(seen, &config.value_hidden, 1).num_params() as u128;
    // what encoder and predictor see; what policy and value see, thrice with the next ones; orders of all epochs
    let sample = 4 * (2 * sizes.obs_dim + 16 + 3 * seen + settings.ppo.outer_epochs + config.encoder_epochs) as u128;
    let widest = config.value_hidden.iter().chain(&settings.policy.hidden).chain(&config.hidden).sum::<usize>() as u128;
    let minibatch = samples.min(config.minibatch as u128) * (8 * 4 * widest + 2 * sizes.sample + 8 * seen as u128);
    Taken {
        data: samples * (sample + 2 * sizes.sample) + minibatch,
        networks: sizes.networks(3 * sizes.params + 4 * value, 1),
        keys: "rollout.num_envs, rollout.num_steps, policy.window, context.code, context.value_hidden or ppo.outer_epochs",
    }
}

fn build(settings: &Settings, ground: Ground) -> Result<Box<dyn Learner>, NoBackend> {
    let config: ContextConfig = own(&settings.own);
    let Ground { layout, device, backend, threads, .. } = ground;
    let [encoder, policy] = layout.parts() else { unreachable!("the layout is this learner's") };
    let predictor = predictor(settings, layout.head());
    let value = Layout::plain(policy.obs_dim(), &config.value_hidden, 1).with_activation(layout.activation());
    let mut rng = Stream::new(settings.seed, Purpose::Init).rng();
    let deployed = settings.policy.init.draw(&layout, settings.policy.init_log_std, &mut rng);
    let (of_encoder, of_policy) = deployed.split_at(encoder.num_params());
    let params = [of_encoder, &settings.policy.init.draw(&predictor, 0.0, &mut rng)].concat();
    let of_value = settings.policy.init.draw(&value, 0.0, &mut rng);
    let network = |layout: &Layout, params: Vec<f32>| {
        Ok(Network::new(backend::open(backend, layout.clone(), device, 0, 1)?, params))
    };
    let networks = [network(policy, of_policy.to_vec())?, network(&value, of_value)?];
    let seed = settings.seed;
    let run = Run { seed, plan: settings.plan(), lanes: settings.rollout.num_envs, threads };
    let PpoConfig { max_grad_norm, .. } = settings.ppo;
    let [policy, value] = networks;
    Ok(Box::new(Context {
        ppo: Ppo::new((settings.ppo.clone(), config.ppo(), settings.maml.clone()), policy, value, run),
        optimizer: Optimizer::Adam(Adam::new(params.len())),
        gradients: PredictionGradients::new(encoder.clone(), predictor),
        unit: vec![0.0; settings.obs_dim],
        params,
        layout,
        config,
        max_grad_norm,
        seed,
    }))
}
