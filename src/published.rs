//! Published benchmarks that runs can be scored by.

/// A preset with the tasks of a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name of the preset.
    pub preset: &'static str,
    /// The return that counts as 1; 0 counts as 0.
    pub largest: f64,
    /// True if no single policy without memory can serve all its contexts.
    pub apart: bool,
}

/// The presets of the Actuator Inversion Benchmark (arXiv 2602.06550 v2) that need no MuJoCo.
pub const AIB: &[Entry] = &[
    Entry { preset: "double-integrator-aib", largest: 100.0, apart: true },
    Entry { preset: "complex-ode-aib", largest: 200.0, apart: true },
    Entry { preset: "cartpole-balance-aib", largest: 1000.0, apart: true },
    Entry { preset: "double-integrator-friction-aib", largest: 100.0, apart: false },
];

/// Episodes of each context in a split.
pub const AIB_EPISODES: usize = 10;

/// Its published scores over the environments of the suite whose contexts no single policy can serve, with MuJoCo's:
/// interquartile means over 10 seeds, in all splits and in extrapolation (ood).
pub const AIB_PUBLISHED: &[(&str, f64, f64)] = &[
    ("DMA*-SH (latent context)", 0.80, 0.73),
    ("Decision Adapter (given the context)", 0.77, 0.69),
    ("Concat (given the context)", 0.74, 0.64),
    ("AMAGO-2 (recurrent)", 0.73, 0.63),
    ("domain randomisation", 0.41, 0.37),
];
