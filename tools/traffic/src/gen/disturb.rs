//! What happens between a source and the delivery stream: re-sends, disorder, drift, and broken records.
//!
//! Invariant: every distinct event is still sent at least once and whole; every broken document is counted, a bulk
//! batch that is broken as one, since nothing can be said of its elements.

use serde_json::{Map, Value, json};

use super::GenArgs;
use super::dice::Dice;
use super::envelope::{Body, Event, Topic};
use super::planted::{Place, Planted};

/// One sending on its way.
struct Sending {
    arrives_ms: i64,
    bytes: Vec<u8>,
}

/// The records in order of arrival.
pub(super) fn deliver(args: &GenArgs, dice: &mut Dice, events: Vec<Event>, planted: &mut Planted) -> Vec<Vec<u8>> {
    let mut sendings = Vec::with_capacity(events.len());
    for mut event in events {
        if dice.percent(args.drift) {
            drift(&mut event, dice, planted);
        }
        let sent_ms = event.occurred_ms + dice.between(150, 1_400);
        let late_ms = if dice.percent(args.disorder) { dice.between(1, DISORDER_MS) } else { 0 };
        let bytes = event.send(&args.org, dice, sent_ms);
        if dice.percent(args.malformed) {
            sendings.push(broken(&event, &bytes, dice, sent_ms));
            planted.counts.malformed += 1;
        }
        sendings.push(Sending { arrives_ms: sent_ms + late_ms, bytes });
        if dice.percent(args.duplicates) {
            planted.counts.duplicates += event.records().len() as u64;
            sendings.push(again(event, &args.org, dice, sent_ms));
        }
    }
    // Stable: what arrives in the same millisecond keeps the order in which it happened.
    sendings.sort_by_key(|sending| sending.arrives_ms);
    let share_percent = args.malformed / f64::from(KINDS_OF_BREAKAGE);
    glue(sendings, dice, share_percent)
}

/// The same event under other envelope ids: mostly at once, sometimes hours later, sometimes serialized differently.
/// Without an envelope it is the same bytes.
fn again(mut event: Event, org: &str, dice: &mut Dice, sent_ms: i64) -> Sending {
    let later_ms =
        if dice.percent(75.0) { dice.between(1_000, 120_000) } else { dice.between(1_800_000, 6 * 3_600_000) };
    if dice.percent(30.0) && !matches!(event.topic, Topic::Flat(_)) {
        event.body.0.reverse();
    }
    Sending { arrives_ms: sent_ms + later_ms, bytes: event.send(org, dice, sent_ms + later_ms) }
}

/// A change that no consumer was told of. Identity and time stay.
fn drift(event: &mut Event, dice: &mut Dice, planted: &mut Planted) {
    planted.counts.drifted += event.records().len() as u64;
    let is_conversation = matches!(event.topic, Topic::Conversation(_));
    match (dice.index(4), &event.topic) {
        (0, _) => {
            stranger(event, dice, planted);
            // Known in transcriptions, not in the model of the others, where it occurs all the same.
            if is_conversation {
                event.body.put("organizationId", planted.org.as_str());
            }
        }
        (1, Topic::Flat(_)) => renamed(&mut event.body),
        (2, Topic::Flat(_)) => thinned(&mut event.body),
        (_, Topic::Flat(_)) => event.body.put("schemaVersion", "3.0"),
        (1, _) if is_conversation => replace(event, "mediaType", "HOLOGRAM"),
        (1, _) => replace(event, "action", "Teleport"),
        (2, _) => {
            let optional = ["provider", "divisionId", "direction", "flowVersion", "userDisplay", "remoteIp"];
            event.body.0.retain(|(key, _)| !optional.contains(&key.as_str()));
        }
        _ => event.version = "3",
    }
}

/// An unknown field, and what stands in it is personal.
fn stranger(event: &mut Event, dice: &mut Dice, planted: &mut Planted) {
    let name = format!("Nick {}", dice.uuid());
    for record in event.records() {
        let place =
            Place { record: &record, topic: event.topic.kind(), pointer: "/aiSummary/speaker", resolves: false };
        planted.note("name", &name, &name, &place);
    }
    event.body.put("aiSummary", json!({"speaker": name, "confidence": 0.75, "tags": ["new", null]}));
}

/// Members under other names, and one that is new.
fn renamed(body: &mut Body) {
    each_object(body, |name| {
        let new = FLAT_RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| (*new).to_owned());
        Some(new.unwrap_or(name))
    });
    body.put("sourceBuild", 7);
}

/// Members missing, and one that is new.
fn thinned(body: &mut Body) {
    each_object(body, |name| (!FLAT_OPTIONAL.contains(&name.as_str())).then_some(name));
    body.put("sourceBuild", 7);
}

/// Gives each member of a document and of the objects in it the name that `change` says, or takes it out.
fn each_object(body: &mut Body, change: impl Fn(String) -> Option<String>) {
    let members = std::mem::take(&mut body.0);
    for (name, mut value) in members {
        if let Value::Object(inner) = &mut value {
            let members = std::mem::take(inner).into_iter();
            *inner = members.filter_map(|(name, value)| Some((change(name)?, value))).collect::<Map<_, _>>();
        }
        body.0.extend(change(name).map(|name| (name, value)));
    }
}

/// Changes a field where there is one; an event without it gets the field, which is drift as well.
fn replace(event: &mut Event, key: &str, value: &str) {
    match event.body.0.iter_mut().find(|(name, _)| name == key) {
        Some((_, old)) => *old = Value::from(value),
        None => event.body.put(key, value),
    }
}

/// A record that holds no event, made from one.
fn broken(event: &Event, bytes: &[u8], dice: &mut Dice, sent_ms: i64) -> Sending {
    let text = String::from_utf8_lossy(bytes);
    let (body, twice) = match event.body.0.first() {
        Some((first, _)) if matches!(event.topic, Topic::Flat(_)) => ("{", format!("\"{first}\":null")),
        _ => ("\"eventBody\":{", format!("\"eventTime\":{}", event.occurred_ms)),
    };
    let bytes = match dice.index(6) {
        // Cut off in the middle.
        0 => bytes[..bytes.len() * dice.between(40, 90) as usize / 100].to_vec(),
        // Bytes that are no text; no line feed among them, so that the record stays one line.
        1 => (0..dice.between(16, 200)).map(|_| dice.between(0x80, 0xFF) as u8).collect(),
        // A key twice in one object.
        2 => text.replacen(body, &format!("{body}{twice},"), 1).into(),
        // Half of a surrogate pair in a key, which names nothing then.
        3 => text.replacen(body, &format!("{body}\"\\ud83d\":\"Billing\","), 1).into(),
        // JSON, but no object.
        4 => format!("[{sent_ms}]").into_bytes(),
        // An object, but about nothing.
        _ => format!("{{\"service\":\"probe\",\"sequence\":{sent_ms}}}").into_bytes(),
    };
    Sending { arrives_ms: sent_ms, bytes }
}

/// Puts some neighbours into one record, as a sender without delimiters does.
fn glue(sendings: Vec<Sending>, dice: &mut Dice, share_percent: f64) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = Vec::with_capacity(sendings.len());
    for sending in sendings {
        let whole = |bytes: &[u8]| bytes.starts_with(b"{\"version\"") && bytes.ends_with(b"}}");
        match records.last_mut() {
            // Only what ends where its braces end is glued: behind a torn one, where a document begins is anybody's guess.
            Some(last) if dice.percent(share_percent) && whole(last) && whole(&sending.bytes) => {
                last.extend_from_slice(&sending.bytes);
            }
            _ => records.push(sending.bytes),
        }
    }
    records
}

/// Disorder moves an event by up to ten minutes.
const DISORDER_MS: i64 = 10 * 60_000;

/// What may be called otherwise in a flat document, or be missing in it: it says neither what the document is about nor
/// when, and names nobody.
const FLAT_RENAMED: [(&str, &str); 8] = [
    ("durationMs", "durationMillis"),
    ("duration_ms", "duration_millis"),
    ("systemActionId", "systemStep"),
    ("system_action", "system_step"),
    ("queue_name", "queue_label"),
    ("outcome_status", "final_status"),
    ("resolutionSource", "resolvedBy"),
    ("resolutionMethod", "resolvedBy"),
];
const FLAT_OPTIONAL: [&str; 9] = [
    "agents",
    "agent_id",
    "agentId",
    "durationMs",
    "duration_ms",
    "duration_seconds",
    "outcome_status",
    "masking_enabled",
    "complianceFlags",
];

/// Six ways to break a record, and glued ones.
const KINDS_OF_BREAKAGE: u32 = 7;
