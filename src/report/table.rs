//! Tables: as HTML, and as CSV and JSON files.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// A table whose columns are named.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Name of its files, without the ending.
    pub name: String,
    /// The text above it.
    pub caption: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// The rows, each as long as `head`.
    pub rows: Vec<Vec<Cell>>,
    /// The text below it.
    pub note: String,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The text for people.
    pub text: String,
    /// The interval for people, shown smaller.
    pub within: String,
    /// The exact numbers: none, one, or a value with the ends of its interval.
    pub numbers: Vec<f64>,
    /// True if it is the best of its column.
    pub best: bool,
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A number.
    pub fn number(value: f64) -> Self {
        Cell { text: short(value), numbers: vec![value], ..Cell::default() }
    }

    /// A number with the ends of its interval.
    pub fn interval(value: f64, [low, high]: [f64; 2]) -> Self {
        let within = format!("[{}, {}]", short(low), short(high));
        Cell { text: short(value), within, numbers: vec![value, low, high], best: false }
    }

    /// Its files' form: the exact number where there is one.
    fn plain(&self) -> Value {
        match self.numbers.as_slice() {
            [] => Value::from(self.text.clone()),
            [value, ..] => Value::from(*value),
        }
    }
}

/// A number with three or four digits that count.
pub fn short(value: f64) -> String {
    let text = match value.abs() {
        _ if !value.is_finite() => return "–".to_owned(),
        0.0 => return "0".to_owned(),
        size if !(0.0005..99_999.5).contains(&size) => format!("{value:.2e}"),
        size if size >= 999.5 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.0995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    text.replace('-', "−")
}

impl Table {
    /// Marks the largest value of a column among the rows that `counts` admits, where at least two have one.
    pub fn mark(&mut self, column: usize, counts: impl Fn(&str) -> bool) {
        let value = |row: &Vec<Cell>| row[column].numbers.first().copied().filter(|value| value.is_finite());
        let admitted: Vec<(usize, f64)> = (0..self.rows.len())
            .filter(|at| counts(&self.rows[*at][0].text))
            .filter_map(|at| Some((at, value(&self.rows[at])?)))
            .collect();
        let best = admitted.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
        if admitted.len() > 1 {
            admitted.iter().filter(|(_, value)| *value == best).for_each(|(at, _)| self.rows[*at][column].best = true);
        }
    }

    /// Names of the columns in files: a column with intervals becomes three.
    fn columns(&self) -> Vec<(usize, usize, String)> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].numbers.len()).max().unwrap_or(0);
        let of = |column: usize| {
            let name = &self.head[column];
            let mut names = vec![(column, 0, name.clone())];
            if width(column) == 3 {
                names.extend([(column, 1, format!("{name} low")), (column, 2, format!("{name} high"))]);
            }
            names
        };
        (0..self.head.len()).flat_map(of).collect()
    }

    fn value(row: &[Cell], column: usize, part: usize) -> Value {
        match part {
            0 => row[column].plain(),
            _ => row[column].numbers.get(part).map_or(Value::Null, |number| Value::from(*number)),
        }
    }

    /// The rows as JSON objects.
    pub fn json(&self) -> Value {
        let columns = self.columns();
        let object = |row: &Vec<Cell>| {
            let fields = columns.iter().map(|(at, part, name)| (name.clone(), Self::value(row, *at, *part)));
            Value::Object(fields.collect::<Map<String, Value>>())
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    /// The rows as CSV.
    ///
    /// # Errors
    /// If a row cannot be formed.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let columns = self.columns();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(columns.iter().map(|(_, _, name)| name))?;
        for row in &self.rows {
            writer.write_record(columns.iter().map(|(at, part, _)| match Self::value(row, *at, *part) {
                Value::String(text) => text,
                Value::Null => String::new(),
                number => number.to_string(),
            }))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    /// The table as Markdown, with its note.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let cell = |cell: &Cell| format!("{} {}", cell.text, cell.within).trim().replace('|', "\\|");
        let rows = self.rows.iter().map(|row| line(&row.iter().map(cell).collect::<Vec<_>>()));
        let rule = vec!["---".to_owned(); self.head.len()];
        format!("{}{}{}\n{}\n", line(&self.head), line(&rule), rows.collect::<String>(), self.note)
    }

    /// The table with its caption and note.
    pub fn html(&self) -> Markup {
        let is_text = |column: usize| self.rows.iter().all(|row| row[column].numbers.is_empty());
        html! {
            div.wide { table {
                caption { (self.caption) }
                thead { tr { @for (at, name) in self.head.iter().enumerate() {
                    th scope="col" class=[is_text(at).then_some("words")] { (name) }
                } } }
                tbody { @for row in &self.rows { tr { @for (at, cell) in row.iter().enumerate() {
                    td class=(if cell.best { "best" } else if is_text(at) { "words" } else { "" }) {
                        (cell.text)
                        @if !cell.within.is_empty() { " " span.within { (cell.within) } }
                    }
                } } } }
            } }
            @if !self.note.is_empty() { p.note { (self.note) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_or_four_digits() {
        let known = [(0.0, "0"), (499.96, "500.0"), (-1234.5, "−1234"), (0.0625, "0.062"), (-0.25, "−0.25")];
        for (value, text) in known {
            assert_eq!(short(value), text);
        }
        assert_eq!((short(f64::NAN), short(2.5e6)), ("–".to_owned(), "2.50e6".to_owned()));
    }

    #[test]
    fn the_best_is_marked_among_those_that_count() {
        let row = |name: &str, value: f64| vec![Cell::text(name), Cell::number(value)];
        let head = vec!["method".to_owned(), "mean".to_owned()];
        let rows = vec![row("oracle", 9.0), row("a", 5.0), row("b", 7.0)];
        let mut table = Table { head, rows, ..Table::default() };
        table.mark(1, |name| name != "oracle");
        assert_eq!(table.rows.iter().map(|row| row[1].best).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn files_have_every_number_in_full_and_html_is_escaped() {
        let cells = vec![Cell::text("<b>&"), Cell::interval(1.0 / 3.0, [0.25, 0.5])];
        let head = vec!["method".to_owned(), "mean".to_owned()];
        let table = Table { head, rows: vec![cells], ..Table::default() };
        let csv = String::from_utf8(table.csv().unwrap()).unwrap();
        assert_eq!(csv, "method,mean,mean low,mean high\n<b>&,0.3333333333333333,0.25,0.5\n");
        assert_eq!(table.json()[0]["mean high"], 0.5);
        assert!(table.html().into_string().contains("&lt;b&gt;&amp;"));
        let markdown = table.markdown();
        assert!(markdown.starts_with("| method | mean |\n| --- | --- |\n| <b>& | 0.33 [0.25, 0.50] |\n"), "{markdown}");
    }
}
