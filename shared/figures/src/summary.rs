//! The document that gold writes and the API serves: a day's figures with what is needed to read them.
//!
//! Invariant: every figure in it follows from the counts beside it ([`Figures::of`]), also after [`Summary::narrowed`]. A
//! reader ignores members that it does not know, and takes missing counters for 0.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::counters::{Counters, Repeats};
use crate::ratio::{Figures, ServiceLevel};
use crate::target::Targets;
use crate::{FCR_DAYS, SHORT_ABANDON_MS};

/// How finely a document's rows divide its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Granularity {
    /// One row per org, queue and media.
    #[serde(rename = "daily")]
    Daily,
    /// One row per org, queue, media and half hour.
    #[serde(rename = "30min")]
    HalfHourly,
}

impl Granularity {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Daily, Self::HalfHourly];

    /// As requests and keys spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::HalfHourly => "30min",
        }
    }

    /// The granularity of a request's word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// A day's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The form of this document.
    pub v: u32,
    /// The local date, `YYYY-MM-DD`.
    pub date: String,
    /// How finely the rows divide it.
    pub granularity: Granularity,
    /// The zone whose date it is, as the IANA database names it.
    pub time_zone: String,
    /// The run that found these figures had listed its input at this moment, RFC 3339. Events that were stored later are not in it.
    pub as_of: String,
    /// Counted up with each change of anything but `asOf`, from 1.
    pub revision: u64,
    /// More events had come by the end of the run; the date will be computed again.
    pub stale: bool,
    /// Whether first contact resolution may still change: its seven days are not over, or it was not computed since.
    pub fcr_provisional: bool,
    /// The local date from which it is final, `YYYY-MM-DD`.
    pub fcr_final_on: String,
    /// How the figures are made.
    pub definitions: Definitions,
    /// SHA-256 of the SQL texts, in hex.
    pub sql_sha256: String,
    /// The rows, ordered by org, queue, media and half hour; null before all others.
    pub rows: Vec<Row>,
    /// All rows together.
    pub totals: Totals,
}

/// How the figures are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definitions {
    /// What counts against a service level.
    pub service_level: ServiceLevel,
    /// Within what time a contact is to be answered.
    pub targets_ms: Targets,
    /// Abandons sooner than this are short.
    pub short_abandon_ms: i64,
    /// For how many days a further contact counts as a repeat.
    pub fcr_days: i64,
    /// Each figure, from the names of counts.
    pub figures: BTreeMap<String, String>,
}

impl Definitions {
    /// Those of this code.
    pub fn of(service_level: ServiceLevel, targets_ms: Targets) -> Self {
        let figures = Figures::DEFINED.iter().map(|(name, how)| ((*name).to_owned(), (*how).to_owned())).collect();
        Self { service_level, targets_ms, short_abandon_ms: SHORT_ABANDON_MS, fcr_days: FCR_DAYS, figures }
    }
}

/// What was counted: the interval SQL's sums, and the repeats' once they were told. A half hour has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The interval SQL's.
    #[serde(flatten)]
    pub counters: Counters,
    /// First contact resolution's.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
}

impl Counts {
    /// Adds another's. Repeats are told of all rows of a day, or of none.
    pub fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        if let Some(repeats) = &other.repeats {
            self.repeats.get_or_insert_default().add(repeats);
        }
    }

    /// What follows from it.
    pub fn figures(&self, level: ServiceLevel) -> Figures {
        Figures::of(&self.counters, self.repeats.as_ref(), level)
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The org.
    pub org: String,
    /// The queue; null for what happened beside all queues.
    pub queue_id: Option<String>,
    /// The local date, `YYYY-MM-DD`.
    pub date: String,
    /// When the half hour began, RFC 3339 in UTC; absent in a daily document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_start: Option<String>,
    /// The media; null where a queue's media are added up.
    pub media: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// What they follow from.
    pub counts: Counts,
    /// The key of the run in the lake's bucket: its SQL, its input and their digest.
    pub lineage: String,
}

/// All rows together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// What they follow from.
    pub counts: Counts,
}

impl Totals {
    /// Those of some rows.
    pub fn of(rows: &[Row], level: ServiceLevel) -> Self {
        let mut counts = Counts::default();
        rows.iter().for_each(|row| counts.add(&row.counts));
        Self { figures: counts.figures(level), counts }
    }
}

/// Which rows of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of these orgs; without any, of all.
    pub orgs: Option<BTreeSet<String>>,
    /// Those of this queue.
    pub queue_id: Option<String>,
    /// Those of this media; without one, a queue's media are added up.
    pub media: Option<String>,
}

impl Selection {
    fn takes(&self, row: &Row) -> bool {
        let is = |wanted: &Option<String>, had: &Option<String>| wanted.is_none() || wanted == had;
        self.orgs.as_ref().is_none_or(|orgs| orgs.contains(&row.org))
            && is(&self.queue_id, &row.queue_id)
            && is(&self.media, &row.media)
    }
}

impl Summary {
    /// The form that this code writes.
    pub const V: u32 = 1;

    /// The document for a selection of its rows, with their totals.
    #[must_use]
    pub fn narrowed(self, selection: &Selection) -> Self {
        let level = self.definitions.service_level;
        let mut rows: Vec<Row> = Vec::new();
        let mut places: BTreeMap<(String, Option<String>, Option<String>), usize> = BTreeMap::new();
        for row in self.rows.into_iter().filter(|row| selection.takes(row)) {
            if selection.media.is_some() {
                rows.push(row);
                continue;
            }
            let place = (row.org.clone(), row.queue_id.clone(), row.interval_start.clone());
            match places.get(&place) {
                Some(&at) => rows[at].counts.add(&row.counts),
                None => {
                    places.insert(place, rows.len());
                    rows.push(Row { media: None, ..row });
                }
            }
        }
        if selection.media.is_none() {
            rows.iter_mut().for_each(|row| row.figures = row.counts.figures(level));
            rows.sort_by(|a, b| row_order(a).cmp(&row_order(b)));
        }
        let totals = Totals::of(&rows, level);
        Self { rows, totals, ..self }
    }

    /// Whether two documents say the same, whenever they were found and whatever their revisions.
    pub fn says_what(&self, other: &Self) -> bool {
        let unmarked = |of: &Self| {
            let rows = of.rows.iter().map(|row| Row { lineage: String::new(), ..row.clone() }).collect();
            Self { as_of: String::new(), revision: 0, rows, ..of.clone() }
        };
        unmarked(self) == unmarked(other)
    }
}

/// What rows are ordered by.
pub fn row_order(row: &Row) -> (&str, Option<&str>, Option<&str>, Option<&str>) {
    (&row.org, row.queue_id.as_deref(), row.media.as_deref(), row.interval_start.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(org: &str, queue: &str, media: &str, answered: i64, talk_ms: i64) -> Row {
        let counters = Counters {
            answered,
            within_target: answered,
            handled: answered,
            handle_sessions: answered,
            talk_ms,
            ..Counters::default()
        };
        let repeats = Some(Repeats { fcr_eligible: answered, fcr_resolved: 1, no_contact_7d: 0 });
        let counts = Counts { counters, repeats };
        Row {
            org: org.to_owned(),
            queue_id: Some(queue.to_owned()),
            date: "2026-03-02".to_owned(),
            interval_start: None,
            media: Some(media.to_owned()),
            figures: counts.figures(ServiceLevel::default()),
            counts,
            lineage: "gold/runs/date=2026-03-02/3.json".to_owned(),
        }
    }

    fn summary() -> Summary {
        let rows = vec![
            row("acme", "q-1", "CHAT", 1, 100_000),
            row("acme", "q-1", "VOICE", 3, 600_000),
            row("acme", "q-2", "VOICE", 2, 100_000),
            row("zeta", "q-9", "VOICE", 4, 400_000),
        ];
        Summary {
            v: Summary::V,
            date: "2026-03-02".to_owned(),
            granularity: Granularity::Daily,
            time_zone: "UTC".to_owned(),
            as_of: "2026-03-02T14:00:00.000Z".to_owned(),
            revision: 3,
            stale: false,
            fcr_provisional: true,
            fcr_final_on: "2026-03-10".to_owned(),
            definitions: Definitions::of(ServiceLevel::default(), Targets::default()),
            sql_sha256: "00".repeat(32),
            totals: Totals::of(&rows, ServiceLevel::default()),
            rows,
        }
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let json = serde_json::to_value(summary()).unwrap();
        assert_eq!(json["rows"][1]["avg_duration_sec"], json!(200.0));
        assert_eq!(json["rows"][1]["counts"]["talk_ms"], json!(600_000));
        assert_eq!(json["rows"][1]["counts"]["fcr_eligible"], json!(3));
        assert_eq!((&json["granularity"], &json["timeZone"]), (&json!("daily"), &json!("UTC")));
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary());
        let mut half_hour = row("acme", "q", "VOICE", 1, 1);
        half_hour.counts.repeats = None;
        let text = serde_json::to_string(&half_hour).unwrap();
        assert!(!text.contains("fcr_eligible"), "{text}");
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap().counts.repeats, None);
        for one in Granularity::ALL {
            assert_eq!(Granularity::parse(one.as_str()), Some(one));
            assert_eq!(serde_json::to_value(one).unwrap(), json!(one.as_str()));
        }
    }

    #[test]
    fn without_a_media_a_queues_media_are_added_up_and_the_totals_are_those_of_the_rows() {
        let selection = Selection { orgs: Some(BTreeSet::from(["acme".to_owned()])), ..Selection::default() };
        let narrowed = summary().narrowed(&selection);
        let told: Vec<_> = narrowed.rows.iter().map(|row| (row.queue_id.as_deref(), row.media.as_deref())).collect();
        assert_eq!(told, [(Some("q-1"), None), (Some("q-2"), None)]);
        assert_eq!(serde_json::to_value(&narrowed.rows[0]).unwrap()["avg_duration_sec"], json!(175.0));
        assert_eq!((narrowed.totals.figures.total_contacts, narrowed.totals.counts.counters.talk_ms), (6, 800_000));
    }

    #[test]
    fn one_queue_and_one_media_are_those_rows_alone() {
        let (queue_id, media) = (Some("q-1".to_owned()), Some("VOICE".to_owned()));
        let narrowed = summary().narrowed(&Selection { queue_id, media, orgs: None });
        assert_eq!(narrowed.rows, [row("acme", "q-1", "VOICE", 3, 600_000)]);
        assert_eq!(narrowed.totals.figures.total_contacts, 3);
        let nothing = summary().narrowed(&Selection { orgs: Some(BTreeSet::new()), ..Selection::default() });
        assert_eq!((nothing.rows.len(), nothing.totals), (0, Totals::default()));
    }

    #[test]
    fn the_same_figures_at_another_time_say_the_same() {
        let mut later = summary();
        later.as_of = "2026-03-02T15:00:00.000Z".to_owned();
        later.revision = 4;
        later.rows.iter_mut().for_each(|row| row.lineage = "gold/runs/date=2026-03-02/4.json".to_owned());
        assert!(later.says_what(&summary()));
        assert!(!Summary { stale: true, ..summary() }.says_what(&summary()));
        later.rows[0].counts.counters.events += 1;
        assert!(!later.says_what(&summary()));
    }
}
