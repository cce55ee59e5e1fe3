//! Act 1, its second half: one identity audit whole, as it arrived, as analysts see it, and as the ledger keeps it.
//!
//! Invariant: what the audit decided (how, over which medium, with which consent) must come out in clear, whom it
//! decided on must not; [`check`] says whether both hold, in row and entry alike. Who it was is sealed: [`sealed`](super::sealed).

use std::io::{self, Write};

use ledgerline_traffic::silver;
use serde_json::{Map, Value};

use super::caller::{shown, told};
use super::flow::Search;
use super::report::{Check, Identity, Sealed, Span};
use super::screen::Screen;

/// The interaction and the event, if a record is an identity audit of a call that has every member of the guide's.
pub(super) fn candidate(record: &[u8]) -> Option<(String, Value)> {
    // Of a day's records few begin so, and only those are parsed.
    record.starts_with(b"{\"auditEvent\":").then_some(())?;
    let event: Value = serde_json::from_slice(record).ok()?;
    let audit = &event["auditEvent"];
    let undrifted = event.as_object()?.keys().eq(["auditEvent", "orgId"]);
    let by_phone = audit["channelType"] == "VOICE" && audit.pointer("/piiContext/phoneHash")?.is_string();
    let complete = DECIDED.iter().all(|(place, _)| audit.pointer(place).is_some_and(|value| !value.is_null()));
    let identity = audit["eventType"] == "IDENTITY_RESOLUTION" && audit["agentId"].is_null();
    let id = audit["interactionId"].as_str()?.to_owned();
    (undrifted && by_phone && complete && identity).then_some((id, event))
}

/// When the audit says that it happened, as silver writes times.
pub(super) fn occurred_at(event: &Value) -> &str {
    event.pointer("/auditEvent/timestamp").and_then(Value::as_str).unwrap_or_default()
}

/// The event, its row and its entry as the report has them.
pub(super) fn read(
    event: &Value,
    (object, row): (String, silver::Row),
    (segment, entry): (String, Map<String, Value>),
    sealed: Sealed,
    search: &Search,
) -> Identity {
    let mut raw = search.fields(event);
    raw.sort_by_key(|(path, _)| place_of(path, &AS_THE_GUIDE));
    Identity {
        interaction_id: event.pointer("/auditEvent/interactionId").and_then(Value::as_str).unwrap_or_default().into(),
        raw,
        silver: row,
        silver_object: object,
        entry: members(entry),
        segment,
        sealed,
    }
}

/// Shows all three.
pub(super) fn tell(screen: &mut Screen<impl Write>, identity: &Identity) -> io::Result<()> {
    screen.say(
        "Another system found out who was calling, and its identity audit went the same way. The event whole, before and \
         after:",
    )?;
    screen.gap()?;
    let event: Vec<_> = outline(&identity.raw)
        .into_iter()
        .map(|line| (format!("{}{}", " ".repeat(line.depth), line.name), line.spans.to_vec()))
        .collect();
    screen.beside(("As it arrived: bronze", &event), ("As analysts see it: silver", &told(&identity.silver, &TOLD)))?;
    screen.gap()?;
    let value = |name: &str| silver::cell(&identity.entry, name).map(shown).unwrap_or_default();
    screen.fact("its ledger entry", &format!("{}, “{}”, {}", value("type"), value("activity"), value("occurredAt")))?;
    let fields = identity.entry.iter().filter_map(|(path, value)| Some((path.strip_prefix("fields/")?, value)));
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name} {}", shown(value))).collect();
    screen.fact("in clear", &fields.join(", "))?;
    screen.fact("lineage", &value("lineageToken"))?;
    screen.fact("segment", &identity.segment)?;
    screen.gap()?;
    screen.say("What was decided, and how, is in clear. Who it was is in clear in neither row nor entry.")
}

/// Whether what the audit decided is in clear in row and entry, and nothing that was planted in either.
pub(super) fn check(event: &Value, identity: &Identity, search: &Search) -> Check {
    let entry = |name: &str| {
        let path = if name == "event_type" { "type".to_owned() } else { format!("fields/{name}") };
        silver::cell(&identity.entry, &path)
    };
    let (mut said, mut missing) = (Vec::new(), Vec::new());
    for (place, name) in DECIDED {
        let told = event.pointer(&format!("/auditEvent{place}")).unwrap_or(&Value::Null);
        let told = if name == "event_type" { &Value::from(RESOLUTION) } else { told };
        said.push(format!("{name} {}", shown(told)));
        for (where_, found) in [("row", silver::cell(&identity.silver, name)), ("entry", entry(name))] {
            if !found.is_some_and(|found| shown(found).eq_ignore_ascii_case(&shown(told))) {
                missing.push(format!("{name} of the {where_} is {}", found.map_or("empty".to_owned(), shown)));
            }
        }
    }
    let text = |members: &[(String, Value)]| serde_json::to_string(members).unwrap_or_default();
    let left = search.count(text(&identity.silver).as_bytes()) + search.count(text(&identity.entry).as_bytes());
    let passed = missing.is_empty() && left == 0;
    let said = if missing.is_empty() { format!("in clear: {}", said.join(", ")) } else { missing.join(", ") };
    Check {
        name: "The identity event is read whole".to_owned(),
        passed,
        detail: format!("{said}; {left} planted values found in row and entry"),
        remedy: (!passed).then(|| REMEDY.to_owned()),
    }
}

/// A line of an event written as an outline: an object's name stands over its members.
pub(super) struct Line<'a> {
    /// How deep it is indented.
    pub(super) depth: usize,
    /// The whole path.
    pub(super) path: String,
    /// The last part of the path.
    pub(super) name: &'a str,
    /// Nothing for an object.
    pub(super) spans: &'a [Span],
}

/// The fields of an event, by path, as an outline.
pub(super) fn outline(fields: &[(String, Vec<Span>)]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for (path, spans) in fields {
        let mut parts: Vec<&str> = path.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let common = open.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        open.truncate(common);
        for part in &parts[common..] {
            open.push(part);
            lines.push(Line { depth: open.len() - 1, path: open.join("/"), name: part, spans: &[] });
        }
        lines.push(Line { depth: open.len(), path: path.clone(), name, spans });
    }
    lines
}

/// Whether this member of the event, or column, or member of the entry is what the audit decided.
pub(super) fn is_decided(path: &str) -> bool {
    let name = path.strip_prefix("fields/").unwrap_or(path);
    let told = path.strip_prefix("auditEvent");
    name == "type" || DECIDED.iter().any(|(place, column)| Some(*place) == told || *column == name)
}

/// An entry's members by path, what it says first; a list in one line, nothing of an empty one.
fn members(entry: Map<String, Value>) -> Vec<(String, Value)> {
    let mut members = Vec::new();
    for (name, value) in entry {
        match value {
            Value::Object(inner) => {
                members.extend(inner.into_iter().map(|(key, value)| (format!("{name}/{key}"), value)))
            }
            Value::Array(blocks) if name == "sealed" => members.extend(blocks.iter().filter_map(block)),
            Value::Array(items) if items.is_empty() => {}
            Value::Array(items) => {
                members.push((name, items.iter().map(shown).collect::<Vec<_>>().join(", ").into()));
            }
            plain => members.push((name, plain)),
        }
    }
    members.sort_by_key(|(path, _)| place_of(path, &AS_AN_ENTRY));
    members
}

/// A sealed block under its party's name: how it begins, and its length.
fn block(block: &Value) -> Option<(String, Value)> {
    let (party, noise) = (block["p"].as_str()?, block["b"].as_str()?);
    let begin = noise.get(..BLOCK_SHOWN).unwrap_or(noise);
    Some((format!("sealed/{party}"), format!("{begin}… ({} characters)", noise.len()).into()))
}

fn place_of(path: &str, order: &[&str]) -> usize {
    order.iter().position(|name| path.starts_with(name)).unwrap_or(order.len())
}

/// What the audit decided: where it stands in the event, and the column and entry's field that hold it.
const DECIDED: [(&str, &str); 6] = [
    ("/eventType", "event_type"),
    ("/channelType", "media"),
    ("/resolutionSource", "resolution_source"),
    ("/complianceFlags/gdprConsentRecorded", "consent_gdpr"),
    ("/complianceFlags/dataSubjectRequestPending", "request_pending"),
    ("/queueId", "queue_id"),
];

/// What `IDENTITY_RESOLUTION` becomes.
const RESOLUTION: &str = "identity.resolution";

const REMEDY: &str = "compare the event with the description of the sources (shared/event/builtin.toml): a member has no field or rule there";

/// The members in the order in which the guide writes them.
const AS_THE_GUIDE: [&str; 10] = [
    "auditEvent/eventType",
    "auditEvent/timestamp",
    "auditEvent/interactionId",
    "auditEvent/channelType",
    "auditEvent/resolvedCustomerId",
    "auditEvent/resolutionSource",
    "auditEvent/piiContext",
    "auditEvent/complianceFlags",
    "auditEvent/agentId",
    "auditEvent/queueId",
];

const AS_AN_ENTRY: [&str; 10] = [
    "type",
    "activity",
    "occurredAt",
    "interactionId",
    "fields/",
    "keyIds",
    "sealed/",
    "masked",
    "lineageToken",
    "policyVersion",
];

/// How much of a block is shown.
const BLOCK_SHOWN: usize = 96;

/// Columns that the terminal shows; the page shows all.
const TOLD: [&str; 14] = [
    "event_id",
    "interaction_id",
    "source",
    "event_type",
    "activity",
    "occurred_at",
    "media",
    "queue_id",
    "resolution_source",
    "consent_gdpr",
    "request_pending",
    "customer_ref",
    "masked_fields",
    "lineage_token",
];

#[cfg(test)]
mod tests {
    use console::measure_text_width;
    use serde_json::json;
    use time::macros::date;

    use super::super::report::sample;
    use super::super::sealed;
    use super::*;
    use ledgerline_traffic::r#gen::{GenArgs, Traffic, generate};

    fn traffic() -> Traffic {
        generate(&GenArgs { drift: 20.0, guides: 40.0, ..GenArgs::calm(120, 4, date!(2026 - 03 - 02)) })
    }

    fn chosen(traffic: &Traffic) -> Value {
        traffic.records.iter().find_map(|record| candidate(record)).unwrap().1
    }

    /// What a chain would make of the event: the decided members under their columns, and in an entry.
    fn outcome(event: &Value) -> (silver::Row, Map<String, Value>) {
        let mut row = vec![("event_type".to_owned(), json!(RESOLUTION))];
        for (place, name) in &DECIDED[1..] {
            row.push(((*name).to_owned(), event.pointer(&format!("/auditEvent{place}")).unwrap().clone()));
        }
        let fields: Map<String, Value> = row[1..].iter().cloned().collect();
        let entry = json!({"v": 1, "type": RESOLUTION, "fields": fields, "masked": [], "keyIds": ["k"],
            "sealed": [{"b": "A".repeat(550), "k": 0, "p": "customer"}], "source": {"line": 3, "object": "00"}});
        (row, entry.as_object().unwrap().clone())
    }

    fn shown_as(event: &Value, row: silver::Row, entry: Map<String, Value>, search: &Search) -> Identity {
        let sealed = sample::report().identity.sealed;
        read(event, ("object".to_owned(), row), ("segment".to_owned(), entry), sealed, search)
    }

    fn checked(traffic: &Traffic, change: impl FnOnce(&mut silver::Row, &mut Map<String, Value>)) -> Check {
        let (event, search) = (chosen(traffic), Search::new(&traffic.planted).unwrap());
        let (mut row, mut entry) = outcome(&event);
        change(&mut row, &mut entry);
        check(&event, &shown_as(&event, row, entry, &search), &search)
    }

    #[test]
    fn an_audit_that_is_worth_showing_is_whole_and_its_person_is_marked() {
        let traffic = traffic();
        let (event, search) = (chosen(&traffic), Search::new(&traffic.planted).unwrap());
        let (row, entry) = outcome(&event);
        let read = shown_as(&event, row, entry, &search);
        let block = &read.entry.iter().find(|(path, _)| path == "sealed/customer").unwrap().1;
        assert_eq!(shown(block), format!("{}… (550 characters)", "A".repeat(96)));
        let marked = |path: &str| {
            let (_, spans) = read.raw.iter().find(|(name, _)| name == path).unwrap();
            spans.iter().any(|span| span.personal)
        };
        assert!(marked("auditEvent/resolvedCustomerId") && marked("auditEvent/piiContext/phoneHash"));
        assert!(!marked("auditEvent/queueId") && !marked("auditEvent/interactionId"));
        assert_eq!(read.raw[0].0, "auditEvent/eventType");
        assert_eq!(read.raw.len(), 14, "all members and the organization");
        assert_eq!(read.interaction_id, event["auditEvent"]["interactionId"].as_str().unwrap());
    }

    #[test]
    fn the_check_wants_every_decision_in_clear_and_nobody_in_it() {
        let traffic = traffic();
        let right = checked(&traffic, |_, _| {});
        assert!(right.passed && right.remedy.is_none(), "{}", right.detail);
        assert!(right.detail.contains("event_type identity.resolution, media VOICE, resolution_source"));
        for number in 0..DECIDED.len() {
            let check = checked(&traffic, |row, _| row[number].1 = json!("another"));
            assert!(!check.passed && check.detail.contains("of the row is another"), "{}", check.detail);
        }
        let check = checked(&traffic, |_, entry| {
            entry["fields"].as_object_mut().unwrap().remove("request_pending");
        });
        assert!(!check.passed && check.detail.contains("request_pending of the entry is empty"), "{}", check.detail);
        let phone = traffic.planted.identifiers.iter().find(|one| one.kind == "phone_hash").unwrap().value.clone();
        let check = checked(&traffic, |_, entry| {
            entry.insert("phoneHash".to_owned(), phone.into());
        });
        assert!(!check.passed && check.detail.contains("1 planted values"), "{}", check.detail);
    }

    #[test]
    fn an_outline_names_each_object_once_above_its_members() {
        let one = |path: &str| (path.to_owned(), vec![Span { text: "1".to_owned(), personal: false }]);
        let fields = [one("a/b"), one("a/c/d"), one("a/c/e"), one("f")];
        let lines = outline(&fields);
        let told: Vec<(usize, &str, bool)> =
            lines.iter().map(|line| (line.depth, line.name, line.spans.is_empty())).collect();
        assert_eq!(
            told,
            [(0, "a", true), (1, "b", false), (1, "c", true), (2, "d", false), (2, "e", false), (0, "f", false),]
        );
    }

    #[test]
    fn the_terminal_shows_the_event_whole_within_its_width() {
        let report = sample::report();
        for width in [60, 100, 116] {
            let mut bytes = Vec::new();
            let mut screen = Screen::plain(&mut bytes, width);
            tell(&mut screen, &report.identity).unwrap();
            sealed::tell(&mut screen, &report.identity).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("dataSubjectRequestPending") && text.contains("[cust_hash_"), "{text}");
            assert!(text.contains("resolution_source CRM_API_LOOKUP"), "{text}");
            assert!(text.contains("refused AccessDeniedException") && text.contains("(550 characters)"), "{text}");
            for line in text.lines().filter(|line| !line.contains("segment/")) {
                assert!(measure_text_width(line) <= width, "{width}: {line}");
            }
        }
    }
}
