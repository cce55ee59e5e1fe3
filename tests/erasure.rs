//! What earlier erasures cover, on the local stack: tombstones are planted as an erasure plants them, the events come again, and the eraser is
//! told of their lines.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_privacy::{Identifier, KeyRing, Kind, Region};
use ledgerline_store::data_key::DataKeys;
use ledgerline_store::gone::Gone;
use ledgerline_store::subject::{identifier_key, parse_identifier_key};
use ledgerline_store::tombstone::Tombs;
use ledgerline_tests::access::ask;
use ledgerline_tests::erasure::{is_placeholder, with};
use ledgerline_tests::org::Org;
use ledgerline_tests::scan::{everywhere_but_bronze, found};
use ledgerline_tests::silver;
use ledgerline_tests::stack::{Stack, key_of, text};
use serde_json::json;

/// What an erasure has: the keys, and the rows that it alone writes.
struct Eraser {
    tombs: Tombs,
    gone: Gone,
    keys: DataKeys,
}

impl Eraser {
    fn of(stack: &Stack) -> Self {
        let description = stack.description();
        let clients = stack.block(description.clients());
        let control = description.rows_of(&clients, "ControlTable").unwrap();
        Self { tombs: Tombs::new(Arc::clone(&control)), gone: Gone::new(control), keys: stack.data_keys() }
    }

    /// Plants a phone's tombstones in an org, up to `cutoff_ms`, and gives its newest pseudonym.
    async fn plant(&self, org: &str, phone: &str, cutoff_ms: i64) -> String {
        let suppression = self.keys.suppression_ring().await.unwrap().unwrap();
        let pseudonyms = KeyRing::new(self.keys.pseudonym_keys().await.unwrap()).unwrap();
        let phone = Identifier::parse(Kind::Phone, phone, Region::US).unwrap();
        let names: Vec<String> = pseudonyms.pseudonyms(&phone).iter().map(|name| name.as_str().to_owned()).collect();
        for name in &names {
            self.tombs.put(&suppression, org, name, cutoff_ms, cutoff_ms / 1_000 + 86_400).await.unwrap();
        }
        names.into_iter().next().unwrap()
    }
}

fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

#[test]
fn what_an_erasure_covers_is_in_the_ledger_and_names_nobody_anywhere() {
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "erased");
    // Of this run alone: digits of the org's name, behind codes of the plan.
    let digits: u32 = org.name.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let local = format!("{:03} {:04}", 200 + digits % 700, digits / 700 % 10_000);
    let (theirs, anothers) = (format!("+1 212 {local}"), format!("+1 312 {local}"));
    let call = |interaction: &str, kind: &str, at: &str, phone: &str| {
        json!({"interactionId": interaction, "timestamp": at, "eventType": kind, "orgId": org.name, "customerPhone": phone})
            .to_string()
            .into_bytes()
    };
    let before = "2026-03-02T14:00:00Z";
    // Transform's first start makes the keys.
    stack.send(&[call("i-0", "answered", before, &anothers)]);
    org.committed(1);
    let eraser = Eraser::of(&stack);
    let cutoff_ms = now_ms();
    let pseudonym = stack.block(eraser.plant(&org.name, &theirs, cutoff_ms));

    let heartbeat = call("i-3", "heartbeat", before, &theirs);
    stack.send(&[call("i-1", "answered", before, &theirs), call("i-2", "answered", before, &anothers), heartbeat]);
    org.committed(3);
    stack.drained();
    let is_of = |row: &&silver::Row, interaction: &str| row["interaction_id"] == interaction;
    let rows = silver::rows(&org);
    let row = |interaction: &str| rows.iter().find(|row| is_of(row, interaction)).unwrap();
    assert_eq!((&row("i-1")["erased"], &row("i-2")["erased"]), (&json!(true), &json!(false)));
    for column in ["customer_ref", "phone_ref", "masked_fields", "lineage_provenance"] {
        let there = |interaction: &str| row(interaction).get(column).is_some_and(|value| !value.is_null());
        assert_eq!((there("i-1"), there("i-2")), (false, true), "{column}");
    }
    assert_eq!(org.entries().len(), 3, "the entry stays");
    let people = |stack: &Stack| -> Vec<(String, String)> {
        let rows = stack.items("KeysTable", &identifier_key(&org.name, "").pk);
        let of = |row| (parse_identifier_key(&key_of(row)).unwrap().1.to_owned(), text(row, "subjectId"));
        rows.iter().map(of).collect()
    };
    let known = people(&stack);
    assert!(known.len() == 1 && known[0].0 != pseudonym, "{known:?}");
    let digits = |phone: &str| phone.chars().filter(char::is_ascii_digit).collect::<String>();
    let needles = [pseudonym[3..].to_owned(), digits(&theirs), theirs.clone()];
    assert_eq!(found(&needles, &everywhere_but_bronze(&stack)), Vec::<String>::new());

    // Transform told the eraser of each object that holds a line of theirs: it goes, the filtered one's, too.
    let lines = stack.wait_for("the lines to be redacted", || {
        let lines = org.bronze_lines();
        let left = with(&lines, &theirs).len();
        if left == 0 { Ok(lines) } else { Err(format!("{left} lines are left")) }
    });
    assert_eq!(lines.values().filter(|line| is_placeholder(line)).count(), 2);
    assert_eq!(with(&lines, &anothers).len(), 2, "i-0 and i-2 stand");

    // Nobody is found by it. Whoever is gone was never seen, either.
    let found_by = |phone: &str| {
        let question = json!({ "identifiers": [{ "kind": "phone", "value": phone }], "org": org.name });
        let (status, answer) = ask(&stack, Some(&stack.description().api_key), &question);
        assert_eq!(status, 200, "{answer}");
        answer["customer"]["subjects"].as_u64().unwrap()
    };
    assert_eq!((found_by(&theirs), found_by(&anothers)), (0, 1));
    stack.block(eraser.gone.put(&[&known[0].1])).unwrap();
    assert_eq!(found_by(&anothers), 0);

    // What occurs and comes after the cutoff names somebody; whose subject is gone is somebody new.
    let later = instant::to_rfc3339(cutoff_ms + 3_600_000);
    stack.send(&[call("i-4", "answered", &later, &theirs), call("i-5", "answered", &later, &anothers)]);
    org.committed(5);
    assert_eq!((found_by(&theirs), found_by(&anothers)), (1, 1));
    let now = people(&stack);
    assert!(now.len() == 2 && now.iter().all(|(_, subject)| *subject != known[0].1), "{now:?}");
    stack.drained();
    let lines = org.bronze_lines();
    assert_eq!(
        (with(&lines, "\"i-4\"").len(), with(&lines, "\"i-5\"").len()),
        (1, 1),
        "what came after the cutoff stays"
    );
}
