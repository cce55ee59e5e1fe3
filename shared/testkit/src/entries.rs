//! An entry as transform hands it over, for tests that say of it only what matters to them, and one that is sealed as transform seals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_ledger::entry::{BLOCK_CHARS, Block, Party, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::tree::leaf_hash;
use ledgerline_sealed::{Buffer, KeyRow, PartyKey, Place, Sender, WrappedKey};
use ledgerline_store::party_key::{RowName, key};
use ledgerline_store::table::to_row;

use crate::table::FakeTable;
use crate::wrapping::month_pair;

/// An agent's event in an interaction; its id follows from object and line, its time from the line: up to an hour's seconds, then
/// again from the start.
pub fn pending(org: &str, interaction: &str, object: &str, line: u64) -> PendingEntry {
    PendingEntry {
        event_id: PlanOf::Bronze.event_id(object, line),
        org: org.to_owned(),
        event_type: "user.start".to_owned(),
        activity: "Agent connected".to_owned(),
        record: Record::Interaction(interaction.to_owned()),
        occurred_at: format!("2026-03-02T14:{:02}:{:02}.000Z", (line / 60) % 60, line % 60),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: BTreeMap::new(),
        masked: Vec::new(),
        sealed: Sealed::default(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "genesys/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object: object.to_owned(), line },
        salt: [line as u8; 16],
    }
}

/// Seals something of the customer's and of the agent's of an entry, and puts their keys where an opener finds them. Of one record and
/// object all entries have the same two keys.
///
/// # Panics
/// The entry names no record.
pub fn sealed(keys: &FakeTable, deployment: &str, entry: PendingEntry) -> PendingEntry {
    let (record, object) = (entry.record.key(&entry.org), entry.source.object.clone());
    let key_of = |party: Party| Arc::new(key_of(party, &record, &object));
    let mut buffer = Buffer::new();
    let mut content = buffer.event(true, &leaf_hash(entry.event_id.as_bytes()).0);
    let value = format!("\"{}\"", entry.event_id);
    let value = ledgerline_json::parse(value.as_bytes()).expect("a value");
    content.add_field(Party::Customer, "customer_name", &value);
    content.add_field(Party::Agent, "agent_name", &value);
    let place = Place { deployment, record: &record, event_id: &entry.event_id };
    let nonce = leaf_hash(entry.event_id.as_bytes()).0;
    let random = move |bytes: &mut [u8]| bytes.copy_from_slice(&nonce[..bytes.len()]);
    let seals = content.seal(&place, &random, key_of);

    let name = key(RowName { record: &record, object: &object, run: "00000000" });
    let entry = PendingEntry { sealed: seals.sealed, ..entry };
    if keys.look(|rows| rows.contains_key(&name)) {
        return entry;
    }
    let month = &entry.occurred_at[..7];
    let sender = sender(deployment, month);
    let wrapped = |party: Party| {
        let key = key_of(party);
        let first = entry.occurred_at[..10].to_owned() + "T00:00:00.000Z";
        let wrapped = sender.wrap(&record, &key).to_vec().into();
        (key.id().to_string(), WrappedKey { party, subjects: BTreeSet::new(), first, wrapped })
    };
    let row = KeyRow {
        month: month.to_owned(),
        enc: sender.enc().to_vec().into(),
        keys: [Party::Customer, Party::Agent].map(wrapped).into(),
    };
    let row = to_row("a test's keys", &row).expect("a row");
    keys.tamper(|rows| rows.insert(name, row));
    entry
}

/// One encapsulation for all rows of a month, as if one run had sealed them all: it costs more than all else here.
fn sender(deployment: &str, month: &str) -> Arc<Sender> {
    static KNOWN: Mutex<BTreeMap<(String, String), Arc<Sender>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || Arc::new(Sender::to(&month_pair(deployment, month).1, deployment).expect("a sender"));
    Arc::clone(known.entry((deployment.to_owned(), month.to_owned())).or_insert_with(new))
}

/// A block in the form of one: noise to everybody, for a reader that only looks at forms.
pub fn block(p: Party, k: usize) -> Block {
    Block { b: "A".repeat(BLOCK_CHARS[0]), k, p }
}

/// The key of a record's party in an object.
pub(crate) fn key_of(party: Party, record: &str, object: &str) -> PartyKey {
    PartyKey::of(&leaf_hash(format!("{} {record} {object}", party.as_str()).as_bytes()).0)
}
