//! The first line of a log.

use csv::StringRecord;

use super::read::{Form, LogError};
use crate::config::nearest;

/// Refuses a first line that does not have exactly the columns, in their order.
///
/// # Errors
/// [`LogError`], the first column that is missing, unknown, twice there or in another place.
pub(super) fn check(record: &StringRecord, line: u64, form: &Form<'_>) -> Result<(), LogError> {
    let names = &form.columns.names;
    // some editors begin a file with a byte order mark
    let found: Vec<&str> = record.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let error = |column: &str, problem: String| Err(form.error(line, Some(column), problem));
    let all = || names.join(",");
    if let ([line_of_all], true) = (&found[..], names.len() > 1)
        && let Some(mark) = line_of_all.chars().find(|mark| [';', '\t'].contains(mark))
    {
        let problem = format!("its cells are separated by {mark:?}; they are to be by commas, with points in numbers");
        return Err(form.error(line, None, problem));
    }
    for (at, name) in found.iter().enumerate() {
        if !names.iter().any(|known| known == name) {
            let near = nearest(name, names.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            return error(name, format!("a log of this run has no such column.{near} The columns are {}", all()));
        }
        if found[..at].contains(name) {
            return error(name, "it is there twice".to_owned());
        }
    }
    if let Some(missing) = names.iter().find(|name| !found.contains(&name.as_str())) {
        return error(missing, format!("it is missing. The columns are {}", all()));
    }
    match names.iter().zip(&found).find(|(expected, found)| expected != *found) {
        None => Ok(()),
        Some((expected, found)) => {
            error(found, format!("it stands where {expected} is expected. The columns are, in this order, {}", all()))
        }
    }
}
