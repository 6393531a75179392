//! Configurations with mistakes in them are refused with an error, never with a panic.

use metadrift::{
    config::Experiment,
    control::{
        Controlled, Random,
        episodes::{Stretch, run},
        privileged,
    },
    life::Life,
    presets,
};
use metadrift_envs::{Purpose, Split, Stream, StreamRng};
use rand::Rng;

/// A configuration with every part of the task language.
const EVERYTHING: &str = include_str!("everything.toml");

/// The material of the mistakes.
const FRAGMENTS: &[&str] = &[
    "nan",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1e308",
    "9223372036854775807",
    "\"random\"",
    "true",
    "[]",
    "{}",
    "[1, 2]",
    "=",
    "[[",
    "]",
    "{ law = \"uniform\", low = 2, high = 1 }",
    "{ law = \"normal\", mean = 0, std = 1 }",
    "kind = \"ou\"",
    "kind = \"markov\"",
    "law = \"grid\"",
    "on_bound = \"error\"",
    "hold = 0",
    "window = [5, 2]",
    "apply = \"scale\"",
    "mode = \"one_out\"",
    "\u{0}",
    "\u{e9}",
    "\n[task]\n",
    "1979-05-27",
    "''",
    "count = 4294967295",
    "dwell = 1e300",
];

/// The text with one to four mistakes: a piece removed, doubled, moved, or a fragment put in its place.
fn mutated(text: &str, rng: &mut StreamRng) -> String {
    let mut text = text.to_owned();
    for _ in 0..=rng.next_u32() % 4 {
        let words: Vec<&str> = text.split_inclusive([' ', '\n', ',', '.']).collect();
        let at = rng.next_u32() as usize % words.len();
        let other = rng.next_u32() as usize % words.len();
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let fragment = FRAGMENTS[rng.next_u32() as usize % FRAGMENTS.len()];
        match rng.next_u32() % 5 {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[other].clone()),
            2 => words.swap(at, other),
            3 => words[at] = format!("{fragment} "),
            _ => drop(words[at].pop()),
        }
        text = words.concat();
        if text.is_empty() {
            text.push('x');
        }
    }
    text
}

#[test]
fn mutated_configurations_never_panic() {
    let count = std::env::var("METADRIFT_MUTATIONS").map_or(1_000, |n| n.parse().unwrap());
    let texts: Vec<&str> = presets::PRESETS.iter().map(|(_, text)| *text).chain([EVERYTHING; 8]).collect();
    let (mut accepted, mut refused) = (0, 0);
    for i in 0..count {
        let mut rng = Stream::new(1, Purpose::Init).iteration(i).rng();
        let text = mutated(texts[i as usize % texts.len()], &mut rng);
        let result = std::panic::catch_unwind(|| {
            let Ok(config) = Experiment::parse("x.toml", &text, &[]) else { return false };
            for split in Split::ALL {
                for index in 0..3 {
                    let task = config.tasks(split).sample(1, 2, index);
                    for tick in [0, 1, 77, 5_000, u64::MAX] {
                        let values = task.values_at(tick);
                        assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
                    }
                    // a few steps, too, of random actions and of full knowledge
                    let (env, life) = (config.env(), Life::of(&config, split));
                    let stretch = Stretch { limit: 3, ..Stretch::new(life, 0..1) };
                    let space = env.spec().action;
                    let tasks = [task];
                    let mut random = Controlled::new(env, (&tasks, 2), |_, _| Random::new(space, 1, 0));
                    run(env, (&tasks, 2), &stretch, 1, &mut random, |_| ()).unwrap();
                    if let Some(known) = privileged::controller(env) {
                        let mut oracle = Controlled::new(env, (&tasks, 2), |_, _| known.clone());
                        run(env, (&tasks, 2), &stretch, 1, &mut oracle, |_| ()).unwrap();
                    }
                }
            }
            true
        });
        match result {
            Ok(true) => accepted += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("mutation {i} panics:\n{text}"),
        }
    }
    println!("{count} mutated configurations: {accepted} accepted, {refused} refused, 0 panics");
    assert!(accepted > 0 && refused > accepted / 4, "{accepted} accepted, {refused} refused");
}

#[test]
fn everything_at_once_is_legal_and_survives_being_written() {
    let config = Experiment::parse("everything.toml", EVERYTHING, &[]).unwrap();
    assert_eq!(Experiment::parse("again", &config.to_toml(), &[]).unwrap(), config);
}
