//! The random streams of the lanes of a batch.

use metadrift_random::{MAX_INDEX, Purpose, Stream, unit_f32};

use crate::engine::{
    lanes::{Column, LANES, Lanes},
    simd::{Kernel, Proof, Simd},
};

/// Streams that differ in their task and env only.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    common: Stream,
    len: usize,
    /// Tasks of the lanes, `[blocks]`.
    task: Vec<Lanes<u32>>,
    /// Indices of the lanes within their tasks, `[blocks]`.
    env: Vec<Lanes<u32>>,
}

impl Streams {
    /// An empty list of streams that will be `common` except for task and env.
    pub fn new(common: Stream) -> Streams {
        Streams { common, len: 0, task: Vec::new(), env: Vec::new() }
    }

    /// Adds the stream of a lane.
    ///
    /// # Panics
    /// If an index is not below [`MAX_INDEX`]: two names would share numbers.
    pub fn push(&mut self, task: u32, env: u32) {
        assert!(task < MAX_INDEX && env < MAX_INDEX, "random stream: task {task}, env {env}");
        if self.len.is_multiple_of(LANES) {
            self.task.push(Lanes::all(0));
            self.env.push(Lanes::all(0));
        }
        self.task[self.len / LANES][self.len % LANES] = task;
        self.env[self.len / LANES][self.len % LANES] = env;
        self.len += 1;
    }

    /// Number of lanes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The name that all streams have in common.
    pub fn common(&self) -> Stream {
        self.common
    }

    /// The stream of a lane.
    pub fn of(&self, lane: usize) -> Stream {
        let (block, within) = (lane / LANES, lane % LANES);
        Stream { task: self.task[block][within], env: self.env[block][within], ..self.common }
    }

    /// Random words of a step for every lane of a block.
    #[inline(always)]
    pub fn draw(&self, block: usize, purpose: Purpose, part: u8, step: u32) -> [[u32; LANES]; 4] {
        draw(self.common.purpose(purpose).part(part), &self.task[block], &self.env[block], step, |word| word)
    }

    /// Uniform numbers of a step for any lanes.
    #[inline(always)]
    pub fn uniforms_of<const N: usize>(&self, lanes: &[u32; N], step: u32) -> [[f32; N]; 4] {
        let mut task = [0; N];
        let mut env = [0; N];
        for (k, lane) in lanes.iter().enumerate() {
            let (block, within) = (*lane as usize / LANES, *lane as usize % LANES);
            task[k] = self.task[block][within];
            env[k] = self.env[block][within];
        }
        draw(self.common, &task, &env, step, unit_f32)
    }
}

/// Block number `step` of each of these streams, every word converted by `turn`. One loop does it all: `map` on an
/// array stays a call, which is compiled for no instruction set.
#[inline(always)]
fn draw<T: Copy + Default, const N: usize>(
    common: Stream,
    task: &[u32; N],
    env: &[u32; N],
    step: u32,
    turn: impl Fn(u32) -> T,
) -> [[T; N]; 4] {
    let mut numbers = [[T::default(); N]; 4];
    for lane in 0..N {
        let words = Stream { task: task[lane], env: env[lane], ..common }.block_unchecked(step);
        for k in 0..4 {
            numbers[k][lane] = turn(words[k]);
        }
    }
    numbers
}

/// The streams of the lanes of one task, drawn from together: a vector of lanes takes hardly longer than one lane.
///
/// ```
/// use metadrift_envs::{LaneStreams, Purpose, Stream};
///
/// let stream = Stream::new(7, Purpose::Action).task(3);
/// let mut lanes = LaneStreams::new(stream, 20);
/// lanes.draw(5);
/// assert_eq!(lanes.uniforms(17), stream.env(17).uniforms(5));
/// ```
#[derive(Clone, Debug)]
pub struct LaneStreams {
    streams: Streams,
    simd: Simd,
    /// Four uniform numbers for each lane, `[blocks]`.
    uniforms: Vec<[Column; 4]>,
}

impl LaneStreams {
    /// The streams `stream.env(0)` to `stream.env(envs - 1)`.
    ///
    /// # Panics
    /// If an index of the stream, or `envs`, is too large for a stream of its own.
    pub fn new(stream: Stream, envs: usize) -> LaneStreams {
        assert!(stream.iteration < MAX_INDEX, "random stream: iteration {}", stream.iteration);
        let mut streams = Streams::new(stream);
        (0..envs).for_each(|env| streams.push(stream.task, env as u32));
        let uniforms = vec![[Column::all(0.0); 4]; streams.task.len()];
        LaneStreams { streams, simd: *Simd::available().last().expect("never empty"), uniforms }
    }

    /// Draws the numbers of `step`, which [`uniforms`](Self::uniforms) then shows.
    pub fn draw(&mut self, step: u32) {
        self.simd.run(Draw { streams: &self.streams, step, uniforms: &mut self.uniforms });
    }

    /// The [`Stream::uniforms`] of a lane, for the step that was drawn last.
    pub fn uniforms(&self, env: usize) -> [f32; 4] {
        let block = &self.uniforms[env / LANES];
        std::array::from_fn(|k| block[k][env % LANES])
    }
}

/// The arguments of [`LaneStreams::draw`].
struct Draw<'a> {
    streams: &'a Streams,
    step: u32,
    uniforms: &'a mut [[Column; 4]],
}

impl Kernel for Draw<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const AVX512: bool>(self, _: Proof<AVX512>) {
        let Streams { common, task, env, .. } = self.streams;
        for (uniforms, (task, env)) in self.uniforms.iter_mut().zip(task.iter().zip(env)) {
            let drawn = draw(*common, task, env, self.step, unit_f32);
            for (column, drawn) in uniforms.iter_mut().zip(drawn) {
                **column = drawn;
            }
        }
    }
}
