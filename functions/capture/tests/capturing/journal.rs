//! Which events are journaled, and how they hang on whom they name.

use ledgerline_store::claim::{Claim, Claims};
use ledgerline_store::cutoff::Cutoff;
use ledgerline_store::data_key::Purpose;
use ledgerline_store::orgs;
use ledgerline_store::party;
use ledgerline_testkit::faults::Faults;
use serde_json::{Value, json};

use crate::world::*;

/// Whether the event was journaled, by the answer and by the table, which must agree.
async fn is_journaled(world: &World, event: &Value) -> bool {
    let before = world.journaled().len();
    let answer = world.send(INGEST, &event.to_string()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let said = answer.body["events"][0]["journaled"].as_bool().unwrap();
    assert_eq!(said, world.journaled().len() > before, "{answer:?}");
    assert_eq!(world.listed(), world.journaled().len());
    said
}

#[tokio::test]
async fn what_an_audit_is_about_is_journaled_and_nothing_else() {
    let world = World::new().await;
    let of = |kind: &str, id: &str| json!({ "auditEvent": { "eventType": kind, "timestamp": "2026-03-02T13:00:00Z", "interactionId": id } });
    for (at, kind) in
        ["IDENTITY_RESOLUTION", "IDENTITY_MERGED", "CONSENT", "DATA_DELETION", "AUDIT"].into_iter().enumerate()
    {
        assert!(is_journaled(&world, &of(kind, &format!("i-{at}"))).await, "{kind}");
    }
    let survey = json!({ "conversationId": "c-1", "eventType": "survey", "timestamp": "2026-03-02T13:00:00Z" });
    assert!(!is_journaled(&world, &survey).await);
    // Transform will refuse it: nobody guesses when it was.
    let mut ahead = of("AUDIT", "i-9");
    ahead["auditEvent"]["timestamp"] = json!("2026-04-02T13:00:00Z");
    assert!(!is_journaled(&world, &ahead).await);
    // Its record is named by a person's id, whose alias is transform's to give.
    let person = json!({ "auditEvent": { "eventType": "AUDIT", "timestamp": "2026-03-02T13:00:00Z",
        "entityType": "Contact", "entityId": "planted-contact" } });
    assert!(!is_journaled(&world, &person).await);
    assert!(!world.dump().contains("planted-contact"));
}

#[tokio::test]
async fn whom_it_names_is_linked_as_transform_would_and_the_org_is_noted_first() {
    let world = World::new().await;
    assert!(is_journaled(&world, &identity("i-1")).await);
    let subject = world.subject("default").await.unwrap();
    assert!(world.control.peek(&orgs::key("default")).is_some());
    assert!(world.keys.party("default/i-1").subjects.into_iter().eq([subject.clone()]));
    assert_eq!(world.keys.subjects_and_links(), (1, 1));
    // Another event of the same record, and one of another record: one subject, a link each.
    let mut later = identity("i-1");
    later["auditEvent"]["timestamp"] = json!("2026-03-02T13:59:59Z");
    assert!(is_journaled(&world, &later).await && is_journaled(&world, &identity("i-2")).await);
    assert_eq!(world.keys.subjects_and_links(), (1, 2));
    assert!(world.journal_until(&subject, "default/i-2").is_some());
}

#[tokio::test]
async fn events_of_one_body_about_one_record_are_all_journaled() {
    let world = World::new().await;
    let at = |second: u32| {
        let mut event = identity("i-1");
        event["auditEvent"]["timestamp"] = json!(format!("2026-03-02T13:59:{second:02}Z"));
        event
    };
    let all: Vec<Value> = (0..20).map(at).chain((0..20).map(|n| identity(&format!("i-{n}0")))).collect();
    let answer = world.send(AUDIT_EVENTS, &Value::from(all).to_string()).await;
    let events = answer.body["events"].as_array().unwrap();
    assert!(answer.status == 202 && events.iter().all(|event| event["journaled"] == true), "{answer:?}");
    assert_eq!((world.journaled().len(), world.keys.subjects_and_links()), (40, (1, 21)));
}

#[tokio::test]
async fn what_an_erasure_covers_is_not_journaled_and_makes_no_subject() {
    for cutoff_of_record in [false, true] {
        let world = World::new().await;
        match cutoff_of_record {
            false => world.suppress("default", NOW_MS).await,
            true => world.keys.tamper(|rows| {
                drop(rows.insert(party::key("default/i-1"), ledgerline_store::table::Row::new()));
            }),
        }
        if cutoff_of_record {
            world.keys.erase_record("default/i-1", Some(Cutoff::At(NOW_MS)));
        }
        assert!(!is_journaled(&world, &identity("i-1")).await);
        assert_eq!(world.keys.subjects_and_links(), (0, 0));
        assert_eq!(world.records().len(), 1, "the stream has it, and transform redacts it");
        // What comes behind the cutoff is a stranger's.
        let mut later = identity("i-1");
        later["auditEvent"]["timestamp"] = json!("2026-03-02T15:00:00Z");
        world.pass(2 * 3_600_000);
        assert!(is_journaled(&world, &later).await);
    }
}

#[tokio::test]
async fn an_event_that_an_object_owns_is_not_journaled_again() {
    let world = World::new().await;
    assert!(is_journaled(&world, &identity("i-1")).await);
    let journaled = world.journaled();
    let (record, event) = &journaled[0];
    let claim = Claim {
        record,
        shard: "2026030213".to_owned(),
        object: "00112233445566778899aabbccddeeff",
        events: vec![&event.claim_id],
        expires_at_s: 9,
    };
    // As transform claims it, and sweep clears the journal once it is committed.
    Claims::new(world.index.port()).claim(&claim).await.unwrap();
    let journal = ledgerline_store::journal::Journal::new(world.index.port());
    journal.forget(record, std::slice::from_ref(event)).await.unwrap();
    let answer = world.send(INGEST, &identity("i-1").to_string()).await;
    assert_eq!((answer.status, &answer.body["events"][0]["journaled"]), (202, &json!(true)), "it is in the ledger");
    assert_eq!((world.journaled().len(), world.listed()), (0, 0));
}

#[tokio::test]
async fn a_deletion_makes_neither_subject_nor_link() {
    let world = World::new().await;
    let deletion = json!({ "auditEvent": { "eventType": "DATA_DELETION", "timestamp": "2026-03-02T13:00:00Z",
        "interactionId": "i-1", "piiContext": { "phoneHash": PHONE_HASH } } });
    assert!(is_journaled(&world, &deletion).await);
    assert_eq!((world.keys.subjects_and_links(), world.journaled()[0].1.subjects.len()), ((0, 0), 0));
}

#[tokio::test]
async fn the_companys_own_and_a_shared_subject_name_nobody() {
    let world = World::new().await;
    let call = json!({ "auditEvent": { "eventType": "CONSENT", "timestamp": "2026-03-02T13:00:00Z",
        "interactionId": "i-1", "customerPhone": PHONE, "phoneNumber": PHONE } });
    world.add_own("default", PHONE).await;
    assert!(is_journaled(&world, &call).await);
    assert_eq!(world.keys.subjects_and_links(), (0, 0));
    assert!(is_journaled(&world, &identity("i-2")).await);
    let subject = world.subject("default").await.unwrap();
    world.keys.share(&subject, "2026-03-02T14:00:00.000Z");
    assert!(is_journaled(&world, &identity("i-3")).await);
    assert_eq!(world.journal_until(&subject, "default/i-3"), None);
    let of_three = world.journaled().into_iter().find(|(record, _)| record == "default/i-3").unwrap().1;
    assert!(of_three.subjects.is_empty());
}

#[tokio::test]
async fn before_transform_made_the_keys_an_audit_event_is_in_the_stream_and_the_caller_comes_again() {
    let world = World::empty(Faults::none());
    let body = identity("i-1").to_string();
    for purpose in Purpose::ALL {
        let answer = world.send(AUDIT_EVENTS, &body).await;
        assert_eq!((answer.status, answer.problem(), answer.retry_after_s), (503, "no-key", Some(60)));
        world.add_key(purpose).await;
    }
    assert_eq!(world.send(AUDIT_EVENTS, &body).await.status, 202);
    assert_eq!((world.records().len(), world.journaled().len()), (4, 1));
    // What no audit is about needs no key.
    let world = World::empty(Faults::none());
    assert_eq!(world.send(INGEST, "{\"a\":1}").await.status, 202);
}

#[tokio::test]
async fn an_audit_event_that_the_stream_refuses_is_journaled_all_the_same() {
    let world = World::new().await;
    world.stream.set_refusal(Some(ledgerline_ledger::store::StoreError::NotFound));
    let answer = world.send(AUDIT_EVENTS, &identity("i-1").to_string()).await;
    let event = &answer.body["events"][0];
    assert_eq!((answer.status, &event["spilled"], &event["journaled"]), (202, &json!(true), &json!(true)));
    assert_eq!(world.journaled().len(), 1);
}
