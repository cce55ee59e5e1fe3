//! What a person asks of silver: the events behind a figure, and the events of a provenance.
//!
//! Invariant: the events behind a figure are the rows that the interval text sums up, by the very expression that it sums: [`facts`] takes
//! both from that text. Names that a person typed are put into a text as quoted texts alone.

use ledgerline_figures::target::Targets;
use time::Date;

use super::{INTERVALS, dated, read_for_intervals, whole};
use crate::keys::iso_date;

/// Which events of a date are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Behind<'a> {
    /// The queue; none asks for what happened beside all queues.
    pub queue_id: Option<&'a str>,
    /// Only this medium.
    pub media: Option<&'a str>,
    /// Only this org.
    pub org: Option<&'a str>,
    /// A counter's name, or `total_contacts`.
    pub metric: &'a str,
    /// From when on, epoch milliseconds.
    pub first_ms: i64,
    /// Up to when, epoch milliseconds.
    pub end_ms: i64,
}

/// What a contact is, as the daily file adds it up.
const CONTACTS: [&str; 4] = ["answered", "abandoned", "flow_out", "outcome_unknown"];
/// The name of that sum.
pub const TOTAL_CONTACTS: &str = "total_contacts";
const WITHIN_TARGET: &str = "within_target";

/// The events of a UTC date that a figure counts, and what each adds to it; `None` if no counter has the name, or a text cannot be quoted.
/// Where each counts for one, their number is the figure.
pub fn facts(date: Date, behind: &Behind<'_>, targets: &Targets) -> Option<String> {
    let (ctes, select) = INTERVALS.split_once("\nSELECT f.org")?;
    let value = value(select, behind, targets)?;
    let only = |column: &str, text: Option<&str>| match text {
        Some(text) => quoted(text).map(|text| format!(" AND f.{column} = {text}")),
        None => Some(String::new()),
    };
    let queue = match behind.queue_id {
        Some(queue) => only("queue_id", Some(queue))?,
        None => " AND f.queue_id IS NULL".to_owned(),
    };
    let (media, org) = (only("media", behind.media)?, only("org", behind.org)?);
    let Behind { first_ms, end_ms, .. } = behind;
    let (from, to) = read_for_intervals(date);
    let place = "interaction_id, ev.bronze_object, ev.bronze_line";
    let ctes = whole(ctes, [" bronze_object, bronze_line,", &format!(" ev.{place},")]);
    let ctes = dated(&ctes, from, to).replace("{date}", &iso_date(date));
    Some(format!(
        "{ctes}\n\
         SELECT f.org, f.division, f.queue_id, f.media, f.direction, f.event_type, f.occurred_at_ms,\n\
         \x20      f.interaction_id, f.bronze_object, f.bronze_line, {value} AS counted\n\
         FROM fact f\n\
         WHERE f.occurred_at_ms >= {first_ms} AND f.occurred_at_ms < {end_ms}{queue}{media}{org}\n\
         \x20 AND {value} <> 0\n\
         ORDER BY f.occurred_at_ms, f.bronze_object, f.bronze_line"
    ))
}

/// The expression that the interval text sums for a metric.
fn value(select: &str, behind: &Behind<'_>, targets: &Targets) -> Option<String> {
    match behind.metric {
        TOTAL_CONTACTS => {
            let each = CONTACTS.iter().map(|name| summed(select, name)).collect::<Option<Vec<_>>>()?;
            Some(format!("({})", each.join(" + ")))
        }
        WITHIN_TARGET => {
            let target_ms = target_ms(behind.queue_id, targets)?;
            Some(format!(
                "(CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ANSWERED' AND f.wait_ms <= {target_ms} THEN 1 ELSE 0 END)"
            ))
        }
        name => summed(select, name),
    }
}

/// The expression that the interval text sums for a counter. Of answers within a target it is the one for a single target.
pub fn expression(counter: &str) -> Option<&'static str> {
    let (_, select) = INTERVALS.split_once("\nSELECT f.org")?;
    match counter {
        WITHIN_TARGET => Some(WITHIN),
        name => sum_of(select, name),
    }
}

/// Of [`WITHIN_TARGET`], as [`super::intervals`] writes it for each target.
const WITHIN: &str =
    "CASE WHEN f.event_type = 'acd.end' AND f.acd_outcome = 'ANSWERED' AND f.wait_ms <= 0 THEN 1 ELSE 0 END";

/// `x` of `sum(x) AS name`, in brackets.
fn summed(select: &str, name: &str) -> Option<String> {
    sum_of(select, name).map(|sum| format!("({sum})"))
}

fn sum_of<'s>(select: &'s str, name: &str) -> Option<&'s str> {
    let end = select.find(&format!(") AS {name},")).or_else(|| select.find(&format!(") AS {name}\n")))?;
    let begin = select[..end].rfind("sum(")? + "sum(".len();
    Some(&select[begin..end])
}

/// A queue's target by the medium of the event.
fn target_ms(queue_id: Option<&str>, targets: &Targets) -> Option<String> {
    let of_queue = queue_id.and_then(|queue| targets.by_queue.get(queue));
    let media = targets.by_media.keys().chain(of_queue.into_iter().flat_map(|media| media.keys()));
    let media: std::collections::BTreeSet<&String> = media.collect();
    let cases = media.into_iter().map(|media| {
        let target_ms = targets.of(queue_id, media);
        quoted(media).map(|media| format!(" WHEN f.media = {media} THEN {target_ms}"))
    });
    Some(format!("(CASE{} ELSE {} END)", cases.collect::<Option<String>>()?, targets.other))
}

/// The events whose provenance has this status and version, each with its place; those of some dates, in the order of their occurrence.
/// `None` if a word has another form than provenance's.
pub fn provenance(
    from: Date,
    to: Date,
    status: Option<&str>,
    version: Option<&str>,
    org: Option<&str>,
    limit: usize,
) -> Option<String> {
    let member = |name: &str, word: Option<&str>| match word {
        None => Some(String::new()),
        Some(word) if is_word(word) => Some(format!("\n  AND lineage_provenance LIKE '%\"{name}\":\"{word}\"%'")),
        Some(_) => None,
    };
    let (status, version) = (member("status", status)?, member("version", version)?);
    let org = org.map_or(Some(String::new()), |org| quoted(org).map(|org| format!(" AND org = {org}")))?;
    let sql = format!(
        "SELECT org, interaction_id, entity_type, entity_id, event_type, occurred_at_ms, bronze_object, bronze_line,\n\
         \x20      lineage_token, lineage_provenance\n\
         FROM silver_events\n\
         WHERE \"date\" BETWEEN '{{from}}' AND '{{to}}' AND lineage_provenance IS NOT NULL{org}{status}{version}\n\
         ORDER BY occurred_at_ms, bronze_object, bronze_line\n\
         LIMIT {limit}"
    );
    Some(dated(&sql, from, to))
}

/// A word that stands for itself in a pattern and in JSON.
fn is_word(text: &str) -> bool {
    (1..=WORD_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// A text as SQL has it; `None` for one that no id and no name is.
fn quoted(text: &str) -> Option<String> {
    let fits = text.chars().count() <= NAME_CHARS && !text.chars().any(char::is_control);
    fits.then(|| format!("'{}'", text.replace('\'', "''")))
}

const WORD_BYTES: usize = 64;
/// Ids of queues are UUIDs, or a phrase as a source has it.
const NAME_CHARS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_figures::Counters;
    use time::macros::date;

    const DAY: Date = date!(2026 - 03 - 02);

    fn behind<'a>(queue_id: Option<&'a str>, metric: &'a str) -> Behind<'a> {
        Behind { queue_id, media: None, org: None, metric, first_ms: 0, end_ms: 9 }
    }

    #[test]
    fn every_counter_has_its_expression_and_no_place_is_left() {
        for name in Counters::NAMES.iter().chain(&[TOTAL_CONTACTS]) {
            let sql = facts(DAY, &behind(Some("q-1"), name), &Targets::default()).unwrap();
            assert!(!sql.contains(['{', '}', ';']) && !sql.contains("sum(CASE WHEN f."), "{name}: {sql}");
            assert!(
                sql.contains("BETWEEN '2026-03-01' AND '2026-03-03'") && sql.contains("f.queue_id = 'q-1'"),
                "{name}"
            );
        }
        let abandoned = facts(DAY, &behind(None, "abandoned"), &Targets::default()).unwrap();
        assert!(abandoned.contains("f.acd_outcome = 'ABANDON' THEN 1 ELSE 0 END) AS counted"), "{abandoned}");
        assert!(abandoned.contains("f.queue_id IS NULL"));
        for name in ["avg_duration_sec", "fcr_rate_pct", "abandon", "", "org"] {
            assert_eq!(facts(DAY, &behind(None, name), &Targets::default()), None, "{name}");
        }
    }

    #[test]
    fn what_was_typed_is_a_text_and_nothing_else() {
        let sql = facts(DAY, &behind(Some("q' OR '1'='1"), "answered"), &Targets::default()).unwrap();
        assert!(sql.contains("f.queue_id = 'q'' OR ''1''=''1'"), "{sql}");
        assert_eq!(facts(DAY, &behind(Some("q\n"), "answered"), &Targets::default()), None);
        for word in ["", "a_b", "a%", "a'b", "a\"b", "a b"] {
            assert_eq!(provenance(DAY, DAY, Some(word), None, None, 7), None, "{word}");
        }
        let sql = provenance(DAY, DAY, Some("processed"), Some("1.1"), Some("o'neill"), 7).unwrap();
        assert!(
            sql.contains("LIKE '%\"status\":\"processed\"%'") && sql.contains("LIKE '%\"version\":\"1.1\"%'"),
            "{sql}"
        );
        assert!(sql.contains("org = 'o''neill'") && sql.ends_with("LIMIT 7"), "{sql}");
    }

    #[test]
    fn a_queues_own_target_decides_what_is_within() {
        let own = Targets::read("queue_id,media,target_seconds\nq-1,VOICE,60\n").unwrap();
        let of = |queue| facts(DAY, &behind(Some(queue), WITHIN_TARGET), &own).unwrap();
        assert!(of("q-1").contains("WHEN f.media = 'VOICE' THEN 60000"));
        assert!(of("q-2").contains("WHEN f.media = 'VOICE' THEN 20000") && of("q-2").contains("'EMAIL' THEN 86400000"));
    }
}
