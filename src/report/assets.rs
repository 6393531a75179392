//! Figures as SVG, films as GIF, tables as CSV and JSON, each a file of its own.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    page::{Block, Figure, Page},
    svg,
};
use crate::{
    failure::{During, Result},
    output,
};

/// Writes the figures, films and tables of a page into folder `dir`, and counts the files. Names of several parts begin with that
/// of theirs.
///
/// # Errors
/// If one cannot be written.
pub fn write_assets(page: &Page, dir: &Path) -> Result<usize> {
    fs::create_dir_all(dir).during(|| format!("cannot create {}", dir.display()))?;
    let mut written = BTreeSet::new();
    for (at, part) in page.parts.iter().enumerate() {
        let several = page.parts.len() > 1;
        let name = |of: &str| {
            if several { format!("{}-{}-{}", at + 1, file_name(&part.name), file_name(of)) } else { file_name(of) }
        };
        let mut write = |name: String, bytes: &[u8]| -> Result<()> {
            output::write(&dir.join(&name), bytes)?;
            written.insert(name);
            Ok(())
        };
        for block in &part.blocks {
            match block {
                Block::Figure(figure) => picture(&mut write, figure, &name)?,
                Block::Figures(figures) => figures.iter().try_for_each(|figure| picture(&mut write, figure, &name))?,
                Block::Film(film, _, gif) => write(name(film) + ".gif", &gif.bytes)?,
                Block::Table(table) | Block::Folded(table) => {
                    write(name(&table.name) + ".csv", &table.csv()?)?;
                    let text = serde_json::to_string_pretty(&table.json())? + "\n";
                    write(name(&table.name) + ".json", text.as_bytes())?;
                }
                Block::Heading(_) | Block::Text(_) | Block::Facts(_) | Block::Code(..) => {}
            }
        }
    }
    Ok(written.len())
}

/// Writes a figure as a picture of its own.
fn picture(
    write: &mut impl FnMut(String, &[u8]) -> Result<()>,
    figure: &Figure,
    name: &impl Fn(&str) -> String,
) -> Result<()> {
    write(name(&figure.name) + ".svg", svg::alone(&figure.svg).as_bytes())
}

/// A name without anything that has a meaning in paths.
fn file_name(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    name.chars().map(plain).collect::<String>().trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_files_lead_nowhere_else() {
        assert_eq!(super::file_name("../a b/c.1"), "-a-b-c.1");
    }
}
