//! Ranks as threads of one process, by which tests run several without a launcher.

use std::sync::{Arc, Condvar, Mutex};

use super::{Transport, join};

/// The table on which threads lay their bytes.
#[derive(Debug, Default)]
struct Table {
    /// Bytes of the ranks that have arrived, `[ranks]`.
    places: Vec<Option<Vec<u8>>>,
    /// All bytes of the latest exchange.
    last: Vec<u8>,
    /// Number of exchanges.
    exchanges: u64,
}

/// One of several threads.
#[derive(Debug)]
struct Thread {
    rank: usize,
    size: usize,
    shared: Arc<(Mutex<Table>, Condvar)>,
}

impl Transport for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>, String> {
        if mine.len() != lengths[self.rank] {
            return Err(format!("rank {} has {} bytes, not {}", self.rank, mine.len(), lengths[self.rank]));
        }
        let (table, arrived) = &*self.shared;
        let mut table = table.lock().map_err(|_| "a rank panicked within an exchange".to_owned())?;
        let number = table.exchanges;
        table.places[self.rank] = Some(mine.to_vec());
        if table.places.iter().all(Option::is_some) {
            table.last = table.places.iter_mut().flat_map(|place| place.take().unwrap_or_default()).collect();
            table.exchanges += 1;
            arrived.notify_all();
        }
        while table.exchanges == number {
            table = arrived.wait(table).map_err(|_| "a rank panicked within an exchange".to_owned())?;
        }
        Ok(table.last.clone())
    }
}

/// Runs `work` on `size` threads, each of which is a rank; gives their results, `[ranks]`.
///
/// # Panics
/// If one of them panics.
pub fn run<T: Send>(size: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let table = Table { places: vec![None; size], ..Table::default() };
    let shared = Arc::new((Mutex::new(table), Condvar::new()));
    let (shared, work) = (&shared, &work);
    std::thread::scope(|scope| {
        let rank = |rank| {
            scope.spawn(move || {
                let _member = join(Box::new(Thread { rank, size, shared: shared.clone() }));
                work(rank)
            })
        };
        let threads: Vec<_> = (0..size).map(rank).collect();
        threads.into_iter().map(|thread| thread.join().expect("a rank")).collect()
    })
}
