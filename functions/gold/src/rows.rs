//! Rows of Athena's answers as counters. A row that is not one of the statement's is none.

use std::collections::HashMap;

use ledgerline_figures::{Counters, DayKey, Interval, IntervalKey, Repeats, Targets};
use ledgerline_lake::sql::WITHIN;

/// A row's cells by their columns' names.
struct Cells<'a>(HashMap<&'a str, Option<&'a str>>);

impl<'a> Cells<'a> {
    fn of(columns: &'a [String], row: &'a [Option<String>]) -> Option<Self> {
        let cells = columns.iter().map(String::as_str).zip(row.iter().map(Option::as_deref));
        (columns.len() == row.len()).then(|| Self(cells.collect()))
    }

    /// A text that may be null, of a column that must be there.
    fn text(&self, name: &str) -> Option<Option<String>> {
        self.0.get(name).map(|cell| cell.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied().flatten()?.parse().ok()
    }

    fn count(&self, name: &str) -> Option<i64> {
        self.number(name).filter(|count| *count >= 0)
    }
}

/// A row of the interval statement. Its answers within target are those within its queue's and media's own.
pub(crate) fn interval(columns: &[String], row: &[Option<String>], targets: &Targets) -> Option<Interval> {
    let cells = Cells::of(columns, row)?;
    let key = IntervalKey {
        org: cells.text("org")??,
        division: cells.text("division")?,
        queue_id: cells.text("queue_id")?,
        media: cells.text("media")??,
        direction: cells.text("direction")??,
        interval_start_ms: cells.number("interval_start_ms")?,
    };
    let mut counters = Counters::default();
    for name in Counters::NAMES {
        let counted = match *name {
            "within_target" => {
                let target_ms = targets.of(key.queue_id.as_deref(), &key.media);
                cells.count(&format!("{WITHIN}{target_ms}"))?
            }
            name => cells.count(name)?,
        };
        *counters.named(name)? = counted;
    }
    Some(Interval { key, counters })
}

/// A row of the statement of repeats: when the last answer's half hour began, of what, how many.
pub(crate) fn repeats(columns: &[String], row: &[Option<String>]) -> Option<(i64, DayKey, Repeats)> {
    let cells = Cells::of(columns, row)?;
    let key = DayKey { org: cells.text("org")??, queue_id: cells.text("queue_id")?, media: cells.text("media")?? };
    let mut repeats = Repeats::default();
    for name in Repeats::NAMES {
        *repeats.named(name)? = cells.count(name)?;
    }
    Some((cells.number("interval_start_ms")?, key, repeats))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[(&str, Option<&str>)]) -> (Vec<String>, Vec<Option<String>>) {
        cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.map(str::to_owned))).unzip()
    }

    fn interval_cells(change: (&'static str, Option<&'static str>)) -> (Vec<String>, Vec<Option<String>>) {
        let mut cells = vec![
            ("org", Some("acme")),
            ("division", None),
            ("queue_id", Some("q-1")),
            ("media", Some("VOICE")),
            ("direction", Some("INBOUND")),
            ("interval_start_ms", Some("1772460000000")),
            ("within_20000", Some("3")),
            ("within_60000", Some("5")),
        ];
        cells.extend(Counters::NAMES.iter().filter(|name| **name != "within_target").map(|name| (*name, Some("7"))));
        cells.iter_mut().filter(|(name, _)| *name == change.0).for_each(|cell| cell.1 = change.1);
        table(&cells)
    }

    #[test]
    fn answers_within_target_are_those_of_the_queues_own() {
        let (columns, row) = interval_cells(("", None));
        let read = |targets: &Targets| interval(&columns, &row, targets).unwrap();
        assert_eq!(read(&Targets::default()).counters.within_target, 3);
        let own = Targets::read("queue_id,media,target_seconds\nq-1,VOICE,60\n").unwrap();
        assert_eq!((read(&own).counters.within_target, read(&own).counters.answered), (5, 7));
        assert_eq!(read(&own).key.division, None);
    }

    #[test]
    fn a_row_that_lacks_a_cell_or_has_another_form_is_none() {
        let read = |(columns, row): (Vec<String>, Vec<Option<String>>)| interval(&columns, &row, &Targets::default());
        for change in [
            ("org", None),
            ("media", Some("")),
            ("interval_start_ms", Some("soon")),
            ("answered", Some("-1")),
            ("answered", Some("1.5")),
            ("within_20000", None),
        ] {
            assert_eq!(read(interval_cells(change)), None, "{change:?}");
        }
        let (columns, mut row) = interval_cells(("", None));
        row.pop();
        assert_eq!(interval(&columns, &row, &Targets::default()), None);
        let (columns, row) = table(&[("org", Some("acme"))]);
        assert_eq!(interval(&columns, &row, &Targets::default()), None);
    }

    #[test]
    fn repeats_are_read_by_their_names() {
        let (columns, row) = table(&[
            ("no_contact_7d", Some("1")),
            ("org", Some("acme")),
            ("queue_id", None),
            ("media", Some("CHAT")),
            ("interval_start_ms", Some("0")),
            ("fcr_eligible", Some("3")),
            ("fcr_resolved", Some("2")),
        ]);
        let (start_ms, key, told) = repeats(&columns, &row).unwrap();
        assert_eq!((start_ms, key.queue_id, key.media.as_str()), (0, None, "CHAT"));
        assert_eq!(told, Repeats { fcr_eligible: 3, fcr_resolved: 2, no_contact_7d: 1 });
    }
}
