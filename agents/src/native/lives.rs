//! Gradients of a recurrent policy's loss on whole lives, PPO's or a likelihood, by backpropagation through stretches of time.

use super::{
    data::{Samples, total},
    gru::{self, GruGradient, GruNet, GruShape, GruState},
    head::{HeadLoss, Outputs, Slopes, Sums},
    isa::{Isa, with_isa},
    scalar::Scalar,
    tile::{Column, TILE},
};
use crate::{
    batch::{Batch, Lives},
    layout::Layout,
    objective::{LifeObjective, LifePolicy, LifeStats},
    team::{self, portable::Flat},
    threads::run_jobs_with,
};

/// Lives in the precision of the computation, cut into stretches.
pub struct PreparedLives<T> {
    lanes: usize,
    stretches: Vec<Stretch<T>>,
}

/// Some steps of all lanes.
struct Stretch<T> {
    steps: usize,
    /// `[steps * lanes, inputs]`
    x: Vec<T>,
    samples: Samples<T>,
    /// `[tiles]`
    target: Vec<Column<T>>,
}

impl<T: Scalar> PreparedLives<T> {
    /// `lives` in stretches of `steps` steps.
    pub fn new(lives: &Lives, steps: usize) -> Self {
        let lanes = lives.lanes;
        let inputs = lives.inputs.len() / lives.batch.len();
        let act_dim = lives.batch.action.len() / lives.batch.len();
        let stretch = |first: usize| {
            let steps = steps.min(lives.steps() - first);
            let rows = first * lanes..(first + steps) * lanes;
            let batch = Batch {
                action: lives.batch.action[rows.start * act_dim..rows.end * act_dim].to_vec(),
                log_prob: lives.batch.log_prob[rows.clone()].to_vec(),
                advantage: lives.batch.advantage[rows.clone()].to_vec(),
                ..Batch::default()
            };
            let x = &lives.inputs[rows.start * inputs..rows.end * inputs];
            let target = super::data::columns(&lives.target[rows]);
            Stretch { steps, x: x.iter().map(|x| T::of_f32(*x)).collect(), samples: Samples::new(&batch), target }
        };
        PreparedLives { lanes, stretches: (0..lives.steps()).step_by(steps).map(stretch).collect() }
    }

    fn samples(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.samples.len).sum()
    }
}

/// Work space for the lives of one group of lanes.
struct Work<T> {
    isa: Isa,
    shape: GruShape,
    state: Option<GruState<T>>,
    head: HeadLoss<T>,
    /// `[outputs]`
    out: Vec<Column<T>>,
    /// `[outputs]`
    d_out: Vec<Column<T>>,
    /// `[steps * lanes, hidden]`
    dh: Vec<T>,
}

/// Gradients of a recurrent policy.
pub struct LifeGradients<T> {
    layout: Layout,
    isa: Isa,
    threads: usize,
    spaces: Vec<Work<T>>,
}

impl<T: Scalar> LifeGradients<T> {
    /// Work space for `layout`, which must be recurrent, on `threads` threads.
    pub fn new(layout: Layout, threads: usize) -> Self {
        LifeGradients { layout, isa: Isa::detect(), threads, spaces: Vec::new() }
    }

    /// Gradient of the loss by the parameters, `[num_params]`, mean over all samples of `groups`. The memory runs through
    /// each life from its beginning; derivatives end where a stretch does.
    pub fn gradient(
        &mut self,
        params: &[T],
        groups: &[&PreparedLives<T>],
        objective: &LifeObjective,
    ) -> (Vec<T>, LifeStats) {
        let layout = &self.layout;
        let isa = self.isa;
        let net = GruNet::new(layout, params);
        let weight = T::of(1.0 / groups.iter().map(|group| group.samples()).sum::<usize>() as f64);
        let mut results: Vec<(Flat<T>, [f64; 5])> = groups.iter().map(|_| (Flat(Vec::new()), [0.0; 5])).collect();
        let mine = team::block(groups.len());
        let jobs = groups[mine.clone()].iter().zip(&mut results[mine]).collect();
        let space = || Work::new(isa, layout);
        run_jobs_with(
            jobs,
            self.threads,
            &mut self.spaces,
            space,
            |work, (lives, result): (&&PreparedLives<T>, &mut _)| {
                let (gradient, sums) = work.gradient(&net, lives, weight, objective);
                *result = (Flat(gradient), [sums.gain, sums.loss, sums.entropy, sums.outside, sums.moved]);
            },
        );
        team::share(&mut results);
        let mut sum = vec![T::ZERO; layout.num_params()];
        let mut all = LifeStats::default();
        for (Flat(gradient), [gain, loss, entropy, outside, moved]) in results {
            sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += *g);
            all.policy_loss -= gain;
            all.value_loss += loss;
            all.entropy += entropy;
            all.clip_fraction += outside;
            all.approx_kl += moved;
        }
        (sum, all)
    }
}

impl<T: Scalar> Work<T> {
    fn new(isa: Isa, layout: &Layout) -> Self {
        let shape = GruShape::new(layout);
        let columns = || vec![[T::ZERO; TILE]; shape.outputs];
        Work {
            isa,
            shape,
            state: None,
            head: HeadLoss::new(layout.head()),
            out: columns(),
            d_out: columns(),
            dh: Vec::new(),
        }
    }

    fn gradient(
        &mut self,
        net: &GruNet<T>,
        lives: &PreparedLives<T>,
        weight: T,
        objective: &LifeObjective,
    ) -> (Vec<T>, Sums) {
        let (isa, work) = (self.isa, self);
        with_isa!(isa, [T: Scalar]
            (work: &mut Work<T>, net: &GruNet<T>, lives: &PreparedLives<T>, weight: T, objective: &LifeObjective)
            -> (Vec<T>, Sums) => work.gradient_body(net, lives, weight, objective))
    }

    #[inline(always)]
    fn gradient_body(
        &mut self,
        net: &GruNet<T>,
        lives: &PreparedLives<T>,
        weight: T,
        objective: &LifeObjective,
    ) -> (Vec<T>, Sums) {
        let (isa, shape) = (self.isa, self.shape);
        let longest = lives.stretches.iter().map(|stretch| stretch.steps).max().unwrap_or(0);
        let kept = self.state.take().filter(|state| state.fits(shape, longest, lives.lanes));
        let mut state = kept.unwrap_or_else(|| GruState::new(shape, longest, lives.lanes, true));
        state.memory_mut(shape).fill(T::ZERO);
        self.dh.resize(longest * lives.lanes * shape.hidden, T::ZERO);
        let mut gradient = GruGradient::zero(net);
        let mut sums = Sums::default();
        for stretch in &lives.stretches {
            gru::forward(isa, net, &stretch.x, stretch.steps, &mut state);
            self.outputs(net, stretch, &state, weight, objective, (&mut gradient, &mut sums));
            gru::backward(isa, net, &stretch.x, stretch.steps, &self.dh, &mut state, &mut gradient);
            state.move_on(shape, stretch.steps);
        }
        self.state = Some(state);
        (gradient.flat(), sums)
    }

    /// The loss of a stretch: adds the derivatives by the head, and sets those by the memory in `dh`.
    #[inline(always)]
    fn outputs(
        &mut self,
        net: &GruNet<T>,
        stretch: &Stretch<T>,
        state: &GruState<T>,
        weight: T,
        objective: &LifeObjective,
        (gradient, sums): (&mut GruGradient<T>, &mut Sums),
    ) {
        let hidden = self.shape.hidden;
        let value = self.shape.outputs - 1;
        let samples = &stretch.samples;
        for tile in 0..samples.tiles() {
            let n = samples.in_tile(tile);
            let rows = tile * TILE * hidden..(tile * TILE + n) * hidden;
            let h = &state.after(self.shape, stretch.steps)[rows.clone()];
            gru::head(self.isa, net, h, n, &mut self.out);
            let o = Outputs { out: &self.out[..value], log_std: &net.log_std };
            let d = Slopes { out: &mut self.d_out[..value], log_std: &mut gradient.log_std };
            match objective.policy {
                LifePolicy::Clipped(loss) => self.head.clipped(o, (samples, tile), weight, &loss, d, sums),
                LifePolicy::Likelihood => self.head.likelihood(o, samples, tile, weight, d, sums),
            }
            let coef = weight * T::of(objective.value_coef);
            let mut square = [T::ZERO; TILE];
            self.d_out[value] = [T::ZERO; TILE];
            let answers = self.out[value].iter().zip(&stretch.target[tile]);
            for ((square, d), (answer, target)) in square.iter_mut().zip(&mut self.d_out[value]).zip(answers).take(n) {
                let error = *answer - *target;
                *d = coef * error;
                *square = T::of(0.5) * weight * error * error;
            }
            sums.loss += total(&square).to_f64();
            gru::head_backward(self.isa, net, (h, n), &self.d_out, &mut self.dh[rows], gradient);
        }
    }
}
