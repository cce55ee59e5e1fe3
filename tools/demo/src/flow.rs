//! Traffic for the demo: which caller is shown, what is sent when, and what must come of it.
//!
//! Invariant: what must come out is said by the generator before anything is sent; what did come out is read from the
//! chain. The two meet in the checks only.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use ledgerline_traffic::r#gen::{Planted, Traffic};
use serde_json::Value;
use xtask::fault::Fault;

use super::identity;
use super::report::{Check, Span, Tally, grouped};

/// The caller whose event is shown, and that caller's share of the traffic.
pub(super) struct Shown {
    /// The interaction.
    pub interaction_id: String,
    /// The caller's number, E.164.
    pub phone: String,
    /// The event as it is sent.
    pub event: Value,
    /// The interaction whose identity audit is shown: the same one, if that was audited.
    pub identity_interaction_id: String,
    /// The identity audit as it is sent.
    pub identity: Value,
    /// Every record of these interactions, in order of arrival.
    pub first: Vec<Vec<u8>>,
    /// All other records.
    pub rest: Vec<Vec<u8>>,
}

/// Chooses what is worth showing: after-call notes with a name and a number, of a call whose caller's identity was audited
/// if there is one, of the caller with most interactions; and that identity audit.
pub(super) fn choose(traffic: Traffic) -> Result<(Shown, Planted), Fault> {
    let Traffic { records, planted } = traffic;
    let contacts = |phone: &str| -> usize {
        let found = planted.identifiers.iter().find(|one| one.kind == "phone" && one.value == phone);
        found.map_or(0, |one| one.resolves.len())
    };
    let mut identities: BTreeMap<String, Value> = records.iter().filter_map(|one| identity::candidate(one)).collect();
    let candidates = records.iter().filter_map(|record| {
        let event: Value = serde_json::from_slice(record).ok()?;
        let body = event.pointer("/detail/eventBody")?;
        let notes = body["wrapupNotes"].as_str()?;
        let phone = body["ani"].as_str()?.strip_prefix("tel:")?.to_owned();
        let telling = event["detail-type"].as_str()?.ends_with(".acw") && notes.starts_with("spoke with");
        let whole = body["mediaType"] == "VOICE" && body["direction"] == "INBOUND" && body.get("aiSummary").is_none();
        let id = body["conversationId"].as_str()?.to_owned();
        (telling && whole).then(|| ((identities.contains_key(&id), contacts(&phone)), id, phone, event.clone()))
    });
    let missing = |what: &str| Fault::new(format!("no call of this traffic {what}"), "ask for more interactions");
    let chosen = candidates.max_by_key(|(worth, ..)| *worth);
    let (_, id, phone, event) = chosen.ok_or_else(|| missing("ends with notes about the caller"))?;
    let audited = identities.remove_entry(&id).or_else(|| identities.pop_first());
    let (audited, identity) = audited.ok_or_else(|| missing("has an identity audit"))?;
    let (first, rest) = records.into_iter().partition(|one: &Vec<u8>| holds(one, &id) || holds(one, &audited));
    Ok((Shown { interaction_id: id, phone, event, identity_interaction_id: audited, identity, first, rest }, planted))
}

fn holds(record: &[u8], id: &str) -> bool {
    record.windows(id.len()).any(|window| window == id.as_bytes())
}

/// A searcher for everything that was planted.
pub(super) struct Search {
    automaton: AhoCorasick,
    /// How many identifiers there are.
    pub identifiers: u64,
}

impl Search {
    /// Looks for every form of every planted identifier, in any case of letters.
    pub(super) fn new(planted: &Planted) -> Result<Self, Fault> {
        let needles = planted.identifiers.iter().flat_map(|identifier| &identifier.needles);
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(needles);
        let automaton = automaton
            .map_err(|error| Fault::caused_by("cannot search that much", error, "ask for fewer interactions"))?;
        Ok(Self { automaton, identifiers: planted.identifiers.len() as u64 })
    }

    /// How often anything planted occurs.
    pub(super) fn count(&self, text: &[u8]) -> u64 {
        self.automaton.find_iter(text).count() as u64
    }

    /// The fields of an event by path, with what is personal in them.
    pub(super) fn fields(&self, body: &Value) -> Vec<(String, Vec<Span>)> {
        let mut fields = Vec::new();
        self.walk("", body, &mut fields);
        fields
    }

    fn walk(&self, path: &str, value: &Value, fields: &mut Vec<(String, Vec<Span>)>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| self.walk(&below(key), value, fields)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, value)| self.walk(&below(&at.to_string()), value, fields));
            }
            // Agents are people, too: the row has a pseudonym for them.
            Value::String(text) if ["userid", "agentid"].iter().any(|end| path.to_ascii_lowercase().ends_with(end)) => {
                fields.push((path.to_owned(), vec![Span { text: text.clone(), personal: true }]));
            }
            Value::String(text) => fields.push((path.to_owned(), self.spans(text))),
            other => fields.push((path.to_owned(), vec![Span { text: other.to_string(), personal: false }])),
        }
    }

    fn spans(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut push = |text: &str, personal| {
            if !text.is_empty() {
                spans.push(Span { text: text.to_owned(), personal });
            }
        };
        let mut from = 0;
        for found in self.automaton.find_iter(text) {
            // The international prefix belongs to the number.
            let begin = found.start() - if text[from..found.start()].ends_with("+1") { 2 } else { 0 };
            push(&text[from..begin], false);
            push(&text[begin..found.end()], true);
            from = found.end();
        }
        push(&text[from..], false);
        spans
    }
}

/// Whether what was sent and what the chain counted agree.
pub(super) fn reconcile(planted: &Planted, tally: &Tally) -> Vec<Check> {
    let counts = &planted.counts;
    let check = |name: &str, passed: bool, detail: String, remedy: &str| Check {
        name: name.to_owned(),
        passed,
        detail,
        remedy: (!passed).then(|| remedy.to_owned()),
    };
    vec![
        check(
            "Every document is accounted for, none is under way",
            tally.r#in == counts.documents && tally.r#in == tally.accounted() && tally.in_flight == 0,
            format!(
                "{} sent, {} in, {} accounted for, {} in flight",
                grouped(counts.documents),
                grouped(tally.r#in),
                grouped(tally.accounted()),
                grouped(tally.in_flight)
            ),
            "compare the OBJ rows of the control table with the objects under bronze/, and read the functions' log",
        ),
        check(
            "Each distinct event ends once: committed, or filtered by policy",
            tally.committed + tally.filtered == counts.events,
            format!(
                "{} distinct, {} committed, {} filtered",
                grouped(counts.events),
                grouped(tally.committed),
                grouped(tally.filtered)
            ),
            "an event's identity changed between two sendings, or a claim was lost: look at the CLAIM items of the index table",
        ),
        check(
            "What was sent again is recognised",
            tally.duplicate == counts.duplicates,
            format!("{} sent again, {} recognised", grouped(counts.duplicates), grouped(tally.duplicate)),
            "look at the CLAIM items of the index table",
        ),
        check(
            "What is broken is kept aside, whole",
            tally.quarantined == counts.malformed,
            format!("{} broken, {} in quarantine", grouped(counts.malformed), grouped(tally.quarantined)),
            "look at the objects under quarantine/ in the bronze bucket: each line has a reason",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use ledgerline_traffic::r#gen::{GenArgs, generate};

    fn traffic() -> Traffic {
        let calm = GenArgs::calm(120, 4, date!(2026 - 03 - 02));
        generate(&GenArgs { duplicates: 20.0, malformed: 2.0, guides: 40.0, ..calm })
    }

    #[test]
    fn the_shown_caller_is_sent_first_and_nothing_is_sent_twice_or_lost() {
        let before = traffic();
        let all = before.records.len();
        let (shown, planted) = choose(before).unwrap();
        assert_eq!(shown.first.len() + shown.rest.len(), all);
        let of_the_call = |record: &Vec<u8>| {
            let elements =
                String::from_utf8_lossy(record).matches(&format!("case_id\":\"{}", shown.interaction_id)).count();
            if holds(record, &shown.interaction_id) { elements.max(1) as u64 } else { 0 }
        };
        let documents: u64 = shown.first.iter().map(of_the_call).sum();
        assert!(documents >= planted.per_record[&shown.interaction_id]);
        for id in [&shown.interaction_id, &shown.identity_interaction_id] {
            assert!(shown.rest.iter().all(|record| !holds(record, id)));
        }
        let phone = planted.identifiers.iter().find(|one| one.value == shown.phone).unwrap();
        assert!(phone.resolves.contains(&shown.interaction_id));
    }

    #[test]
    fn what_is_personal_in_the_shown_event_is_marked() {
        let (shown, planted) = choose(traffic()).unwrap();
        let search = Search::new(&planted).unwrap();
        let fields = search.fields(shown.event.pointer("/detail/eventBody").unwrap());
        let marked = |path: &str| -> Vec<String> {
            let (_, spans) = fields.iter().find(|(name, _)| name == path).unwrap();
            spans.iter().filter(|span| span.personal).map(|span| span.text.clone()).collect()
        };
        assert_eq!(marked("ani").concat(), shown.phone);
        assert_eq!(marked("wrapupNotes").len(), 2, "a name and a number");
        assert_eq!(marked("userId").len(), 1, "the agent");
        assert!(marked("queueId").is_empty() && marked("dnis").is_empty());
    }

    #[test]
    fn a_planted_value_is_found_in_any_case() {
        let (shown, planted) = choose(traffic()).unwrap();
        let search = Search::new(&planted).unwrap();
        let text = shown.event.to_string();
        assert!(search.count(text.as_bytes()) >= 3 && search.count(text.to_uppercase().as_bytes()) >= 3);
        assert_eq!(search.count(b"{\"queue_id\":\"5169b6fa-0543-5428-8d60-2e3d7a1d2909\"}"), 0);
    }

    #[test]
    fn each_kind_of_loss_fails_a_check_and_names_a_remedy() {
        let planted = traffic().planted;
        let counts = &planted.counts;
        let right = Tally {
            r#in: counts.documents,
            committed: counts.events,
            duplicate: counts.duplicates,
            quarantined: counts.malformed,
            ..Tally::default()
        };
        assert!(reconcile(&planted, &right).iter().all(|check| check.passed && check.remedy.is_none()));
        let wrong = [
            Tally { r#in: right.r#in - 1, ..right },
            Tally { committed: right.committed - 1, ..right },
            Tally { committed: right.committed + 1, duplicate: right.duplicate - 1, ..right },
            Tally { quarantined: right.quarantined - 1, duplicate: right.duplicate + 1, ..right },
            Tally { committed: right.committed - 1, in_flight: 1, ..right },
        ];
        for tally in wrong {
            let failed: Vec<_> = reconcile(&planted, &tally).into_iter().filter(|check| !check.passed).collect();
            assert!(!failed.is_empty() && failed.iter().all(|check| check.remedy.is_some()), "{tally:?}");
        }
    }
}
