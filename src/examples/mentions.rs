//! Few-shot types of named entities in real text: a task shows a few mentions of each of N types of one domain, as CrossNER
//! (Liu et al. 2021, arXiv 2012.04373) and the SNIPS requests (Coucke et al. 2018, arXiv 1805.10190) have them.
//!
//! A mention is given by its place in a sentence, and becomes counts of hashed features: the words around it, and pieces and
//! shapes of its own words.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use metadrift_agents::{layout::Head, settings::Shots};
use metadrift_envs::{Split, StreamRng};
use rand::RngExt;
use serde::Deserialize;

use super::{
    Family, Task,
    ways::{self, Class},
};
use crate::failure::{During, Result};

/// Number of features.
pub(super) const FEATURES: usize = 1024;
/// Domains that are never trained on.
const UNSEEN: &[&str] = &["ai", "literature", "GetWeather", "SearchScreeningEvent"];
/// Mentions of a type, at least and at most.
const MENTIONS: (usize, usize) = (60, 300);
/// One mention in so many of the other domains is held out from training.
const HELD_OUT: usize = 4;

/// Types with their mentions, of each split and domain.
pub(super) struct Mentions {
    ways: usize,
    /// `[splits][domains][types][mentions]`
    domains: [Vec<Vec<Class>>; 3],
    /// Names of the domains, `[splits][domains]`
    names: [Vec<String>; 3],
}

impl std::fmt::Debug for Mentions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let types = |domains: &Vec<Vec<Class>>| domains.iter().map(Vec::len).collect::<Vec<_>>();
        write!(f, "mentions of {:?} types", self.domains.each_ref().map(types))
    }
}

impl Mentions {
    /// The mentions in the files below folder `data`: those of training, one in four held out of the same domains, and those
    /// of domains that training never sees.
    pub fn open(data: &Path, ways: usize) -> Result<Self> {
        let mut files = Vec::new();
        list(data, &mut files)?;
        files.sort();
        let mut found: BTreeMap<String, BTreeMap<String, Class>> = BTreeMap::new();
        for file in files {
            read(&file, &mut found)?;
        }
        let mut domains = [Vec::new(), Vec::new(), Vec::new()];
        let mut names = [Vec::new(), Vec::new(), Vec::new()];
        for (domain, types) in found {
            let enough = |(name, mentions): &(String, Class)| name != "misc" && mentions.len() >= MENTIONS.0;
            let types = types.into_iter().filter(enough).map(|(_, mut mentions)| {
                mentions.truncate(MENTIONS.1);
                mentions
            });
            let types: Vec<Class> = types.collect();
            if types.len() < ways {
                continue;
            }
            if UNSEEN.contains(&domain.as_str()) {
                domains[Split::Ood as usize].push(types);
                names[Split::Ood as usize].push(domain);
            } else {
                let part = |held_out: bool| {
                    let pick = |mentions: &Class| {
                        let numbered = mentions.iter().enumerate();
                        numbered.filter(|(at, _)| (at % HELD_OUT == 0) == held_out).map(|(_, x)| x.clone()).collect()
                    };
                    types.iter().map(pick).collect::<Vec<Class>>()
                };
                domains[Split::Train as usize].push(part(false));
                domains[Split::InDist as usize].push(part(true));
                names[Split::Train as usize].push(domain.clone());
                names[Split::InDist as usize].push(domain);
            }
        }
        Ok(Mentions { ways, domains, names })
    }
}

impl Family for Mentions {
    fn inputs(&self) -> usize {
        FEATURES
    }

    fn head(&self) -> Head {
        Head::Categorical(self.ways)
    }

    fn draw(&self, split: Split, shots: Shots, rng: &mut StreamRng) -> Task {
        let domains = &self.domains[split as usize];
        let domain = rng.random_range(0..domains.len());
        Task { group: domain, ..ways::draw(&domains[domain], self.ways, shots, rng) }
    }

    fn groups(&self, split: Split) -> &[String] {
        &self.names[split as usize]
    }

    fn data(&self) -> String {
        let [train, _, ood] = self.names.each_ref().map(|names| names.join(", "));
        format!("domains to train on: {train}; unseen: {ood}")
    }

    fn check(&self, split: Split, shots: Shots) -> std::result::Result<(), String> {
        let domains = &self.domains[split as usize];
        if domains.is_empty() {
            let which = if split == Split::Ood { UNSEEN.join(", ") } else { "any other name".to_owned() };
            return Err(format!(
                "split {split} needs a domain of {which} with {} types of {} mentions or more, in files DOMAIN/*.txt with \
                 CoNLL's columns or train_DOMAIN_full.json of SNIPS",
                self.ways, MENTIONS.0
            ));
        }
        domains.iter().try_for_each(|types| ways::check(types, self.ways, shots))
    }
}

/// Adds the paths of all files below `folder`.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).during(|| format!("cannot read the folder of the data {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Adds the mentions in a file: `DOMAIN/NAME.txt` with CoNLL's columns, or `train_DOMAIN_full.json` of SNIPS.
fn read(path: &Path, found: &mut BTreeMap<String, BTreeMap<String, Class>>) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let intent = name.strip_prefix("train_").and_then(|rest| rest.strip_suffix("_full.json"));
    let folder = path.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
    let domain = match (intent, folder) {
        (Some(intent), _) => intent.to_owned(),
        (None, Some(folder)) if name.ends_with(".txt") => folder,
        _ => return Ok(()),
    };
    let bytes = fs::read(path).during(|| format!("cannot read {}", path.display()))?;
    // some files of SNIPS are in Latin 1, whose bytes are characters
    let text =
        String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().map(|b| char::from(*b)).collect());
    let sentences = match intent {
        Some(intent) => requests(&text, intent).during(|| format!("{} is not in the form of SNIPS", path.display()))?,
        None => columns(&text),
    };
    let types = found.entry(domain).or_default();
    for Sentence { words, spans } in &sentences {
        for (kind, begin, end) in spans {
            types.entry(kind.clone()).or_default().push(features(words, *begin, *end));
        }
    }
    Ok(())
}

/// A sentence with its mentions: type, first word, one past the last word.
#[derive(Debug, Default, PartialEq)]
struct Sentence {
    words: Vec<String>,
    spans: Vec<(String, usize, usize)>,
}

/// Sentences of lines `WORD<tab>TAG`, separated by empty lines; tags are `B-type`, `I-type` and `O`.
fn columns(text: &str) -> Vec<Sentence> {
    let mut sentences = vec![Sentence::default()];
    for line in text.lines() {
        let Some((word, tag)) = line.split_once('\t') else {
            sentences.push(Sentence::default());
            continue;
        };
        let sentence = sentences.last_mut().expect("there is one");
        let at = sentence.words.len();
        sentence.words.push(word.to_owned());
        let tag = tag.rsplit('\t').next().unwrap_or(tag).trim();
        if let Some(kind) = tag.strip_prefix("B-") {
            sentence.spans.push((kind.to_owned(), at, at + 1));
        } else if let (true, Some(span)) = (tag.starts_with("I-"), sentence.spans.last_mut())
            && span.2 == at
        {
            span.2 = at + 1;
        }
    }
    sentences
}

/// A part of a request, perhaps an entity.
#[derive(Deserialize)]
struct Part {
    text: String,
    entity: Option<String>,
}

/// A request in parts.
#[derive(Deserialize)]
struct Request {
    data: Vec<Part>,
}

/// The sentences of a SNIPS file: `{INTENT: [{data: [{text, entity?}]}]}`.
fn requests(text: &str, intent: &str) -> serde_json::Result<Vec<Sentence>> {
    let mut all: BTreeMap<String, Vec<Request>> = serde_json::from_str(text)?;
    let sentence = |request: Request| {
        let mut sentence = Sentence::default();
        for Part { text, entity } in request.data {
            let begin = sentence.words.len();
            sentence.words.extend(text.split_whitespace().map(str::to_owned));
            let end = sentence.words.len();
            sentence.spans.extend(entity.filter(|_| end > begin).map(|kind| (kind, begin, end)));
        }
        sentence
    };
    Ok(all.remove(intent).unwrap_or_default().into_iter().map(sentence).collect())
}

/// The features of the mention `words[begin..end]`, `[FEATURES]`, of length 4.
fn features(words: &[String], begin: usize, end: usize) -> Vec<f32> {
    let mut counts = vec![0.0f32; FEATURES];
    let mut add =
        |feature: &str, weight: f32| counts[crc32fast::hash(feature.as_bytes()) as usize % FEATURES] += weight;
    for (at, word) in words.iter().enumerate().take(end + 3).skip(begin.saturating_sub(3)) {
        let lower = word.to_lowercase();
        if at < begin {
            add(&format!("L{}|{lower}", begin - at), 1.0);
        } else if at >= end {
            add(&format!("R{}|{lower}", at + 1 - end), 1.0);
        } else {
            add(&format!("in|{lower}"), 1.0);
            let marked: Vec<char> = format!("^{lower}$").chars().collect();
            for length in 2..=4 {
                marked.windows(length).for_each(|piece| add(&format!("c{}", piece.iter().collect::<String>()), 0.5));
            }
            add(&format!("s{}", shape(word)), 1.0);
        }
    }
    add(&format!("len{}", (end - begin).min(5)), 1.0);
    let length = counts.iter().map(|x| x * x).sum::<f32>().sqrt();
    counts.iter_mut().for_each(|x| *x *= 4.0 / length);
    counts
}

/// The first six characters by their kinds.
fn shape(word: &str) -> String {
    let kind = |c: char| match c {
        c if c.is_uppercase() => 'A',
        c if c.is_lowercase() => 'a',
        c if c.is_ascii_digit() => '0',
        c => c,
    };
    word.chars().take(6).map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_requests_name_the_same_mentions() {
        let conll = columns("Play\tO\nDear\tB-song\nPrudence\tI-song\nby\tO\nBeatles\tB-artist\n\nStop\tO\n");
        let words = ["Play", "Dear", "Prudence", "by", "Beatles"].map(str::to_owned).to_vec();
        let spans = vec![("song".to_owned(), 1, 3), ("artist".to_owned(), 4, 5)];
        assert_eq!(conll[0], Sentence { words, spans });
        let json = r#"{"X": [{"data": [{"text": "Play "}, {"text": "Dear Prudence", "entity": "song"},
            {"text": " by "}, {"text": "Beatles", "entity": "artist"}]}]}"#;
        assert_eq!(requests(json, "X").unwrap()[0], conll[0]);
    }

    #[test]
    fn features_have_one_length_and_differ_by_place() {
        let words = ["the", "river", "Rhine"].map(str::to_owned);
        let (rhine, river) = (features(&words, 2, 3), features(&words, 1, 2));
        for mention in [&rhine, &river] {
            assert!((mention.iter().map(|x| x * x).sum::<f32>().sqrt() - 4.0).abs() < 1e-5);
        }
        assert_ne!(rhine, river);
        assert_eq!(shape("McDonald's"), "AaAaaa");
    }
}
