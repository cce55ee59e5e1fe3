//! The frozen files: entries, keys, plaintexts and rows that another implementation wrote once. What was sealed then opens for ever,
//! and what is sealed now from the same values, keys and nonces is the same, byte for byte.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hpke::Deserializable as _;
use ledgerline_ledger::entry::{Line, Party, Sealed};
use ledgerline_sealed::{Buffer, Content, KeyRow, Member, MonthKey, OpenError, PartyKey, Place, WrappedKey, open};
use serde_bytes::ByteBuf;
use serde_json::Value;

use crate::opener::{self, PrivateKey, from_hex};

pub(crate) const ENTRIES: &str = include_str!("golden/entries.jsonl");
pub(crate) const KEYS: &str = include_str!("golden/keys.json");
const WRITTEN: &str = include_str!("golden/written.json");

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// The row in what stands in a file for it, and the record whose it is.
fn row(value: &Value) -> (String, KeyRow) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = |key: &Value| WrappedKey {
        party: serde_json::from_value(key["party"].clone()).unwrap(),
        subjects: key["subjects"].as_array().unwrap().iter().map(text).collect(),
        first: text(&key["first"]),
        wrapped: ByteBuf::from(bytes(&key["wrapped"])),
    };
    let keys = value["keys"].as_object().unwrap().iter().map(|(id, wrapped)| (id.clone(), key(wrapped))).collect();
    let row = KeyRow { month: text(&value["month"]), enc: ByteBuf::from(bytes(&value["enc"])), keys };
    (text(&value["record"]), row)
}

/// The month's public key, as KMS gives it.
pub(crate) fn month_key(month: &str) -> MonthKey {
    MonthKey::from_der(&bytes(&parsed(KEYS)["publicKeys"][month])).unwrap()
}

/// The keys of all rows, by record.
fn opened_rows() -> BTreeMap<String, BTreeMap<String, PartyKey>> {
    let told = parsed(KEYS);
    let mut opened: BTreeMap<String, BTreeMap<String, PartyKey>> = BTreeMap::new();
    for (record, row) in told["rows"].as_array().unwrap().iter().map(row) {
        // PKCS#8 has the private number behind this tag and length.
        let der = bytes(&told["months"][&row.month]);
        let at = der.windows(2).position(|pair| pair == [0x04, 0x20]).unwrap() + 2;
        let private = PrivateKey::from_bytes(&der[at..at + 32]).unwrap();
        opened.entry(record.clone()).or_default().extend(opener::keys(&private, "golden", &record, &row));
    }
    opened
}

fn place(written: &Value) -> Place<'_> {
    let text = |name: &str| written[name].as_str().unwrap();
    Place { deployment: "golden", record: text("record"), event_id: text("eventId") }
}

#[test]
fn every_block_opens_to_what_was_sealed() {
    let keys = opened_rows();
    let written = parsed(WRITTEN);
    let mut blocks = 0;
    for (line, written) in ENTRIES.lines().zip(written.as_array().unwrap()) {
        let place = place(written);
        let header = Line::check(line).unwrap().header().clone();
        assert_eq!((header.record.key(&header.org).as_str(), &*header.event_id), (place.record, place.event_id));
        let sealed: Sealed = serde_json::from_str(line).unwrap();
        sealed.check().unwrap();
        let mut raws = 0;
        for block in &sealed.blocks {
            let id = &sealed.key_ids[block.k];
            let content = open(block, id, &place, &keys[place.record][id]).unwrap();
            assert_eq!(content.expose_for_owner(), written["opened"][block.p.as_str()].as_str().unwrap());
            raws += usize::from(parsed(content.expose_for_owner()).get("raw").is_some());
            blocks += 1;
        }
        assert_eq!(raws, usize::from(!sealed.blocks.is_empty()));
    }
    assert_eq!((ENTRIES.lines().count(), blocks), (6, 10));
}

#[test]
fn the_same_values_keys_and_nonces_give_the_same_blocks() {
    let written = parsed(WRITTEN);
    // Used again from event to event, as transform does.
    let mut buffer = Buffer::new();
    for (line, written) in ENTRIES.lines().zip(written.as_array().unwrap()) {
        let values = written["values"].as_array().unwrap();
        let raw = values.iter().find(|value| value["what"] == "raw").unwrap();
        let digest = from_hex(&parsed(raw["sent"].as_str().unwrap())).try_into().unwrap();
        let mut content = buffer.event(raw["party"] == "customer", &digest);
        values.iter().for_each(|value| add(&mut content, value));
        let nonces = Party::ALL.iter().filter_map(|party| written["nonces"].get(party.as_str()).map(from_hex));
        let nonces = Mutex::new(nonces.collect::<VecDeque<_>>());
        let random = |bytes: &mut [u8]| bytes.copy_from_slice(&nonces.lock().unwrap().pop_front().unwrap());
        let key = |party: Party| PartyKey::of(&from_hex(&written["keys"][party.as_str()]).try_into().unwrap());
        let seals = content.seal(&place(written), &random, |party| Arc::new(key(party)));
        assert_eq!(seals.sealed, serde_json::from_str::<Sealed>(line).unwrap());
        assert!(nonces.lock().unwrap().is_empty());
        let masked: Vec<&str> = seals.masked.iter().map(|member| spelled(*member)).collect();
        let of_file = written["masked"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        // An unlisted value's pointer is not told.
        assert_eq!(masked, of_file.map(|name| if name.starts_with('/') { "*" } else { name }).collect::<Vec<_>>());
    }
}

fn add(content: &mut Content<'_>, value: &Value) {
    let party: Party = serde_json::from_value(value["party"].clone()).unwrap();
    let (name, sent) = (value["name"].as_str().unwrap(), value["sent"].as_str().unwrap());
    let json = ledgerline_json::parse(sent.as_bytes()).unwrap();
    // Names of fields and kinds are the description's, and live as long as the program.
    let of_description = || name.to_owned().leak();
    match value["what"].as_str().unwrap() {
        "field" => content.add_field(party, of_description(), &json),
        "identifier" => content.add_identifier(party, of_description(), &json),
        "unlisted" => content.add_unlisted(party, name, &json),
        _ => {}
    }
}

fn spelled(member: Member) -> &'static str {
    match member {
        Member::Field(name) | Member::Identifier(name) => name,
        Member::Unlisted => "*",
        Member::Raw => "raw",
    }
}

#[test]
fn a_block_opens_in_its_own_entry_alone() {
    let keys = opened_rows();
    let entries: Vec<(Value, Sealed)> =
        ENTRIES.lines().map(|line| (parsed(line), serde_json::from_str(line).unwrap())).collect();
    let written = parsed(WRITTEN);
    let of = |at: usize| place(&written[at]);
    let (first, second) = (&entries[0].1, &entries[1].1);
    let mine = &keys[of(0).record];
    // The first two are of one record, and of one owner: one key.
    let (block, id) = (&first.blocks[0], &first.key_ids[first.blocks[0].k]);
    assert_eq!(id, &second.key_ids[second.blocks[0].k]);
    assert!(open(block, id, &of(0), &mine[id]).is_ok());
    assert_eq!(open(block, id, &of(1), &mine[id]).unwrap_err(), OpenError::Changed);
    // Another's key is told by its id; the agent's block is nobody else's.
    let agents = &first.key_ids[first.blocks[1].k];
    assert_eq!(open(block, id, &of(0), &mine[agents]).unwrap_err(), OpenError::WrongKey);
    assert_eq!(open(block, agents, &of(0), &mine[agents]).unwrap_err(), OpenError::Changed);
}
