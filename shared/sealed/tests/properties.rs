//! What must hold of any content.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_ledger::entry::{Block, Party};
use ledgerline_sealed::{Buffer, Content, Member, OpenError, Opened, PADDED_BYTES, PartyKey, Place, Seals, open};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::golden::parsed;

const PLACE: Place<'static> =
    Place { deployment: "d-1", record: "acme/c-1", event_id: "00112233445566778899aabbccddeeff" };
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn key(party: Party) -> Arc<PartyKey> {
    Arc::new(PartyKey::of(&[party as u8 + 1; 32]))
}

fn sealed(content: Content<'_>) -> Seals {
    content.seal(&PLACE, &|bytes| bytes.fill(5), key)
}

fn opened(seals: &Seals, block: &Block) -> Result<Opened, OpenError> {
    open(block, &seals.sealed.key_ids[block.k], &PLACE, &key(block.p))
}

/// A value as it is sent, and as it stands in a block.
fn value() -> impl Strategy<Value = (String, Value)> {
    let number = |text: String| (text.clone(), json!(text));
    let leaf = prop_oneof![
        any::<bool>().prop_map(|flag| (flag.to_string(), json!(flag))),
        (-999_999_999_i64..999_999_999).prop_map(|number| (number.to_string(), json!(number))),
        (9_007_199_254_740_993_u64..).prop_map(move |odd| number((odd | 1).to_string())),
        (1_u32..9999, 0_u32..99).prop_map(move |(whole, part)| number(format!("{whole}.{part}0"))),
        ".{0,40}".prop_map(|text| (json!(text).to_string(), json!(text))),
        "[\\x00-\\x1f\"\\\\/é😀]{0,9}".prop_map(|text| (json!(text).to_string(), json!(text))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let object = prop::collection::btree_map(".{0,6}", inner, 0..4);
        prop_oneof![
            list.prop_map(|items| {
                let (sent, held): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (format!("[{}]", sent.join(" , ")), Value::Array(held))
            }),
            object.prop_map(|members| {
                let sent: Vec<String> =
                    members.iter().map(|(name, (sent, _))| format!("{}: {sent}", json!(name))).collect();
                let held = members.into_iter().map(|(name, (_, held))| (name, held)).collect();
                (format!("{{{}}}", sent.join(", ")), Value::Object(held))
            }),
        ]
    })
}

fn party() -> impl Strategy<Value = Party> {
    prop::sample::select(Party::ALL.to_vec())
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_to_the_same(
        names_customer in any::<bool>(),
        fields in prop::collection::vec((party(), 0..NAMES.len(), value()), 0..8),
        people in prop::collection::vec((party(), "[+0-9a-z]{1,12}"), 0..5),
        unlisted in prop::collection::btree_map("(/[a-zA-Z\"é😀\u{fb33}~01]{0,5}){1,3}", (party(), value()), 0..6),
    ) {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(names_customer, &[0; 32]);
        let of_raw = if names_customer { Party::Customer } else { Party::Joint };
        let raw = Map::from_iter([("raw".to_owned(), json!("0".repeat(64)))]);
        let mut expected: BTreeMap<Party, Map<String, Value>> = BTreeMap::from([(of_raw, raw)]);
        let mut identifiers: BTreeMap<Party, Vec<&String>> = BTreeMap::new();
        for (party, name, (sent, held)) in &fields {
            content.add_field(*party, NAMES[*name], &ledgerline_json::parse(sent.as_bytes()).unwrap());
            expected.entry(*party).or_default().insert(NAMES[*name].to_owned(), held.clone());
        }
        for (party, person) in &people {
            content.add_identifier(*party, "phone", &person.as_str().into());
            let known = identifiers.entry(*party).or_default();
            if !known.contains(&person) {
                known.push(person);
            }
        }
        for (party, known) in identifiers {
            let held = if let [one] = known[..] { json!(one) } else { json!(known) };
            expected.entry(party).or_default().insert("phone".to_owned(), held);
        }
        for (pointer, (party, (sent, held))) in &unlisted {
            content.add_unlisted(*party, pointer, &ledgerline_json::parse(sent.as_bytes()).unwrap());
            expected.entry(*party).or_default().insert(pointer.clone(), held.clone());
        }
        let seals = sealed(content);
        prop_assert_eq!(seals.sealed.check(), Ok(()));
        prop_assert!(seals.masked.is_empty());
        let blocks = &seals.sealed.blocks;
        prop_assert!(blocks.iter().map(|block| block.p).eq(expected.keys().copied()));
        for block in blocks {
            let content = opened(&seals, block).unwrap();
            prop_assert_eq!(parsed(content.expose_for_owner()), Value::Object(expected[&block.p].clone()));
        }
    }

    #[test]
    fn a_changed_block_does_not_open(byte in 0_usize..220, bit in 0_u8..8, text in "[a-z]{0,40}") {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(true, &[1; 32]);
        content.add_field(Party::Customer, "name", &text.into());
        let seals = sealed(content);
        let block = &seals.sealed.blocks[0];
        let mut bytes = URL_SAFE_NO_PAD.decode(&block.b).unwrap();
        prop_assert_eq!(bytes.len(), 12 + 192 + 16);
        bytes[byte] ^= 1 << bit;
        let changed = Block { b: URL_SAFE_NO_PAD.encode(&bytes), ..block.clone() };
        prop_assert_eq!(opened(&seals, &changed).unwrap_err(), OpenError::Changed);
        bytes[byte] ^= 1 << bit;
        bytes.truncate(byte);
        let cut = Block { b: URL_SAFE_NO_PAD.encode(&bytes), ..block.clone() };
        prop_assert!(matches!(opened(&seals, &cut).unwrap_err(), OpenError::Changed | OpenError::Malformed));
    }

    #[test]
    fn a_block_is_bound_to_entry_record_party_and_deployment(text in "[a-z]{1,9}") {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(true, &[1; 32]);
        content.add_field(Party::Customer, "name", &text.as_str().into());
        let seals = sealed(content);
        let (block, id) = (&seals.sealed.blocks[0], &seals.sealed.key_ids[0]);
        let moved = |text: &str| format!("{text}{}", &text[..1]);
        let (deployment, record, event_id) = (moved(PLACE.deployment), moved(PLACE.record), moved(PLACE.event_id));
        for place in [
            Place { deployment: &deployment, ..PLACE },
            Place { record: &record, ..PLACE },
            Place { event_id: &event_id, ..PLACE },
            // The same letters, parted elsewhere.
            Place { deployment: "d-", record: "1acme/c-1", ..PLACE },
        ] {
            prop_assert_eq!(open(block, id, &place, &key(Party::Customer)).unwrap_err(), OpenError::Changed);
        }
        for p in [Party::Joint, Party::Agent] {
            let other = Block { p, ..block.clone() };
            prop_assert_eq!(open(&other, id, &PLACE, &key(Party::Customer)).unwrap_err(), OpenError::Changed);
        }
        // The wrong key is told before anything is opened: even if the block is not base64url.
        let none = Block { b: "*".to_owned(), ..block.clone() };
        prop_assert_eq!(open(&none, id, &PLACE, &key(Party::Joint)).unwrap_err(), OpenError::WrongKey);
        prop_assert_eq!(open(&none, id, &PLACE, &key(Party::Customer)).unwrap_err(), OpenError::Malformed);
    }

    #[test]
    fn a_blocks_length_tells_its_size_alone(length in 0_usize..24_565) {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(true, &[1; 32]);
        content.add_field(Party::Agent, "a", &"x".repeat(length).into());
        let seals = sealed(content);
        let agents = seals.sealed.blocks.last().unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&agents.b).unwrap().len() - 28;
        let content_bytes = r#"{"a":""}"#.len() + length;
        prop_assert_eq!(Some(&bytes), PADDED_BYTES.iter().find(|size| **size >= content_bytes));
    }

    #[test]
    fn what_does_not_fit_is_masked_largest_first(sizes in prop::collection::vec(0_usize..9_000, 1..8)) {
        let mut buffer = Buffer::new();
        let mut content = buffer.event(true, &[1; 32]);
        for (name, size) in NAMES.iter().zip(&sizes) {
            content.add_field(Party::Customer, name, &"x".repeat(*size).into());
        }
        let seals = sealed(content);
        let object = opened(&seals, &seals.sealed.blocks[0]).unwrap();
        let kept = parsed(object.expose_for_owner());
        prop_assert!(kept.get("raw").is_some());
        let size = |name: &str| sizes[NAMES.iter().position(|known| *known == name).unwrap()];
        let masked: Vec<usize> = seals.masked.iter().map(|member| match member {
            Member::Field(name) => size(name),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert!(masked.is_sorted_by(|a, b| a >= b));
        let kept: Vec<usize> = kept.as_object().unwrap().keys().filter(|name| *name != "raw").map(|name| size(name)).collect();
        prop_assert_eq!(kept.len() + masked.len(), sizes.len());
        if let Some(last) = masked.last() {
            prop_assert!(kept.iter().all(|size| size <= last));
            // With it, it would not have fitted.
            prop_assert!(object.expose_for_owner().len() + last + r#","a":"""#.len() > 24_576);
        }
    }
}

#[test]
fn of_an_event_whose_every_value_is_too_long_the_digest_is_left() {
    let mut buffer = Buffer::new();
    let mut content = buffer.event(true, &[1; 32]);
    content.add_identifier(Party::Customer, "phone", &"1".repeat(30_000).into());
    content.add_unlisted(Party::Joint, "/x", &"2".repeat(30_000).into());
    let seals = sealed(content);
    assert_eq!(seals.masked, [Member::Identifier("phone"), Member::Unlisted]);
    assert_eq!(seals.sealed.blocks.len(), 1);
    assert_eq!(
        opened(&seals, &seals.sealed.blocks[0]).unwrap().expose_for_owner(),
        format!(r#"{{"raw":"{}"}}"#, "01".repeat(32))
    );
}
