//! Numbered entries as calls make them, without the chain before them: for ledgers larger than traffic is generated for.
//!
//! Invariant: an entry follows from log, bronze object and number alone. Calls have 16 events each and are under way 40 at a
//! time, their events interleaved, so that neighbours are of different interactions, as in a log of a busy hour. Blocks are noise, of
//! the sizes that calls have and under keys as transform draws them, one for each call, object and party.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_ledger::entry::{Block, Field, Party, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::tree::{Hash, leaf_hash};

/// Calls under way at a time.
pub(super) const UNDER_WAY: u64 = 40;

/// A voice call, event by event.
const CALL: [(&str, &str); 16] = [
    ("customer.start", "Customer connected"),
    ("flow.start", "Flow entered"),
    ("attributes", "Attributes updated"),
    ("flow.outcome", "Flow outcome reached"),
    ("flow.end", "Flow left"),
    ("acd.start", "Queue entered"),
    ("acd.end", "Queue left"),
    ("contact", "Contact identified"),
    ("user.start", "Agent connected"),
    ("hold", "Held"),
    ("state", "State changed"),
    ("transfer", "Transferred"),
    ("user.end", "Agent disconnected"),
    ("customer.end", "Customer disconnected"),
    ("acw", "After-call work done"),
    ("wrapup", "Wrap-up code set"),
];
/// Events of one call.
const EVENTS: u64 = CALL.len() as u64;
/// Milliseconds between two events of a log.
const STEP_MS: u64 = 350;

/// Entry `nth` of a log, planned from line `line` of a bronze object.
pub(super) fn entry(log: &LogId, object: ObjectId, line: u64, nth: u64) -> PendingEntry {
    // Each slot is at another event of its call, so that calls do not all begin at once.
    let (slot, turn) = (nth % UNDER_WAY, nth / UNDER_WAY + nth % UNDER_WAY);
    let call = turn / EVENTS * UNDER_WAY + slot;
    let at = (turn % EVENTS) as usize;
    let (event_type, activity) = CALL[at];
    let (own, shared) = (digest(log, "event", nth), digest(log, "call", call));
    let mut salt = [0; 16];
    salt.copy_from_slice(&own.0[16..]);
    let call_id = uuid(&shared.hex());
    PendingEntry {
        event_id: object.event_id(PlanOf::Bronze, line),
        org: log.org().to_owned(),
        event_type: event_type.to_owned(),
        activity: activity.to_owned(),
        record: Record::Interaction(call_id.clone()),
        occurred_at: moment(nth * STEP_MS),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: BTreeMap::from([
            ("conversationId".to_owned(), Field::Text(call_id)),
            ("direction".to_owned(), Field::Text("INBOUND".to_owned())),
            ("durationMs".to_owned(), Field::Int(i64::from(u16::from_be_bytes([own.0[0], own.0[1]])))),
            ("media".to_owned(), Field::Text("VOICE".to_owned())),
            ("queueId".to_owned(), Field::Text(uuid(&digest(log, "queue", call % 12).hex()))),
            ("sessionId".to_owned(), Field::Text(uuid(&shared.hex()[32..]))),
        ]),
        masked: vec!["ani".to_owned(), "externalContactId".to_owned()],
        sealed: sealed(&shared, object, &own, event_type),
        lineage_token: uuid(&digest(log, "lineage", nth).hex()),
        schema_version: "genesys/1".to_owned(),
        policy_version: "2026-11-01/1".to_owned(),
        source: Source { object: object.to_string(), line },
        salt,
    }
}

/// The customer's block, which holds 384 bytes, and the agent's of 192 where there is an agent.
fn sealed(call: &Hash, object: ObjectId, own: &Hash, event_type: &str) -> Sealed {
    let mut parties = vec![(Party::Customer, 384)];
    if AGENTS.contains(&event_type) {
        parties.push((Party::Agent, 192));
    }
    let key_id = |party: Party| {
        let key = leaf_hash(format!("{} {object} {}", call.hex(), party.as_str()).as_bytes());
        URL_SAFE_NO_PAD.encode(key.0)
    };
    let mut key_ids: Vec<String> = parties.iter().map(|(party, _)| key_id(*party)).collect();
    key_ids.sort_unstable();
    let mut noise = Noise(u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|at| own.0[at])));
    let mut block = |(p, padded): (Party, usize)| {
        let bytes: Vec<u8> = noise.by_ref().take((NONCE_AND_TAG + padded).div_ceil(8)).flatten().collect();
        let k = key_ids.iter().position(|id| *id == key_id(p)).unwrap_or_default();
        Block { b: URL_SAFE_NO_PAD.encode(&bytes[..NONCE_AND_TAG + padded]), k, p }
    };
    let blocks = parties.into_iter().map(&mut block).collect();
    Sealed { key_ids, blocks }
}

/// SplitMix64: nothing that packs, for next to nothing.
struct Noise(u64);

impl Iterator for Noise {
    type Item = [u8; 8];

    fn next(&mut self) -> Option<[u8; 8]> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some((mixed ^ mixed >> 31).to_le_bytes())
    }
}

/// Events that say something of an agent.
const AGENTS: [&str; 7] = ["user.start", "hold", "state", "transfer", "user.end", "acw", "wrapup"];
const NONCE_AND_TAG: usize = 28;

fn digest(log: &LogId, label: &str, number: u64) -> Hash {
    leaf_hash(format!("{log} {label} {number}").as_bytes())
}

/// The first 32 of some hex digits in a UUID's form.
fn uuid(hex: &str) -> String {
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// So many milliseconds into the first of March, day after day; a month of 10⁷ entries at this pace ends in April.
fn moment(ms: u64) -> String {
    let (s, day) = (ms / 1_000, ms / 86_400_000);
    let (month, day) = (3 + day / 28, 1 + day % 28);
    format!("2026-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z", s / 3_600 % 24, s / 60 % 60, s % 60, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn entries(numbers: std::ops::Range<u64>) -> Vec<PendingEntry> {
        let log = LogId::parse("bench/interaction/1/0").unwrap();
        numbers.map(|nth| entry(&log, ObjectId::of("bench", "o"), nth, nth)).collect()
    }

    #[test]
    fn forty_calls_are_under_way_and_each_has_its_sixteen_events_in_order() {
        let all = entries(0..40 * 16 * 3);
        let mut calls: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for entry in &all {
            let Record::Interaction(call) = &entry.record else { panic!("a call") };
            calls.entry(call.clone()).or_default().push(&entry.event_type);
        }
        let whole: Vec<&str> = CALL.iter().map(|(kind, _)| *kind).collect();
        // The first and the last of each slot are cut off.
        let cut = calls.values().filter(|events| **events != whole).count() as u64;
        assert!((1..=2 * UNDER_WAY).contains(&cut), "{cut} of {}", calls.len());
        let neighbours: BTreeSet<_> = all[..40].iter().map(|entry| format!("{:?}", entry.record)).collect();
        assert_eq!(neighbours.len(), 40);
    }

    #[test]
    fn every_entry_is_a_line_unlike_the_others() {
        let all = entries(0..1_000);
        let lines: BTreeSet<String> = all.iter().map(|entry| entry.to_line().unwrap().into_text()).collect();
        assert_eq!(lines.len(), 1_000);
        let bytes = lines.iter().map(String::len).sum::<usize>() / lines.len();
        assert!((1_400..1_900).contains(&bytes), "{bytes} bytes a line");
        let keys: BTreeSet<&String> = all.iter().flat_map(|entry| &entry.sealed.key_ids).collect();
        let calls: BTreeSet<String> = all.iter().map(|entry| format!("{:?}", entry.record)).collect();
        assert!((calls.len()..=2 * calls.len()).contains(&keys.len()), "{} keys of {} calls", keys.len(), calls.len());
        assert!(all.is_sorted_by_key(|entry| &entry.occurred_at));
        assert_eq!(moment(10_000_000 * STEP_MS), "2026-04-13T12:13:20.000Z");
    }
}
