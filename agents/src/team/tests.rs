use std::panic::catch_unwind;

use super::{local::run, *};

#[test]
fn blocks_divide_all_numbers_in_order_and_none_is_empty() {
    for size in 1..=7 {
        for count in size..40 {
            let blocks: Vec<_> = (0..size).map(|rank| block_of(rank, size, count)).collect();
            assert_eq!(blocks.iter().cloned().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            assert!(blocks.iter().all(|block| !block.is_empty()), "{size} {count}: {blocks:?}");
        }
    }
}

#[test]
fn shared_results_are_in_the_order_of_their_numbers_for_any_number_of_ranks() {
    let square = |i: usize| vec![(i * i) as f32; i % 3];
    let expected: Vec<_> = (0..7).map(square).collect();
    for size in 1..=4 {
        let found = run(size, |_| {
            let mut results = vec![Vec::new(); 7];
            block(7).for_each(|i| results[i] = square(i));
            share(&mut results);
            results
        });
        assert!(found.iter().all(|results| *results == expected), "{size}");
        assert_eq!(run(size, |rank| every(rank as u64 + 10))[0], (10..10 + size as u64).collect::<Vec<_>>());
        assert_eq!(run(size, |rank| any(rank + 1 == size)), vec![true; size]);
    }
}

#[test]
fn without_a_team_and_alone_everything_is_ones_own() {
    assert_eq!((rank(), size(), block(5), is_member()), (0, 1, 0..5, false));
    assert_eq!(every(3u32), [3]);
    assert_eq!(leave(&Departure::Stopped(15)), None);
    let sizes = run(3, |_| {
        let inside = {
            let _alone = alone();
            (size(), block(5), every(1u8).len())
        };
        (inside, size())
    });
    assert_eq!(sizes, vec![((1, 0..5, 1), 3); 3]);
}

#[test]
fn a_rank_that_leaves_unwinds_the_others_out_of_their_exchange_with_its_reason() {
    let failed = Departure::Failed { code: 7, message: "the meta-loss is not finite".into() };
    let found = run(3, |rank| {
        assert_eq!(every(rank), [0, 1, 2]);
        let parted = match rank {
            1 => leave(&failed).unwrap(),
            _ => *catch_unwind(|| every(0u8)).unwrap_err().downcast::<Parted>().unwrap(),
        };
        (parted, is_member())
    });
    assert!(found.iter().all(|one| *one == (Parted(vec![(1, failed.clone())]), false)), "{found:?}");
    assert_eq!(found[0].0.failure(), Some((1, 7, "the meta-loss is not finite")));
}

#[test]
fn after_a_stop_the_team_goes_on() {
    let found = run(2, |rank| {
        let parted = match rank {
            0 => leave(&Departure::Stopped(15)).unwrap(),
            _ => *catch_unwind(|| any(false)).unwrap_err().downcast::<Parted>().unwrap(),
        };
        (parted.signal(), parted.failure().is_none(), every(rank))
    });
    assert_eq!(found, vec![(Some(15), true, vec![0, 1]); 2]);
}

#[test]
fn ranks_out_of_step_and_foreign_bytes_are_noticed() {
    let found = run(2, |rank| {
        if rank == 1 {
            TEAM.with(|team| team.borrow().as_ref().unwrap().exchanges.set(5));
        }
        catch_unwind(|| any(false)).unwrap_err().downcast::<Broken>().unwrap().0
    });
    assert_eq!(found[0], "rank 1 is at exchange 6, rank 0 at 1");
    let found = run(2, |rank| {
        catch_unwind(|| if rank == 0 { every(1u8).len() } else { every(String::from("text")).len() }).is_err()
    });
    assert!(found.contains(&true), "{found:?}");
}

#[test]
fn values_come_back_bit_by_bit() {
    fn back<T: Portable>(value: &T) -> T {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        let mut rest = &bytes[..];
        let taken = T::take(&mut rest).unwrap();
        assert!(rest.is_empty() && T::take(&mut &bytes[..bytes.len() - 1]).is_none());
        taken
    }
    let numbers = [1.0f32, -0.0, f32::from_bits(1)];
    assert_eq!(
        back(&portable::Flat(numbers.to_vec())).0.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        numbers.map(f32::to_bits)
    );
    assert_eq!(back(&(vec![(3u32, "ä".to_owned())], [0.1f64; 2], true)), (vec![(3, "ä".into())], [0.1; 2], true));
}
