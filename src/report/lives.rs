//! The report on lives: what `metadrift live RUN --format json` prints, kept in a file.

use std::path::Path;

use metadrift_agents::runtime::guard::Opinion;
use serde_json::Value;

use super::{
    chart::{Line, Panel},
    page::{Block, Figure, Part},
    stack::{Row, Stack, stair},
    table::{Cell, Table, short},
};
use crate::{
    failure::{During, Result},
    live::event::Event,
    stats::mean,
};

/// Largest file that is read (B).
const MAX_BYTES: u64 = 1 << 30;

/// The lives of a file.
struct Lives {
    /// The episodes of each life, in their order.
    lives: Vec<Vec<Event>>,
    /// The line after them: `summary`, and the run.
    last: Value,
}

/// The report on the lives in `file`.
///
/// # Errors
/// If it cannot be read, or is not the whole output of `metadrift live --format json`.
pub fn part(file: &Path) -> Result<Part> {
    let size = std::fs::metadata(file).map(|it| it.len()).during(|| format!("cannot read {}", file.display()))?;
    let text = if size > MAX_BYTES {
        Err(std::io::Error::other("it is larger than 1 GiB; live fewer --lives"))
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.during(|| format!("cannot read {}", file.display()))?;
    let lives = Lives::parse(&text).map_err(std::io::Error::other);
    let lives = lives.during(|| format!("cannot read the lives in {}", file.display()))?;
    Ok(lives.part(file.file_stem().unwrap_or_default().to_string_lossy().into_owned()))
}

impl Lives {
    fn parse(text: &str) -> std::result::Result<Lives, String> {
        let made = "it must be all that `metadrift live RUN --format json` prints";
        let whole = text.trim_end();
        let (episodes, last) = whole.rsplit_once('\n').ok_or_else(|| format!("{made}, which ends with a summary"))?;
        let summary = serde_json::from_str(last).ok().filter(|last: &Value| last["summary"].is_object());
        let last = summary.ok_or_else(|| format!("its last line is no summary, so the command was stopped; {made}"))?;
        let mut lives: Vec<Vec<Event>> = Vec::new();
        for (at, line) in episodes.lines().enumerate() {
            let event: Event =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}; {made}", at + 1))?;
            match lives.last_mut() {
                Some(life) if life[0].life == event.life => life.push(event),
                _ => lives.push(vec![event]),
            }
        }
        Ok(Lives { lives, last })
    }

    fn part(&self, name: String) -> Part {
        let summary = &self.last["summary"];
        let word = |key: &str| summary[key].as_str().unwrap_or_default().to_owned();
        let run = self.last["run"].as_str().map_or("none: before any training".to_owned(), str::to_owned);
        let count = |key: &str| summary[key].to_string();
        let mut blocks = vec![Block::Facts(vec![
            ("policy", word("learner")),
            ("run", run),
            ("world", word("preset")),
            ("tasks", word("split")),
            ("lives", count("lives")),
            ("episodes of a life", count("episodes")),
            ("seed", count("seed")),
        ])];
        let mut order: Vec<usize> = (0..self.lives.len()).collect();
        let score = |at: &usize| mean(&self.lives[*at].iter().map(|event| event.r#return).collect::<Vec<_>>());
        order.sort_by(|a, b| score(a).total_cmp(&score(b)).then(a.cmp(b)));
        blocks.push(Block::Heading("Single lives".to_owned()));
        let median = order[(order.len() - 1) / 2];
        blocks.push(Block::Figure(self.figure("median", "the median life by its mean return", median)));
        if order.len() > 1 {
            blocks.push(Block::Figure(self.figure("worst", "the worst life by its mean return", order[0])));
        }
        blocks.push(Block::Heading("All lives".to_owned()));
        blocks.push(Block::Table(metrics(summary)));
        let text = serde_json::to_string_pretty(summary).expect("it was JSON");
        blocks.push(Block::Code("Settings and numbers in full".to_owned(), text));
        let asked = format!("How does {} do in long lives on {}?", word("learner"), word("preset"));
        Part { kind: "Lives", name, asked, answer: answer(summary), notices: Vec::new(), blocks }
    }

    fn figure(&self, name: &str, chosen: &str, at: usize) -> Figure {
        let life = &self.lives[at];
        let constant: Vec<String> = parameters(life)
            .into_iter()
            .filter(|(_, points)| !moves(points))
            .map(|(name, points)| format!("{name} = {}", short(points[0].1)))
            .collect();
        let still = if constant.is_empty() { String::new() } else { format!(" Constant: {}.", constant.join(", ")) };
        let title = format!("Life {} of {}: {chosen}", life[0].life, self.lives.len());
        Figure {
            name: format!("life-{name}"),
            caption: format!(
                "{title}. Vertical lines: sudden changes of the world; bars: who acts, and the guard's                  opinion at the beginning of an episode.{still}"
            ),
            svg: picture(title, life).svg(),
        }
    }
}

/// The parameters of a life with all their points.
fn parameters(life: &[Event]) -> Vec<(String, Vec<(f64, f64)>)> {
    let names = life[0].parameters.keys();
    let of = |name: &String| {
        let points = life.iter().filter_map(|event| event.parameters.get(name)).flatten();
        points.map(|(tick, value)| (*tick as f64, *value)).collect()
    };
    names.map(|name| (name.clone(), of(name))).filter(|(_, points): &(_, Vec<_>)| !points.is_empty()).collect()
}

fn moves(points: &[(f64, f64)]) -> bool {
    points.iter().any(|(_, value)| *value != points[0].1)
}

/// A life on one axis of time: parameters, returns, regret, and what policy, detector and guard did.
fn picture(title: String, life: &[Event]) -> Stack {
    let end = life.last().map_or(0, |event| event.tick + u64::from(event.ticks)) as f64;
    let ends = |event: &Event| (event.tick as f64, (event.tick + u64::from(event.ticks)) as f64);
    let line = |name: &str, points: Vec<(f64, f64)>| Line { name: name.to_owned(), points, ..Line::default() };
    let mut panels: Vec<Panel> = parameters(life)
        .into_iter()
        .filter(|(_, points)| moves(points))
        .map(|(name, points)| Panel { lines: vec![line("", stair(&points, end))], title: name })
        .collect();
    let values = |of: &dyn Fn(&Event) -> Option<f64>| -> Option<Vec<(f64, f64)>> {
        life.iter().map(|event| Some((event.tick as f64, of(event)?))).collect()
    };
    type Way = (&'static str, fn(&Event) -> Option<f64>);
    let ways: [Way; 4] = [
        ("policy", |event| Some(event.r#return)),
        ("unadapted", |event| Some(event.unadapted_return)),
        ("full knowledge", |event| event.oracle_return),
        ("reference", |event| event.reference_return),
    ];
    let returns = ways.iter().filter_map(|(name, of)| Some(line(name, stair(&values(of)?, end))));
    panels.push(Panel { title: "return per episode".to_owned(), lines: returns.collect() });
    let regret = |(name, of): &Way| {
        let losses = values(&|event| Some(event.oracle_return? - of(event)?))?;
        let mut sum = 0.0;
        let sums = losses.iter().zip(life).map(|((_, loss), event)| {
            sum += loss;
            (ends(event).1, sum)
        });
        Some(line(name, std::iter::once((0.0, 0.0)).chain(sums).collect()))
    };
    let regrets: Vec<Line> = ways[..2].iter().filter_map(regret).collect();
    if !regrets.is_empty() {
        panels.push(Panel { title: "sum of regrets".to_owned(), lines: regrets });
    }
    let rules = life.iter().flat_map(|event| &event.switches).map(|tick| *tick as f64).collect();
    Stack { title, x_label: "tick of the life".to_owned(), panels, rows: rows(life, ends), rules }
}

/// The doings of policy, detector and guard.
fn rows(life: &[Event], ends: impl Fn(&Event) -> (f64, f64)) -> Vec<Row> {
    let row = |name: &str, of: &dyn Fn(&Event) -> bool| Row {
        name: name.to_owned(),
        spans: merged(life.iter().filter(|event| of(event)).map(&ends)),
        moments: Vec::new(),
    };
    let moments = |name: &str, of: fn(&Event) -> &Vec<u64>| Row {
        name: name.to_owned(),
        spans: Vec::new(),
        moments: life.iter().flat_map(of).map(|tick| *tick as f64).collect(),
    };
    let opinion = |name: &str, asked: Opinion| row(name, &move |event: &Event| event.guard == Some(asked));
    let all = [
        moments("change noticed", |event| &event.alarms),
        moments("adaptation", |event| &event.adaptations),
        row("adapted policy acts", &|event| event.adapted),
        opinion("guard: on trial", Opinion::Trial),
        opinion("guard: trusted", Opinion::Trusted),
        opinion("guard: taken back", Opinion::RolledBack),
    ];
    all.into_iter().filter(|row| !row.spans.is_empty() || !row.moments.is_empty()).collect()
}

/// Times without those that only go on from the one before.
fn merged(spans: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = Vec::new();
    for (from, to) in spans {
        match all.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => all.push((from, to)),
        }
    }
    all
}

/// A figure with its interval in the summary.
fn figure(value: &Value) -> Option<(f64, [f64; 2])> {
    let end = |at: usize| value["ci95"][at].as_f64();
    Some((value["value"].as_f64()?, [end(0)?, end(1)?]))
}

fn answer(summary: &Value) -> String {
    let text = |(value, [low, high]): (f64, [f64; 2])| format!("{} [{}, {}]", short(value), short(low), short(high));
    let word = |key: &str| summary[key].as_str().unwrap_or_default();
    let place = format!(
        "In {} {} lives of {} episodes on {}",
        summary["lives"],
        word("split"),
        summary["episodes"],
        word("preset")
    );
    let (Some(level), Some(gain)) = (figure(&summary["mean_return"]), figure(&summary["gain"])) else {
        return format!("{place}, {} has no finite return.", word("learner"));
    };
    let harm = match figure(&summary["harm"]["rate"]) {
        Some((rate, _)) => {
            format!("; adaptation harmed {} lives ({} %)", summary["harm"]["lives"], short(100.0 * rate))
        }
        None => String::new(),
    };
    format!(
        "{place}, {} returns {} per episode, {} more than unadapted (95 % intervals){harm}.",
        word("learner"),
        text(level),
        text(gain)
    )
}

/// All numbers of the summary by their names there.
fn metrics(summary: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, value) in summary.as_object().into_iter().flatten() {
        if !["lives", "episodes", "seed", "learning"].contains(&name.as_str()) {
            flat(name, value, &mut rows);
        }
    }
    Table {
        name: "metrics".to_owned(),
        caption: "Metrics of lives, by their names in the output".to_owned(),
        head: ["metric", "value"].map(str::to_owned).into(),
        rows,
        note: "In brackets: 95 % bootstrap intervals that redraw whole lives. docs/living.md says what each metric is."
            .to_owned(),
    }
}

fn flat(name: &str, value: &Value, rows: &mut Vec<Vec<Cell>>) {
    let row = |cell: Cell| vec![Cell::text(name), cell];
    match (figure(value), value) {
        (Some((value, ends)), _) => rows.push(row(Cell::interval(value, ends))),
        (None, Value::Number(number)) => rows.extend(number.as_f64().map(|number| row(Cell::number(number)))),
        (None, Value::Object(parts)) => {
            parts.iter().for_each(|(part, value)| flat(&format!("{name}.{part}"), value, rows));
        }
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Three episodes of ten ticks: the gain flips at tick 13, and the policy regains its return in the third.
    fn text() -> String {
        let returns = [10.0, 2.0, 9.0];
        let event = |episode: usize| {
            let tick = 10 * episode as u64;
            let gain = if episode == 1 {
                vec![(10, 1.0), (13, -1.0)]
            } else {
                vec![(tick, 1.0 - 2.0 * (episode as f64 / 2.0))]
            };
            Event {
                episode,
                tick,
                ticks: 10,
                r#return: returns[episode],
                oracle_return: Some(10.0),
                unadapted_return: [10.0, 2.0, 1.0][episode],
                guard: Some(if episode < 2 { Opinion::Trial } else { Opinion::Trusted }),
                adapted: episode > 0,
                switches: if episode == 1 { vec![13] } else { Vec::new() },
                adaptations: vec![tick + 10],
                parameters: [("gain".to_owned(), gain), ("mass".to_owned(), vec![(tick, 0.5)])].into(),
                ..Event::default()
            }
        };
        let lines = (0..3).map(|episode| serde_json::to_string(&event(episode)).unwrap() + "\n");
        let figure = json!({ "value": 7.0, "ci95": [6.0, 8.0] });
        let summary = json!({ "learner": "maml", "preset": "p", "split": "ood", "lives": 1, "episodes": 3, "seed": 0,
            "mean_return": figure, "gain": figure, "harm": { "rate": { "value": 0.25, "ci95": [0.0, 0.5] }, "lives": 1 },
            "regret": { "per_episode": figure }, "learning": { "steps": 1 } });
        lines.collect::<String>() + &json!({ "summary": summary, "run": null }).to_string() + "\n"
    }

    #[test]
    fn a_life_is_drawn_on_one_axis_of_ticks() {
        let lives = Lives::parse(&text()).unwrap();
        let Stack { panels, rows, rules, .. } = picture("t".into(), &lives.lives[0]);
        let titles: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!((titles, rules), (vec!["gain", "return per episode", "sum of regrets"], vec![13.0]));
        assert_eq!(panels[0].lines[0].points, [(0.0, 1.0), (13.0, 1.0), (13.0, -1.0), (30.0, -1.0)]);
        // regrets 0, 8 and 1; of the unadapted policy 0, 8 and 9
        let sums = |at: usize| panels[2].lines[at].points.clone();
        assert_eq!(sums(0), [(0.0, 0.0), (10.0, 0.0), (20.0, 8.0), (30.0, 9.0)]);
        assert_eq!(sums(1)[3], (30.0, 17.0));
        let named = |name: &str| rows.iter().find(|row| row.name == name).unwrap().clone();
        assert_eq!(named("adapted policy acts").spans, [(10.0, 30.0)]);
        assert_eq!(named("guard: trusted").spans, [(20.0, 30.0)]);
        assert_eq!((named("adaptation").moments, rows.len()), (vec![10.0, 20.0, 30.0], 4));
    }

    #[test]
    fn the_page_has_the_answer_every_number_and_what_stays_constant() {
        let part = Lives::parse(&text()).unwrap().part("life".into());
        assert!(
            part.answer.starts_with("In 1 ood lives of 3 episodes on p, maml returns 7.00 [6.00, 8.00]"),
            "{}",
            part.answer
        );
        assert!(part.answer.ends_with("adaptation harmed 1 lives (25.0 %)."), "{}", part.answer);
        let figure = part.blocks.iter().find_map(|block| if let Block::Figure(it) = block { Some(it) } else { None });
        assert!(figure.unwrap().caption.contains("Constant: mass = 0.50."), "{figure:?}");
        let table = part.blocks.iter().find_map(|block| if let Block::Table(it) = block { Some(it) } else { None });
        let names: Vec<&str> = table.unwrap().rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(names, ["gain", "harm.lives", "harm.rate", "mean_return", "regret.per_episode"]);
    }

    #[test]
    fn what_is_no_whole_output_is_refused() {
        let whole = text();
        let refused = |text: &str| Lives::parse(text).err().unwrap();
        let (episodes, _) = whole.trim_end().rsplit_once('\n').unwrap();
        assert!(refused(episodes).contains("the command was stopped"));
        assert!(refused(&whole.replacen("\"tick\"", "\"tock\"", 1)).starts_with("line 1: "));
        assert!(refused("").contains("ends with a summary"));
    }
}
