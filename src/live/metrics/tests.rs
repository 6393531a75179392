//! Metrics by hand.

use super::*;
use crate::live::Slot;

/// A life whose returns are 10 with full knowledge and 0 at random; `returns` and, of the unadapted policy, `unadapted`.
fn life(returns: &[f64], unadapted: &[f64], switched: &[usize], regimes: &[f64]) -> Lived {
    let slot = |e: usize| Slot {
        returned: returns[e],
        oracle: Some(10.0),
        unadapted: unadapted[e],
        reference: Some(5.0),
        random: 0.0,
        switches: if switched.contains(&e) { vec![20 * e as u64 + 3] } else { Vec::new() },
        alarms: Vec::new(),
        adaptations: Vec::new(),
        regime: vec![regimes[e]],
        guard: None,
        adapted: true,
    };
    Lived {
        life: 0,
        horizon: 20,
        slots: (0..returns.len()).map(slot).collect(),
        recoveries: Vec::new(),
        courses: Vec::new(),
        diverged: 0,
        log: Vec::new(),
    }
}

#[test]
fn regrets_are_ratios_of_sums() {
    let lives = [life(&[10.0, 4.0], &[8.0, 8.0], &[], &[1.0; 2]), life(&[9.0, 9.0], &[6.0, 6.0], &[], &[1.0; 2])];
    let found = regret::regret(&lives, 0).unwrap();
    // losses 0, 6, 1, 1 of four episodes of 20 ticks
    assert_eq!((found.per_episode.value, found.per_tick.value), (2.0, 0.1));
    assert_eq!(found.to_random.unwrap().value, 8.0 / 40.0);
    assert_eq!(found.to_unadapted.unwrap().value, 8.0 / 12.0);
    assert_eq!(found.to_reference.unwrap().value, 8.0 / 20.0);
    assert_eq!(resilience::resilience(&lives, 0).unwrap().value, 28.0 / 40.0);
    let level = level::level(&lives, 0);
    assert_eq!((level.mean_return.value, level.return_per_tick.value, level.gain.value), (8.0, 0.4, 1.0));
    assert_eq!((level.oracle, level.reference), (Some(10.0), Some(5.0)));
}

#[test]
fn recovery_and_drops_count_from_the_episode_of_the_change() {
    // the change in episode 1 takes two more to recover; that in episode 5 is cut off by the end
    let returns = [10.0, 4.0, 6.0, 9.5, 10.0, 2.0, 3.0];
    let lives = [life(&returns, &[0.0; 7], &[1, 5], &[1.0; 7])];
    let found = recovery_episodes::recovery(&lives).unwrap();
    assert_eq!((found.median, found.p90, found.censored), (Some(2), None, 1));
    let drops = drop::drops(&lives, 0).unwrap();
    // losses 6, 4 and then 8, 7
    assert_eq!((drops.jump.value, drops.depth.value, drops.area.value), (7.0, 7.0, 12.5));
}

#[test]
fn forgetting_compares_later_visits_with_the_first() {
    // regime 1 at regrets 4 and 2, regime -1, regime 1 again at 7; episodes with a change belong to none
    let returns = [6.0, 8.0, 0.0, 5.0, 0.0, 3.0];
    let lives = [life(&returns, &[0.0; 6], &[2, 4], &[1.0, 1.0, 1.0, -1.0, -1.0, 1.0])];
    assert_eq!(forgetting::forgetting(&lives, 0).unwrap().value, 4.0);
    let once = [life(&returns[..4], &[0.0; 4], &[2], &[1.0, 1.0, 1.0, -1.0])];
    assert!(forgetting::forgetting(&once, 0).is_none());
}

#[test]
fn harm_is_a_loss_beyond_its_noise() {
    // after the first one, mean -1 and about standard deviation 0.85: with t = 3.25 (9 degrees of freedom) 10 episodes have the
    // limit -1 + 0.87 < 0, and with t = 4.03 (5 degrees) 6 have -1 + 1.47 > 0
    let gain = |n: usize| (0..=n).map(|k| [0.0, -2.0, -1.0][k % 3]).collect::<Vec<f64>>();
    assert!(!harm::is_harmed(&gain(6)) && harm::is_harmed(&gain(10)));
    assert!(!harm::is_harmed(&[0.0; 9]) && !harm::is_harmed(&[1.0; 9]) && !harm::is_harmed(&[-1.0; 5]));
    assert!(harm::is_harmed(&[-1.0; 6]));
    let lives = [life(&[1.0; 9], &[3.0; 9], &[], &[1.0; 9]), life(&[3.0; 9], &[1.0; 9], &[], &[1.0; 9])];
    let found = harm::harm(&lives, 0);
    assert_eq!((found.rate.value, found.lives, found.loss), (0.5, 1, Some(2.0)));
}

#[test]
fn an_alarm_notices_the_change_before_it_or_is_false() {
    let mut lived = life(&[0.0; 5], &[0.0; 5], &[1, 3], &[1.0; 5]);
    // changes at ticks 23 and 63, the end at 100; alarms at 10 (false), 30 (7 late), 35 (false)
    lived.slots[0].alarms = vec![10];
    lived.slots[1].alarms = vec![30, 35];
    let found = detection::detections(&[lived], 0);
    let delay = found.delay_ticks.unwrap();
    assert_eq!((delay.median, delay.censored), (Some(7), 1));
    assert_eq!((found.noticed.unwrap().value, found.false_alarms.value), (0.5, 20.0));
}

#[test]
fn the_interval_of_a_mean_is_that_of_the_normal_law() {
    // 200 lives of 0 and 200 of 1: standard error 0.025
    let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
    let found = Figure::mean(&values, 1);
    assert!((found.ci95[0] - 0.451).abs() < 0.006 && (found.ci95[1] - 0.549).abs() < 0.006, "{found:?}");
    assert!(Figure::ratio(&[(1.0, 0.0)], 0).is_none());
}
