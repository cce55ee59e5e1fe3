//! The look-up of outcomes, compiled: what each word of a source means, and when.
//!
//! Invariant: of one word no two rows hold at one time, so that the order in which a description lists them changes nothing.

use std::collections::HashMap;

use super::compile::{Compiled, leak, wrong};
use super::{OutcomeRow, format, plain_word};
use crate::instant;

/// The rows of each word, latest first.
///
/// # Errors
/// A word is never found, a time is none, or two rows of a word overlap.
pub(super) fn compile(rows: &[format::Outcome]) -> Compiled<HashMap<&'static str, Vec<OutcomeRow>>> {
    let mut outcomes: HashMap<&'static str, Vec<(OutcomeRow, bool)>> = HashMap::new();
    for row in rows {
        let (from_ms, until_ms) = (time(row, row.from.as_deref())?, time(row, row.until.as_deref())?);
        let from_ms = from_ms.unwrap_or(i64::MIN);
        for word in &row.words {
            if plain_word(word) != *word {
                return Err(wrong(format!(
                    "{word:?} of the outcome {:?} is never found: write its letters and digits alone, in lower case",
                    row.is
                )));
            }
            let one = OutcomeRow { from_ms, until_ms: until_ms.unwrap_or(i64::MAX), meaning: leak(&row.is) };
            outcomes.entry(leak(word)).or_default().push((one, until_ms.is_some()));
        }
    }
    outcomes.into_iter().map(|(word, rows)| Ok((word, apart(word, rows)?))).collect()
}

/// A time of a row. Two spellings of one time are one; a time without an offset is UTC, as an event's is.
fn time(row: &format::Outcome, said: Option<&str>) -> Compiled<Option<i64>> {
    let bad = |said| wrong(format!("a row of the outcome {:?} names {said:?}, which is not a time", row.is));
    said.map(|said| instant::parse(said).ok_or_else(|| bad(said))).transpose()
}

/// The rows of one word, each with whether its end is stated; one without an end holds until the next begins.
fn apart(word: &str, mut rows: Vec<(OutcomeRow, bool)>) -> Compiled<Vec<OutcomeRow>> {
    rows.sort_unstable_by_key(|(row, _)| std::cmp::Reverse(row.from_ms));
    let mut next_ms = i64::MAX;
    let mut apart = Vec::with_capacity(rows.len());
    for (mut row, is_stated) in rows {
        if !is_stated {
            row.until_ms = next_ms;
        }
        if row.from_ms >= row.until_ms || row.until_ms > next_ms {
            return Err(wrong(format!(
                "two rows of the outcome {word:?} hold at one time, or one holds never: let each end where the next begins"
            )));
        }
        next_ms = row.from_ms;
        apart.push(row);
    }
    Ok(apart)
}
