//! What happens between Genesys and the delivery stream: re-sends, disorder, drift, and broken records.
//!
//! Invariant: every distinct event is still sent at least once and whole; every broken document is counted.

use serde_json::{Value, json};

use super::GenArgs;
use super::dice::Dice;
use super::envelope::{Event, Topic};
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
            sendings.push(again(event, &args.org, dice, sent_ms));
            planted.counts.duplicates += 1;
        }
    }
    // Stable: what arrives in the same millisecond keeps the order in which it happened.
    sendings.sort_by_key(|sending| sending.arrives_ms);
    let share_percent = args.malformed / f64::from(KINDS_OF_BREAKAGE);
    glue(sendings, dice, share_percent)
}

/// The same event under other envelope ids: mostly at once, sometimes hours later, sometimes serialized differently.
fn again(mut event: Event, org: &str, dice: &mut Dice, sent_ms: i64) -> Sending {
    let later_ms =
        if dice.percent(75.0) { dice.between(1_000, 120_000) } else { dice.between(1_800_000, 6 * 3_600_000) };
    if dice.percent(30.0) {
        event.body.0.reverse();
    }
    Sending { arrives_ms: sent_ms + later_ms, bytes: event.send(org, dice, sent_ms + later_ms) }
}

/// A change that no consumer was told of. Identity and time stay.
fn drift(event: &mut Event, dice: &mut Dice, planted: &mut Planted) {
    planted.counts.drifted += 1;
    let is_conversation = matches!(event.topic, Topic::Conversation(_));
    match dice.index(4) {
        // An unknown field, and what stands in it is personal.
        0 => {
            let name = format!("Nick {}", dice.uuid());
            let record = record_of(event);
            let place =
                Place { record: &record, topic: event.topic.kind(), pointer: "/aiSummary/speaker", resolves: false };
            planted.note("name", &name, &name, &place);
            event.body.put("aiSummary", json!({"speaker": name, "confidence": 0.75, "tags": ["new", null]}));
            // Known in transcriptions, not in the model of the others, where it occurs all the same.
            if is_conversation {
                event.body.put("organizationId", planted.org.as_str());
            }
        }
        1 if is_conversation => replace(event, "mediaType", "HOLOGRAM"),
        1 => replace(event, "action", "Teleport"),
        2 => {
            let optional = ["provider", "divisionId", "direction", "flowVersion", "userDisplay", "remoteIp"];
            event.body.0.retain(|(key, _)| !optional.contains(&key.as_str()));
        }
        _ => event.version = "3",
    }
}

fn record_of(event: &Event) -> String {
    match event.topic {
        Topic::Audit { entity_type } => format!("{entity_type}/{}", event.id),
        Topic::Conversation(_) | Topic::Transcription => event.id.clone(),
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
    let bytes = match dice.index(6) {
        // Cut off in the middle.
        0 => bytes[..bytes.len() * dice.between(40, 90) as usize / 100].to_vec(),
        // Bytes that are no text; no line feed among them, so that the record stays one line.
        1 => (0..dice.between(16, 200)).map(|_| dice.between(0x80, 0xFF) as u8).collect(),
        // A key twice in one object.
        2 => {
            text.replacen("\"eventBody\":{", &format!("\"eventBody\":{{\"eventTime\":{},", event.occurred_ms), 1).into()
        }
        // Half of a surrogate pair.
        3 => text.replacen("\"eventBody\":{", "\"eventBody\":{\"queueName\":\"\\ud83d\",", 1).into(),
        // JSON, but no object.
        4 => format!("[{sent_ms}]").into_bytes(),
        // An object, but about nothing.
        _ => format!("{{\"service\":\"heartbeat\",\"sequence\":{sent_ms}}}").into_bytes(),
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

/// Six ways to break a record, and glued ones.
const KINDS_OF_BREAKAGE: u32 = 7;
