//! The result of lives as a table for people, at most 80 columns wide.

use std::fmt::Write as _;

use crate::{
    live::{
        Lived,
        metrics::{Figure, Summary},
    },
    stats::{Censored, mean},
};

/// The table.
pub fn of(summary: &Summary, lives: &[Lived]) -> String {
    let protocol = summary.protocol;
    let mut text = format!(
        "{}, {}: {} {} lives of {} episodes, seed {}{}\n\n",
        summary.learner,
        summary.preset,
        protocol.lives,
        protocol.split.name(),
        protocol.episodes,
        protocol.seed,
        if summary.learning.is_some() { "; actions are drawn" } else { "" }
    );
    course(lives, &mut text);
    let mut row = |name: &str, shown: Option<String>| {
        if let Some(shown) = shown {
            let _ = writeln!(text, "{name:<34}{shown}");
        }
    };
    let level = &summary.level;
    row("return per tick", Some(figure(&level.return_per_tick, 4)));
    row("return of an episode", Some(figure(&level.mean_return, 1)));
    row("  more than unadapted", Some(figure(&level.gain, 1)));
    row("  worst tenth of the lives", Some(format!("{:.1}", level.worst_decile)));
    if let Some(regret) = &summary.regret {
        row("regret per episode", Some(figure(&regret.per_episode, 1)));
        row("  as a share of unadapted", regret.to_unadapted.map(|share| figure(&share, 3)));
        row("  as a share of the reference", regret.to_reference.map(|share| figure(&share, 3)));
    }
    row("sudden changes", Some(summary.changes.to_string()));
    row("  ticks to recover", summary.recovery_ticks.as_ref().map(times));
    row("  episodes to recover", summary.recovery_episodes.as_ref().map(times));
    if let Some(drops) = &summary.drops {
        row("  loss in the first episode", Some(figure(&drops.jump, 1)));
        row("  loss until recovery", Some(figure(&drops.area, 1)));
    }
    row("forgetting", summary.forgetting.map(|loss| figure(&loss, 1)));
    row("resilience without adaptation", summary.resilience.map(|share| figure(&share, 3)));
    let harm = &summary.harm;
    row("lives harmed by adaptation", Some(format!("{} ({:.2} %)", harm.lives, 100.0 * harm.rate.value)));
    row("lives taken back by the guard", summary.taken_back.map(|lives| lives.to_string()));
    if let Some(found) = &summary.detection {
        row("changes noticed", found.noticed.map(|share| figure(&share, 3)));
        row("  ticks to notice", found.delay_ticks.as_ref().map(times));
        row("  false alarms in 1,000 ticks", Some(figure(&found.false_alarms, 3)));
    }
    row("adaptations given up", (summary.diverged > 0).then(|| summary.diverged.to_string()));
    text
}

/// Mean returns by episode, at most twelve rows.
fn course(lives: &[Lived], text: &mut String) {
    let episodes = lives[0].slots.len();
    let step = episodes.div_ceil(12);
    let _ = writeln!(text, "episodes    return  unadapted    oracle  adapted acts");
    for first in (0..episodes).step_by(step) {
        let last = (first + step).min(episodes);
        let slots = || lives.iter().flat_map(|life| &life.slots[first..last]);
        let of = |values: Vec<f64>| if values.is_empty() { "-".to_owned() } else { format!("{:.1}", mean(&values)) };
        let range = if last - first == 1 { first.to_string() } else { format!("{first}-{}", last - 1) };
        let adapted = mean(&slots().map(|slot| f64::from(u8::from(slot.adapted))).collect::<Vec<_>>());
        let _ = writeln!(
            text,
            "{range:<9}{:>9}{:>11}{:>10}{:>11.0} %",
            of(slots().map(|slot| slot.returned).collect()),
            of(slots().map(|slot| slot.unadapted).collect()),
            of(slots().filter_map(|slot| slot.oracle).collect()),
            100.0 * adapted
        );
    }
    text.push('\n');
}

fn figure(figure: &Figure, digits: usize) -> String {
    let [low, high] = figure.ci95;
    format!("{:.digits$} ({low:.digits$} to {high:.digits$})", figure.value)
}

fn times(times: &Censored) -> String {
    let at = |time: Option<usize>| time.map_or("never".to_owned(), |time| time.to_string());
    format!("median {}, 90 % {}, cut short {}", at(times.median), at(times.p90), times.censored)
}
