//! Entries built, written, read and refused.

use super::*;
use crate::origin::PlanOf;
use proptest::prelude::*;

const OBJECT: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn pending(org: &str, interaction: &str, seq: u64) -> PendingEntry {
    PendingEntry {
        event_id: PlanOf::Bronze.event_id(OBJECT, seq),
        org: org.to_owned(),
        event_type: "customer.start".to_owned(),
        activity: "Customer connected".to_owned(),
        record: Record::Interaction(interaction.to_owned()),
        occurred_at: format!("2026-03-02T14:{:02}:{:02}.350Z", (seq / 60) % 60, seq % 60),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: BTreeMap::from([
            ("media".to_owned(), Field::Text("VOICE".to_owned())),
            ("durationMs".to_owned(), Field::Int(1_250)),
        ]),
        masked: vec!["ani".to_owned()],
        sealed: Sealed::default(),
        lineage_token: "6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11".to_owned(),
        schema_version: "genesys/1".to_owned(),
        policy_version: "1".to_owned(),
        source: Source { object: OBJECT.to_owned(), line: seq },
        salt: [7; 16],
    }
}

/// What a call's entry holds sealed: the customer's and the agent's.
pub(crate) fn sealed() -> Sealed {
    let key_ids = [3, 7].map(|byte| URL_SAFE_NO_PAD.encode([byte; 32])).to_vec();
    let block = |p, k| Block { b: URL_SAFE_NO_PAD.encode([k as u8; 220]), k, p };
    Sealed { key_ids, blocks: vec![block(Party::Customer, 1), block(Party::Agent, 0)] }
}

/// Frozen: the format of version 1. A change here needs a new version.
#[test]
fn the_line_of_version_1() {
    let line = PendingEntry { event_id: format!("{:032x}", 3), ..pending("acme", "c-1", 3) }.to_line().unwrap();
    assert_eq!(
        line.as_str(),
        concat!(
            r#"{"activity":"Customer connected","eventId":"00000000000000000000000000000003","#,
            r#""fields":{"durationMs":1250,"media":"VOICE"},"interactionId":"c-1","keyIds":[],"#,
            r#""lineageToken":"6f1c1e0e-7a3f-5a53-9a38-7e3f5f8f0b11","masked":["ani"],"#,
            r#""occurredAt":"2026-03-02T14:00:03.350Z","org":"acme","policyVersion":"1","#,
            r#""salt":"BwcHBwcHBwcHBwcHBwcHBw","schemaVersion":"genesys/1","sealed":[],"#,
            r#""source":{"line":3,"object":"0123456789abcdef0123456789abcdef"},"type":"customer.start","v":1}"#
        )
    );
    assert_eq!(Line::check(line.as_str()).unwrap(), line);
}

/// Frozen, too.
#[test]
fn the_sealed_members_of_version_1() {
    let plain = pending("acme", "c-1", 3);
    let entry = PendingEntry { sealed: sealed(), ..plain.clone() };
    let line = entry.to_line().unwrap();
    let [three, seven] = ["AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"];
    let [b_one, b_zero] = &entry.sealed.blocks[..] else { panic!() };
    let blocks = format!(r#"[{{"b":"{}","k":1,"p":"customer"}},{{"b":"{}","k":0,"p":"agent"}}]"#, b_one.b, b_zero.b);
    let without = plain.to_line().unwrap().into_text();
    let expected = without
        .replace(r#""keyIds":[]"#, &format!(r#""keyIds":["{three}","{seven}"]"#))
        .replace(r#""sealed":[]"#, &format!(r#""sealed":{blocks}"#));
    assert_eq!(line.as_str(), expected);
    assert_eq!(Line::check(line.as_str()).as_ref(), Ok(&line));
    let read = Entry::read(line.as_str().as_bytes()).unwrap();
    let [customer, agent] = &entry.sealed.blocks[..] else { panic!() };
    assert_eq!(read.blocks().collect::<Vec<_>>(), [(customer, seven), (agent, three)]);
    let erased = without_sealed(line.as_str(), None).unwrap();
    assert_eq!(erased, without);
    let derived = PendingEntry { lineage_token: "lt-1".to_owned(), ..plain };
    assert_eq!(without_sealed(line.as_str(), Some("lt-1")).unwrap(), derived.to_line().unwrap().as_str());
    assert_eq!(with_lineage_token(line.as_str(), &entry.lineage_token).unwrap(), line.as_str());
}

#[test]
fn an_entry_whose_sealed_part_has_another_form_is_refused_on_both_ways() {
    let mut entry = PendingEntry { sealed: sealed(), ..pending("acme", "c-1", 3) };
    let line = entry.to_line().unwrap().into_text();
    for (from, to, fault) in [
        (r#""p":"agent""#, r#""p":"nobody""#, EntryError::Invalid("keyIds or sealed")),
        (r#""k":0"#, r#""k":"0""#, EntryError::Invalid("keyIds or sealed")),
        (r#""keyIds":["#, r#""keyIds":[1,"#, EntryError::Invalid("keyIds or sealed")),
        (r#""sealed":["#, r#""sealee":["#, EntryError::Invalid("keyIds or sealed")),
        (r#""keyIds":["#, r#""keyIdt":["#, EntryError::Invalid("keyIds or sealed")),
        (r#""k":0"#, r#""k":1"#, EntryError::Sealed(SealedError::Keys)),
        (r#""k":0"#, r#""k":2"#, EntryError::Sealed(SealedError::Keys)),
        (r#""p":"agent""#, r#""p":"customer""#, EntryError::Sealed(SealedError::Parties)),
        (r#""p":"agent""#, r#""p":"agent","x":"+15555550142""#, EntryError::Invalid("keyIds or sealed")),
        (r#"{"b":""#, r#"{"b":"*"#, EntryError::Sealed(SealedError::Block)),
        (r#"{"b":""#, r#"{"b":"AAAA"#, EntryError::Sealed(SealedError::Block)),
        (r#"["AwMD"#, r#"["CwMD"#, EntryError::Sealed(SealedError::KeyIds)),
    ] {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{to}");
        assert_eq!(Line::check(&changed), Err(fault), "{to}");
        assert_eq!(scan::check(&changed, |_| ()), Err(fault), "{to}");
    }
    entry.sealed.blocks[1].k = 1;
    assert_eq!(entry.to_line(), Err(EntryError::Sealed(SealedError::Keys)));
}

/// What another implementation wrote once.
#[test]
fn the_frozen_entries_of_sealed_fields_are_lines() {
    let golden = include_str!("../../../sealed/tests/golden/entries.jsonl");
    for line in golden.lines() {
        assert_eq!(Line::check(line).unwrap().as_str(), line);
        assert!(scan::check(line, |_| ()).is_ok());
        let plain = without_sealed(line, None).unwrap();
        assert!(Entry::read(plain.as_bytes()).is_ok_and(|entry| entry.key_ids.is_empty() && entry.sealed.is_empty()));
    }
    assert_eq!(golden.lines().count(), 6);
}

#[test]
fn a_line_may_get_another_token_and_nothing_else_changes() {
    let entry = pending("acme", "c-1", 3);
    let other = PendingEntry { lineage_token: "lt-1".to_owned(), ..entry.clone() };
    let replaced = with_lineage_token(other.to_line().unwrap().as_str(), &entry.lineage_token).unwrap();
    assert_eq!(replaced, entry.to_line().unwrap().as_str());
    for (line, fault) in [("", EntryError::NotJson), ("[]", EntryError::NotJson), ("{}", EntryError::UnknownVersion)] {
        assert_eq!(with_lineage_token(line, "lt-1").unwrap_err().to_string(), fault.to_string(), "{line}");
    }
}

/// Frozen, too. Lines without marks are those from before there were any, byte for byte.
#[test]
fn a_time_of_lesser_standing_is_marked() {
    let plain = pending("acme", "c-1", 3);
    let (before, after) = (r#","type":"customer.start","v":1"#, r#","type":"customer.start","v":1,"zoneAssumed":true"#);
    for (time_from_envelope, zone_assumed, end) in [
        (false, false, format!("{before}}}")),
        (true, false, format!(r#","timeFrom":"envelope"{before}}}"#)),
        (false, true, format!("{after}}}")),
        (true, true, format!(r#","timeFrom":"envelope"{after}}}"#)),
    ] {
        let line = PendingEntry { time_from_envelope, zone_assumed, ..plain.clone() }.to_line().unwrap();
        let unmarked = plain.to_line().unwrap().into_text();
        assert_eq!(line.as_str(), unmarked.replace(&format!("{before}}}"), &end));
        assert_eq!(Line::check(line.as_str()).as_ref(), Ok(&line));
        let read = Entry::read(line.as_str().as_bytes()).unwrap();
        assert_eq!(read.time_from.as_deref(), time_from_envelope.then_some(TIME_FROM_ENVELOPE));
        assert_eq!(read.zone_assumed, zone_assumed);
    }
}

#[test]
fn numbers_beyond_i_json_are_strings() {
    let mut entry = pending("acme", "c-1", 0);
    entry.fields = BTreeMap::from([
        ("big".to_owned(), Field::Int(i64::MAX)),
        ("double".to_owned(), Field::Float(1e300)),
        ("edge".to_owned(), Field::Int(9_007_199_254_740_991)),
        ("list".to_owned(), Field::List(vec![Field::Int(i64::MIN), Field::Bool(true), Field::Float(0.5)])),
        ("nan".to_owned(), Field::Float(f64::NAN)),
    ]);
    let line = entry.to_line().unwrap();
    let read = Entry::read(line.as_str().as_bytes()).unwrap();
    assert_eq!(read.fields["big"], json!("9223372036854775807"));
    assert!(read.fields["double"].is_string());
    assert_eq!(read.fields["edge"], json!(9_007_199_254_740_991_i64));
    assert_eq!(read.fields["list"], json!(["-9223372036854775808", true, 0.5]));
    assert_eq!(read.fields["nan"], Value::Null);
}

#[test]
fn a_reader_ignores_additions_and_refuses_other_versions() {
    let text = pending("acme", "c-1", 0).to_line().unwrap().as_str().to_owned();
    let later = text.replace(r#""v":1}"#, r#""v":1,"zNew":{"a":[1]}}"#);
    assert!(Line::check(&later).is_ok());
    assert_eq!(Entry::read(later.as_bytes()).unwrap().record(), Some(Record::Interaction("c-1".to_owned())));
    let version_2 = text.replace(r#""v":1}"#, r#""v":2}"#);
    assert_eq!(Line::check(&version_2), Err(EntryError::UnknownVersion));
    assert_eq!(Entry::read(version_2.as_bytes()), Err(EntryError::UnknownVersion));
}

#[test]
fn lines_that_are_not_canonical_are_refused() {
    let text = pending("acme", "c-1", 0).to_line().unwrap().as_str().to_owned();
    for (case, line) in [
        ("space", text.replacen(':', ": ", 1)),
        ("newline at the end", format!("{text}\n")),
        ("duplicate name", text.replacen(r#""v":1}"#, r#""v":1,"v":1}"#, 1)),
        ("escape that is not needed", text.replacen("VOICE", "VOIC\\u0045", 1)),
        ("number form", text.replacen("1250", "1.25e3", 1)),
        (
            "order",
            text.replacen(r#"{"activity":"Customer connected","#, "{", 1).replacen(
                r#""v":1}"#,
                r#""v":1,"activity":"Customer connected"}"#,
                1,
            ),
        ),
    ] {
        assert_ne!(line, text, "{case}: the test must change the line");
        assert_eq!(Line::check(&line), Err(EntryError::NotCanonical), "{case}");
    }
    assert_eq!(Line::check("{"), Err(EntryError::NotJson));
    assert_eq!(
        Line::check(&text.replacen("1250", "9007199254740993", 1)).unwrap_err(),
        EntryError::Canonical(CanonicalError::NumberBeyondIJson)
    );
}

#[test]
fn entries_with_invalid_names_are_not_built() {
    type Change = fn(&mut PendingEntry);
    let cases: [(&str, Change); 6] = [
        ("eventId", |entry| entry.event_id = "zz".to_owned()),
        ("org", |entry| entry.org = "a/b".to_owned()),
        ("interactionId or entity", |entry| entry.record = Record::Interaction("+1 555".to_owned())),
        ("interactionId or entity", |entry| {
            entry.record = Record::Entity { kind: "User".to_owned(), id: "a@b".to_owned() };
        }),
        ("occurredAt", |entry| entry.occurred_at = "2026-03-02T14:00:03Z".to_owned()),
        ("source.object", |entry| entry.source.object = String::new()),
    ];
    for (name, change) in cases {
        let mut entry = pending("acme", "c-1", 0);
        change(&mut entry);
        assert_eq!(entry.to_line(), Err(EntryError::Invalid(name)));
    }
}

#[test]
fn an_entity_entry_names_its_entity_and_no_interaction() {
    let mut entry = pending("acme", "c-1", 0);
    entry.record = Record::Entity { kind: "User".to_owned(), id: "u-9".to_owned() };
    let line = entry.to_line().unwrap();
    assert!(!line.as_str().contains("interactionId"));
    assert_eq!(line.header().record.key("acme"), "acme/User/u-9");
}

fn field() -> impl Strategy<Value = Field> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Field::Text),
        any::<i64>().prop_map(Field::Int),
        any::<f64>().prop_map(Field::Float),
        any::<bool>().prop_map(Field::Bool),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Field::List))
}

proptest! {
    /// `Line::check` parses and writes again by [`canonical`], which knows nothing of an entry's members.
    #[test]
    fn a_built_line_is_what_the_canonical_writer_makes_of_it(
        texts in prop::array::uniform5(any::<String>()),
        fields in prop::collection::btree_map(any::<String>(), field(), 0..6),
        masked in prop::collection::vec(any::<String>(), 0..4),
        (entity, late, salt, line) in (any::<bool>(), any::<bool>(), any::<[u8; 16]>(), 0..=MAX_SAFE_INTEGER),
        (time_from_envelope, zone_assumed, has_blocks) in any::<(bool, bool, bool)>(),
    ) {
        let sealed = if has_blocks { sealed() } else { Sealed::default() };
        let [event_type, activity, lineage_token, schema_version, policy_version] = texts;
        let mut entry = PendingEntry {
            event_type, activity, lineage_token, schema_version, policy_version, fields, masked, late, salt,
            time_from_envelope, zone_assumed, sealed, ..pending("acme", "c-1", 0)
        };
        entry.source.line = line;
        if entity {
            entry.record = Record::Entity { kind: "User".to_owned(), id: "u-9".to_owned() };
        }
        let built = entry.to_line().unwrap();
        prop_assert_eq!(Line::check(built.as_str()), Ok(built.clone()));
        let read = Entry::read(built.as_str().as_bytes()).unwrap();
        let fields: Map<String, Value> =
            entry.fields.iter().map(|(name, field)| (name.clone(), field.to_json())).collect();
        let reread: Value = serde_json::from_str(&canonical::to_string(&Value::Object(fields)).unwrap()).unwrap();
        prop_assert_eq!(Value::Object(read.fields), reread);
        prop_assert_eq!(
            (read.event_type, read.activity, read.lineage_token, read.schema_version, read.policy_version),
            (entry.event_type, entry.activity, entry.lineage_token, entry.schema_version, entry.policy_version)
        );
        prop_assert_eq!((read.masked, read.late, read.source), (entry.masked, entry.late, entry.source));
        prop_assert_eq!(Sealed { key_ids: read.key_ids, blocks: read.sealed }, entry.sealed);
        prop_assert_eq!((read.time_from.is_some(), read.zone_assumed), (entry.time_from_envelope, entry.zone_assumed));
    }
}
