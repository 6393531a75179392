//! Growth of a meta-iteration's time with each of its extents.

use metadrift_agents::{backend::BackendChoice, device::Device};

use super::{
    Row,
    meta_iteration::{Size, config, timings},
    subject::Subject,
};
use crate::{
    failure::Result,
    memory::{Arithmetic, Training},
    train::Trainer,
};

/// Multiples of the usual extent.
const FACTORS: [usize; 3] = [1, 4, 16];

/// One row for each number of tasks; `n` is that number.
pub(super) fn tasks(
    subject: &Subject,
    device: Device,
    backend: Option<BackendChoice>,
    threads: usize,
    counts: &[u32],
    show: impl Fn(Vec<Row>) -> Result<()>,
) -> Result<()> {
    for &count in counts {
        let size = Size { tasks: count as usize, ..Size::USUAL };
        show(vec![row(subject, ("tasks", count as usize), size, device, backend, threads)?])?;
    }
    Ok(())
}

/// Rows for lanes, steps, hidden units and actors; `n` is their number.
pub(super) fn sizes(
    subject: &Subject,
    device: Device,
    backend: Option<BackendChoice>,
    threads: usize,
    show: impl Fn(Vec<Row>) -> Result<()>,
) -> Result<()> {
    let usual = Size::USUAL;
    for factor in FACTORS {
        let size = Size { lanes: usual.lanes * factor, ..usual };
        show(vec![row(subject, ("lanes", size.lanes), size, device, backend, threads)?])?;
    }
    for factor in FACTORS {
        let size = Size { steps: usual.steps * factor, ..usual };
        show(vec![row(subject, ("steps", size.steps), size, device, backend, threads)?])?;
    }
    for width in [16, 32, 64, 128, 256] {
        let size = Size { width, ..usual };
        show(vec![row(subject, ("width", width), size, device, backend, threads)?])?;
    }
    for actors in (0..).map(|power| 1 << power).take_while(|actors| *actors <= threads) {
        show(vec![row(subject, ("actors", actors), usual, device, backend, actors)?])?;
    }
    Ok(())
}

fn row(
    subject: &Subject,
    (variant, n): (&'static str, usize),
    size: Size,
    device: Device,
    backend: Option<BackendChoice>,
    threads: usize,
) -> Result<Row> {
    let config = config(subject, size)?;
    let choice = backend.unwrap_or_default();
    Training::of(&config, Arithmetic::of(&config, choice, device, threads)?).need.check()?;
    let mut trainer = Trainer::new(config, device, choice, threads)?;
    let total = |timing: Vec<(&str, f64)>| timing.iter().find(|(name, _)| *name == "time/iteration_s").map(|(_, s)| *s);
    let seconds = timings(&mut trainer)?.into_iter().filter_map(total).collect();
    Ok(Row::new(("scaling", subject.name(), variant, "s"), n, threads, seconds))
}
