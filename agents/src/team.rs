//! Ranks: processes that run one training in step and share its work.
//!
//! Every rank has the whole state of the learner and does the same with it, but for the parts that [`block`] divides among
//! them: of `n` tasks, or groups of lanes, rank `r` of `size` has the numbers from `r n / size` to `(r + 1) n / size`. The
//! results are [shared](share) as bytes and used in the order of their numbers, as one process would, so that nothing depends
//! on the number of ranks.
//!
//! The team belongs to the thread that [joined](join) it: no signature between the program and the few places where work is
//! divided has to carry it, and without a team these compute everything themselves. A rank that stops or fails says so in
//! place of its next results ([`leave`]), which unwinds the others out of theirs with [`Parted`], all in the same iteration.

pub mod local;
pub mod portable;

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    panic::resume_unwind,
    rc::Rc,
    time::{Duration, Instant},
};

use portable::Portable;

/// The means by which ranks exchange bytes.
pub trait Transport {
    /// Number of this rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Bytes of all ranks, one after the other; `lengths` `[ranks]` are their numbers, and every rank calls it alike.
    ///
    /// # Errors
    /// In words, the reason why the bytes of the others did not come.
    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>, String>;
}

/// The reason why a rank takes part no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// This signal asks it to stop.
    Stopped(i32),
    /// An error, with the exit code that it ends the program with.
    Failed {
        /// The exit code.
        code: u8,
        /// The message.
        message: String,
    },
}

/// The ranks that left during an exchange, ascending, and their reasons; the payload of an unwinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted(pub Vec<(usize, Departure)>);

impl Parted {
    /// The failure of the lowest rank, if one failed.
    pub fn failure(&self) -> Option<(usize, u8, &str)> {
        self.0.iter().find_map(|(rank, departure)| match departure {
            Departure::Failed { code, message } => Some((*rank, *code, &message[..])),
            Departure::Stopped(_) => None,
        })
    }

    /// The signal of the lowest rank that one asked to stop.
    pub fn signal(&self) -> Option<i32> {
        self.0.iter().find_map(|(_, departure)| match departure {
            Departure::Stopped(signal) => Some(*signal),
            Departure::Failed { .. } => None,
        })
    }
}

/// The exchange itself failed: nothing more can be agreed on. The payload of an unwinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// The exchanges of a rank so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Their number.
    pub exchanges: u64,
    /// Bytes that came from all ranks.
    pub bytes: u64,
    /// Time in them, that of waiting for other ranks included.
    pub time: Duration,
}

struct Team {
    transport: Box<dyn Transport>,
    /// Number of exchanges so far, by which a rank that is out of step is noticed.
    exchanges: Cell<u32>,
    /// Number of guards by which this rank works for itself.
    alone: Cell<u32>,
    /// True once a rank has failed.
    over: Cell<bool>,
    traffic: Cell<Traffic>,
}

thread_local! {
    static TEAM: RefCell<Option<Rc<Team>>> = const { RefCell::new(None) };
}

/// A guard: while it lives, this thread is a rank of a team.
#[derive(Debug)]
#[must_use = "dropped at once, it leaves the team"]
pub struct Member(());

impl Drop for Member {
    fn drop(&mut self) {
        quit();
    }
}

/// Makes this thread one without a team.
pub fn quit() {
    TEAM.with(|team| team.borrow_mut().take());
}

/// Makes this thread a rank of the team behind `transport`.
///
/// # Panics
/// If it is a rank already.
pub fn join(transport: Box<dyn Transport>) -> Member {
    let team = Team {
        transport,
        exchanges: Cell::new(0),
        alone: Cell::new(0),
        over: Cell::new(false),
        traffic: Cell::default(),
    };
    let before = TEAM.with(|place| place.borrow_mut().replace(Rc::new(team)));
    assert!(before.is_none(), "this thread is a rank already");
    Member(())
}

/// The team of this thread, unless it has none or works for itself.
fn team() -> Option<Rc<Team>> {
    TEAM.with(|team| team.borrow().clone()).filter(|team| team.alone.get() == 0)
}

/// A guard: while it lives, this rank works for itself, as if there were no others.
#[must_use = "dropped at once, it changes nothing"]
pub struct Alone(Option<Rc<Team>>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.iter().for_each(|team| team.alone.set(team.alone.get() - 1));
    }
}

/// Lets this rank work for itself until the guard is gone.
pub fn alone() -> Alone {
    let team = TEAM.with(|team| team.borrow().clone());
    team.iter().for_each(|team| team.alone.set(team.alone.get() + 1));
    Alone(team)
}

/// Number of this rank; 0 without a team.
pub fn rank() -> usize {
    team().map_or(0, |team| team.transport.rank())
}

/// Number of ranks; 1 without a team.
pub fn size() -> usize {
    team().map_or(1, |team| team.transport.size())
}

/// True if this thread has a team, even one that a failure has ended.
pub fn exists() -> bool {
    TEAM.with(|team| team.borrow().is_some())
}

/// True if this thread is a rank that still takes part.
pub fn is_member() -> bool {
    team().is_some_and(|team| !team.over.get())
}

/// The exchanges of this rank so far; none without a team.
pub fn traffic() -> Traffic {
    team().map_or_else(Traffic::default, |team| team.traffic.get())
}

/// The numbers below `count` that are this rank's; all without a team.
pub fn block(count: usize) -> Range<usize> {
    block_of(rank(), size(), count)
}

/// The numbers below `count` that are those of rank `rank` out of `size`.
pub fn block_of(rank: usize, size: usize, count: usize) -> Range<usize> {
    rank * count / size..(rank + 1) * count / size
}

/// Fills `results` `[count]`, of which every rank has computed its [`block`], with those of the other ranks.
///
/// # Panics
/// By unwinding with [`Parted`] or [`Broken`] if the other ranks do not take part.
pub fn share<T: Portable>(results: &mut [T]) {
    let Some(team) = team() else { return };
    let count = results.len();
    let mut mine = Vec::new();
    results[block(count)].iter().for_each(|result| result.put(&mut mine));
    for (rank, bytes) in team.exchange(&mine).into_iter().enumerate() {
        if rank == team.transport.rank() {
            continue;
        }
        let mut bytes = &bytes[..];
        for result in &mut results[block_of(rank, team.transport.size(), count)] {
            *result = team.taken(&mut bytes, rank);
        }
    }
}

/// The values of all ranks, `[ranks]`; one without a team.
///
/// # Panics
/// As [`share`].
pub fn every<T: Portable>(mine: T) -> Vec<T> {
    let Some(team) = team() else { return vec![mine] };
    let mut bytes = Vec::new();
    mine.put(&mut bytes);
    let all = team.exchange(&bytes);
    all.iter().enumerate().map(|(rank, bytes)| team.taken(&mut &bytes[..], rank)).collect()
}

/// The value of rank 0, which alone has one, for all.
///
/// # Panics
/// As [`share`]; if there is no value.
pub fn first<T: Portable>(mine: Option<T>) -> T {
    every(Vec::from_iter(mine)).into_iter().flatten().next().expect("rank 0 has a value")
}

/// True if it is true on any rank.
///
/// # Panics
/// As [`share`].
pub fn any(mine: bool) -> bool {
    every(mine).contains(&true)
}

/// Tells the others in place of the next results that this rank takes part no more, and why; gives all ranks that leave at
/// once, this one among them. After failures there is no team any more: gives `None` if there is none.
///
/// # Panics
/// By unwinding with [`Broken`] if the message did not get through.
pub fn leave(departure: &Departure) -> Option<Parted> {
    let team = team().filter(|team| !team.over.get())?;
    let mut bytes = Vec::new();
    departure.put(&mut bytes);
    let (heads, all) = team.gather(LEAVES, &bytes);
    Some(team.parted(&heads, &all))
}

const RESULTS: u32 = 0;
const LEAVES: u32 = 1;

/// The announcement of a rank's bytes.
#[derive(Clone, Copy)]
struct Head {
    kind: u32,
    exchange: u32,
    length: u64,
}

impl Head {
    const BYTES: usize = 16;
}

impl Team {
    /// The bytes of every rank.
    fn exchange(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        let (heads, all) = self.gather(RESULTS, mine);
        if heads.iter().any(|head| head.kind == LEAVES) {
            resume_unwind(Box::new(self.parted(&heads, &all)));
        }
        all
    }

    fn gather(&self, kind: u32, mine: &[u8]) -> (Vec<Head>, Vec<Vec<u8>>) {
        let began = Instant::now();
        let exchange = self.exchanges.get().wrapping_add(1);
        self.exchanges.set(exchange);
        let mut head = Vec::with_capacity(Head::BYTES);
        (kind, exchange, mine.len() as u64).put(&mut head);
        let heads = self.pass(&head, &vec![Head::BYTES; self.transport.size()]);
        let heads: Vec<Head> = heads.iter().enumerate().map(|(rank, bytes)| self.head(bytes, rank)).collect();
        if let Some(other) = heads.iter().position(|head| head.exchange != exchange) {
            let (rank, there) = (self.transport.rank(), heads[other].exchange);
            self.broken(format!("rank {other} is at exchange {there}, rank {rank} at {exchange}"));
        }
        let lengths: Vec<usize> = heads.iter().map(|head| head.length as usize).collect();
        let all = self.pass(mine, &lengths);
        let Traffic { exchanges, bytes, time } = self.traffic.get();
        let bytes = bytes + lengths.iter().map(|length| *length as u64).sum::<u64>();
        self.traffic.set(Traffic { exchanges: exchanges + 1, bytes, time: time + began.elapsed() });
        (heads, all)
    }

    fn head(&self, bytes: &[u8], rank: usize) -> Head {
        let (kind, exchange, length) = self.taken(&mut &bytes[..], rank);
        Head { kind, exchange, length }
    }

    fn pass(&self, mine: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
        let all = self.transport.gather(mine, lengths).unwrap_or_else(|reason| self.broken(reason));
        let mut rest = &all[..];
        let mut next = |length: &usize| {
            let (bytes, more) = rest.split_at(*length);
            rest = more;
            bytes.to_vec()
        };
        lengths.iter().map(&mut next).collect()
    }

    /// A value out of the bytes of `rank`.
    fn taken<T: Portable>(&self, bytes: &mut &[u8], rank: usize) -> T {
        T::take(bytes).unwrap_or_else(|| self.broken(format!("rank {rank} sent other data than was expected")))
    }

    fn parted(&self, heads: &[Head], all: &[Vec<u8>]) -> Parted {
        let left = heads.iter().zip(all).enumerate().filter(|(_, (head, _))| head.kind == LEAVES);
        let parted = Parted(left.map(|(rank, (_, bytes))| (rank, self.taken(&mut &bytes[..], rank))).collect());
        self.over.set(parted.failure().is_some());
        parted
    }

    fn broken(&self, reason: String) -> ! {
        self.over.set(true);
        resume_unwind(Box::new(Broken(reason)))
    }
}

#[cfg(test)]
mod tests;
