//! A request's way from receipt to approval, and back.

use ledgerline_privacy::Kind;
use ledgerline_store::data_key::Purpose;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::request::{Method, RequestKind, State, duplicate_key};
use ledgerline_store::table::Value as Stored;
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn an_erasure_comes_is_verified_approved_and_cools_off() {
    let world = World::new().await;
    world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let (status, made) = world.post(&officer(), "requests", erasure()).await;
    assert_eq!(status, 201, "{made}");
    let id = made["requestId"].as_str().unwrap().to_owned();
    assert_eq!((made["state"].as_str(), made["dueAt"].as_str()), (Some("received"), Some("2026-04-02T23:59:59.999Z")));
    assert!(made.get("reference").is_none());

    let body = json!({ "method": "callback", "reference": "planted-proof" });
    let (status, verified) = world.post(&verifier(), &format!("requests/{id}/verify"), body).await;
    assert_eq!((status, verified["state"].as_str()), (200, Some("verified")));
    let digest = world.digest(&id).await;
    let (status, approved) = world.approve(&approver(), &id, &digest).await;
    assert_eq!((status, approved["state"].as_str()), (200, Some("cooling_off")));
    assert_eq!(approved["coolingOffUntil"], "2026-03-03T14:00:00.350Z");
    assert_eq!(approved["approved"], json!({ "digest": digest, "records": 1, "shared": 0 }));
    assert_eq!(approved["possible"], json!(["cancel", "extend"]));

    let (status, shown) = world.get(&verifier(), &format!("requests/{id}")).await;
    assert_eq!((status, &shown), (200, &approved));
    assert_eq!(shown["reference"], "planted-ticket");
    let steps: Vec<_> =
        shown["history"].as_array().unwrap().iter().map(|line| line["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["received", "verified", "approved"]);
    assert_eq!(shown["history"][1]["reference"], "planted-proof");
    assert_eq!(shown["clock"]["daysLeft"], 31);
    assert_eq!(shown["orgs"], json!(["acme", "globex"]));
    assert_eq!(shown["systems"], json!({ "ledgerline": "waiting" }));
    // Three principals, three aliases, and none of them says who it is.
    let by: std::collections::BTreeSet<_> =
        shown["history"].as_array().unwrap().iter().map(|line| line["by"].as_str().unwrap()).collect();
    assert!(by.len() == 3 && by.iter().all(|alias| alias.starts_with("u_") && alias.len() == 34));
    let row = world.row(&id);
    assert_eq!((row.version, row.approved.unwrap().entries), (3, 3));
    let who = world.who(&id);
    assert!(who.wrapped.is_some() && who.pseudonyms.len() == 1 && who.subjects.len() == 1);

    let (status, cancelled) =
        world.post(&officer(), &format!("requests/{id}/cancel"), json!({ "reason": "planted-reason" })).await;
    assert_eq!((status, cancelled["state"].as_str()), (200, Some("cancelled")));
    assert_eq!(cancelled["history"][3]["reason"], "planted-reason");
    assert_eq!(cancelled["possible"], json!([]));
    assert_eq!(cancelled["clock"].get("daysLeft"), None);
}

#[tokio::test]
async fn access_and_portability_wait_approved_and_may_still_be_refused() {
    for kind in [RequestKind::Access, RequestKind::Portability] {
        let world = World::new().await;
        let id = world.verified(json!({ "type": kind.as_str(), "customerIdHash": "cust-1", "regime": "CCPA" })).await;
        let digest = world.digest(&id).await;
        let (_, approved) = world.approve(&approver(), &id, &digest).await;
        assert_eq!(approved["state"], "approved");
        assert_eq!(approved["clock"]["dueAt"], "2026-04-16T23:59:59.999Z");
        assert!(world.who(&id).wrapped.is_none(), "nothing is sealed for a copy");
        let refuse = format!("requests/{id}/refuse");
        let (status, refused) = world.post(&approver(), &refuse, json!({ "reason": "manifestly unfounded" })).await;
        assert_eq!((status, refused["state"].as_str()), (200, Some("refused")));
    }
}

#[tokio::test]
async fn the_short_form_is_an_erasure_and_gives_the_reference_back() {
    let world = World::new().await;
    let body = json!({ "customerIdHash": "cust_hash_9f86d08", "deletionReason": "RTBF_REQUEST", "requestId": "dsar-req-998877" });
    let (status, made) = world.post(&officer(), "rtbf", body.clone()).await;
    assert_eq!((status, made["reference"].as_str()), (201, Some("dsar-req-998877")));
    let id = made["requestId"].as_str().unwrap();
    assert_eq!(world.row(id).kind, RequestKind::Erasure);
    assert_eq!(world.who(id).deletion_reason.as_deref(), Some("RTBF_REQUEST"));
    assert_eq!(world.post(&officer(), "rtbf", body).await, (200, made));
}

#[tokio::test]
async fn the_same_request_is_one_while_it_is_open() {
    let world = World::new().await;
    let id = world.made(erasure()).await;
    world.pass(DAY_MS);
    // Another officer, another spelling, another reference.
    let again = json!({ "type": "erasure", "identifiers": [{ "kind": "phone", "value": "(555) 555-0142" }], "reference": "other" });
    let (status, answer) = world.post(&caller("other", "request:write", "*"), "requests", again.clone()).await;
    assert_eq!((status, answer["requestId"].as_str()), (200, Some(id.as_str())));
    assert_eq!(answer["dueAt"], "2026-04-02T23:59:59.999Z");
    for other in [
        json!({ "type": "ACCESS", "identifiers": erasure()["identifiers"] }),
        json!({ "type": "ERASURE", "identifiers": erasure()["identifiers"], "org": "acme" }),
        json!({ "type": "ERASURE", "identifiers": erasure()["identifiers"], "interactions": ["c-1"] }),
        json!({ "type": "ERASURE", "interactions": ["c-1"] }),
    ] {
        assert_ne!(world.made(other).await, id);
    }
    assert_eq!(world.requests(), 5);
    world.post(&officer(), &format!("requests/{id}/cancel"), json!({ "reason": "x" })).await;
    let new = world.made(again.clone()).await;
    assert_ne!(new, id);
    let (status, answer) = world.post(&officer(), "requests", again).await;
    assert_eq!((status, answer["requestId"].as_str()), (200, Some(new.as_str())));
}

#[tokio::test]
async fn the_same_request_is_found_whatever_keys_were_made_since() {
    let world = World::new().await;
    let id = world.made(erasure()).await;
    assert_eq!(world.who(&id).duplicates.len(), 1);
    for purpose in [Purpose::Pseudonym, Purpose::Suppression] {
        world.add_key_of(purpose, 2).await;
        world.pass(HOUR_MS);
        let (status, answer) = world.post(&officer(), "requests", erasure()).await;
        assert_eq!((status, answer["requestId"].as_str()), (200, Some(id.as_str())), "{purpose:?}");
    }
    world.post(&officer(), &format!("requests/{id}/cancel"), json!({ "reason": "x" })).await;
    let new = world.made(erasure()).await;
    assert_ne!(new, id);
    // A function that has not heard of the new keys finds it, too: it lies under each version of both.
    let duplicates = world.who(&new).duplicates;
    assert_eq!(duplicates.len(), 4);
    for digest in &duplicates {
        let row = world.control.peek(&duplicate_key(digest)).unwrap();
        assert_eq!(row.get("id"), Some(&Stored::S(new.clone())));
        assert!(!row.contains_key("ttl"));
    }
    assert_eq!(world.post(&officer(), "requests", erasure()).await.0, 200);
    world.post(&officer(), &format!("requests/{new}/cancel"), json!({ "reason": "x" })).await;
    let closed = |digest: &String| world.control.peek(&duplicate_key(digest)).unwrap().contains_key("ttl");
    assert!(duplicates.iter().all(closed));
    assert_ne!(world.made(erasure()).await, new);
}

#[tokio::test]
async fn the_same_request_is_of_the_same_law_and_the_same_person_however_named() {
    let world = World::new().await;
    let subject = world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let by = |name: &str, value: serde_json::Value, regime: &str| json!({ "type": "ACCESS", name: value, "regime": regime, "org": "acme" });
    let phones = json!([{ "kind": "phone", "value": PHONE }]);
    let id = world.made(by("identifiers", phones.clone(), "GDPR")).await;
    assert_ne!(world.made(by("identifiers", phones, "CCPA")).await, id, "another clock");
    let pseudonym = world.who(&id).pseudonyms[0].clone();
    for name in [subject, pseudonym] {
        let (status, answer) = world.post(&officer(), "requests", by("customerIdHash", json!(name), "GDPR")).await;
        assert_eq!((status, answer["requestId"].as_str()), (200, Some(id.as_str())));
    }
}

#[tokio::test]
async fn two_who_ask_for_the_same_at_once_have_one_request() {
    let world = World::new().await;
    let (one, two) = (officer(), caller("other", "request:write", "*"));
    let (one, two) = tokio::join!(world.post(&one, "requests", erasure()), world.post(&two, "requests", erasure()));
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!((statuses, &one.1["requestId"]), ([200, 201], &two.1["requestId"]));
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn a_step_that_is_not_possible_is_refused_with_the_state() {
    let world = World::new().await;
    let id = world.made(erasure()).await;
    let at = |verb: &str| format!("requests/{id}/{verb}");
    let digest = "0f".repeat(32);
    let (status, answer) = world.approve(&approver(), &id, &digest).await;
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("received"), "{answer}");
    assert_eq!(world.get(&approver(), &at("preview")).await.0, 409, "not before it is verified");
    let extend = json!({ "reason": "many records" });
    let (status, longer) = world.post(&officer(), &at("extend"), extend.clone()).await;
    assert_eq!((status, longer["clock"]["dueAt"].as_str()), (200, Some("2026-06-02T23:59:59.999Z")));
    // The same words again are the same step; others are not.
    assert_eq!(world.post(&officer(), &at("extend"), extend).await, (200, longer));
    let (status, answer) = world.post(&officer(), &at("extend"), json!({ "reason": "and more" })).await;
    assert_eq!((status, answer["type"].as_str()), (409, Some("urn:ledgerline:problem:extended-before")));
    let (status, _) = world.post(&verifier(), &at("refuse"), json!({ "reason": "nobody" })).await;
    assert_eq!(status, 200);
    for (caller, verb, body) in [
        (verifier(), "verify", json!({ "method": "document" })),
        (approver(), "approve", json!({ "previewDigest": digest })),
        (officer(), "cancel", json!({ "reason": "x" })),
        (approver(), "refuse", json!({ "reason": "x" })),
        (officer(), "extend", json!({ "reason": "x" })),
    ] {
        let (status, answer) = world.post(&caller, &at(verb), body).await;
        assert_eq!(status, 409, "{verb}");
        assert!(answer["detail"].as_str().unwrap().contains("refused"), "{answer}");
    }
    assert_eq!(world.get(&approver(), &at("preview")).await.0, 409, "nor behind its end");
}

#[tokio::test]
async fn what_a_closed_request_was_about_is_gone_a_month_later() {
    let world = World::new().await;
    let id = world.made(erasure()).await;
    world.post(&officer(), &format!("requests/{id}/cancel"), json!({ "reason": "planted-reason" })).await;
    assert_eq!(world.who(&id).ttl, Some((NOW_MS + 30 * DAY_MS) / 1_000));
    world.pass(30 * DAY_MS - 1_000);
    assert_eq!(world.get(&officer(), &format!("requests/{id}")).await.1["reference"], "planted-ticket");
    // DynamoDB deletes the row some days later: until then it counts as gone.
    world.pass(2_000);
    let (status, shown) = world.get(&officer(), &format!("requests/{id}")).await;
    assert_eq!((status, shown["state"].as_str()), (200, Some("cancelled")));
    assert!(!shown.to_string().contains("planted"), "{shown}");
}

#[tokio::test]
async fn the_list_shows_what_is_due_first_and_each_request_once() {
    let world = World::new().await;
    let of = |name: &str| json!({ "type": "ACCESS", "customerIdHash": name });
    let (first, second) = (world.made(of("cust-1")).await, world.made(of("cust-2")).await);
    world.pass(DAY_MS);
    let third = world.made(of("cust-3")).await;
    world.post(&officer(), &format!("requests/{first}/extend"), json!({ "reason": "x" })).await;
    world.post(&officer(), &format!("requests/{second}/cancel"), json!({ "reason": "x" })).await;
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["requests"].as_array().unwrap().iter().map(|one| one["requestId"].as_str().unwrap().to_owned()).collect()
    };
    let (status, page) = world.get(&approver(), "requests").await;
    assert_eq!((status, ids(&page)), (200, vec![third.clone(), first.clone(), second]));
    assert_eq!(page["requests"][2]["state"], "cancelled");
    assert!(page.get("nextPageToken").is_none());
    assert!(!page.to_string().contains("planted"), "the list says nothing that was typed");
    // More than a page.
    for n in 0..120 {
        world.made(of(&format!("cust-{}", 100 + n))).await;
    }
    let (_, page) = world.get(&approver(), "requests").await;
    let token = page["nextPageToken"].as_str().unwrap().to_owned();
    let (_, next) = world.get(&approver(), &format!("requests?pageToken={token}")).await;
    let all = [ids(&page), ids(&next)].concat();
    let once: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((ids(&page).len(), all.len(), once.len()), (100, 123, 123));
    assert_eq!(world.get(&approver(), "requests?pageToken=2026").await.0, 400);
    assert_eq!(world.get(&approver(), "requests?org=acme").await.0, 200);
    assert_eq!(world.get(&approver(), "requests?org=a%20b").await.0, 422);
    let (status, answer) = world.get(&approver(), "requests?organisation=acme").await;
    assert_eq!((status, answer["type"].as_str()), (400, Some("urn:ledgerline:problem:invalid-parameter")));
}

#[tokio::test]
async fn a_request_by_a_subject_id_is_of_its_org_and_follows_its_identifier() {
    let world = World::new().await;
    let subject = world.link(Kind::Phone, PHONE, "globex/c-1").await;
    let id = world.made(json!({ "type": "ERASURE", "customerIdHash": subject })).await;
    assert_eq!(world.row(&id).orgs, ["globex"]);
    let who = world.who(&id);
    assert_eq!((who.subjects, who.pseudonyms.len()), (vec![subject], 1));
    let unknown = format!("s_{}", "0".repeat(32));
    let (status, answer) =
        world.post(&officer(), "requests", json!({ "type": "ERASURE", "customerIdHash": unknown })).await;
    assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:no-such-subject")));
}

#[tokio::test]
async fn a_request_of_as_many_orgs_as_may_be_is_made_and_closed_in_one_go() {
    let world = World::new().await;
    for n in 2..40 {
        Orgs::new(world.control.port()).note(&format!("org-{n}")).await.unwrap();
    }
    let id = world.made(erasure()).await;
    assert_eq!(world.row(&id).orgs.len(), 40);
    for (verb, caller) in [("extend", officer()), ("refuse", verifier())] {
        let (status, answer) = world.post(&caller, &format!("requests/{id}/{verb}"), json!({ "reason": "x" })).await;
        assert_eq!(status, 200, "{verb}: {answer}");
    }
    assert_eq!(world.get(&officer(), "requests").await.1["requests"].as_array().unwrap().len(), 1);
    Orgs::new(world.control.port()).note("one-more").await.unwrap();
    let (status, answer) = world.post(&officer(), "requests", erasure()).await;
    assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:too-many-orgs")));
}

#[tokio::test]
async fn more_interactions_than_a_preview_can_show_are_refused_at_once() {
    let world = World::new().await;
    for n in 2..40 {
        Orgs::new(world.control.port()).note(&format!("org-{n}")).await.unwrap();
    }
    let listed = |count: usize| -> Vec<String> { (0..count).map(|n| format!("c-{n}")).collect() };
    let (status, answer) =
        world.post(&officer(), "requests", json!({ "type": "ERASURE", "interactions": listed(251) })).await;
    assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:too-many-records")));
    assert_eq!(world.requests(), 0);
    let few = json!({ "type": "ERASURE", "interactions": listed(250) });
    let of_one = json!({ "type": "ERASURE", "interactions": listed(251), "org": "acme" });
    for body in [few, of_one] {
        let id = world.verified(body).await;
        assert_eq!(world.get(&approver(), &format!("requests/{id}/preview")).await.0, 200);
    }
}

#[tokio::test]
async fn the_companys_own_number_is_nobodys_request() {
    let world = World::new().await;
    let before = world.link(Kind::Phone, PHONE, "globex/c-1").await;
    world.add_own("globex", "+1 555 555 0142,planted.example").await;
    // By no name of its own, either, of one who was linked before.
    let pseudonym = world.keys.state(&before).unwrap().name.unwrap().pseudonym;
    for name in [before, pseudonym] {
        let (status, answer) =
            world.post(&officer(), "requests", json!({ "type": "ERASURE", "customerIdHash": name })).await;
        assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:own-identifier")));
    }
    for (identifier, status) in [
        (json!({ "kind": "phone", "value": PHONE }), 422),
        (json!({ "kind": "email", "value": "help@planted.example" }), 422),
        (json!({ "kind": "email", "value": "jane@other.example" }), 201),
    ] {
        let body = json!({ "type": "ERASURE", "identifiers": [identifier] });
        assert_eq!(world.post(&officer(), "requests", body).await.0, status);
    }
    // In the org that has it alone.
    let body = json!({ "type": "ERASURE", "identifiers": [{ "kind": "phone", "value": PHONE }], "org": "acme" });
    assert_eq!(world.post(&officer(), "requests", body).await.0, 201);
}

#[tokio::test]
async fn where_no_event_named_anybody_there_is_nobody_to_ask_for() {
    let world = World::empty(settings(), ledgerline_testkit::faults::Faults::none());
    let (status, answer) = world.post(&officer(), "requests", erasure()).await;
    assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:no-such-org")));
    assert_eq!(world.get(&officer(), "requests").await, (200, json!({ "requests": [] })));
    assert_eq!(world.get(&officer(), &format!("requests/req_{}", "0".repeat(32))).await.0, 404);
}

#[tokio::test]
async fn a_principals_alias_outlives_a_rotation_of_the_key() {
    let world = World::new().await;
    let id = world.made(erasure()).await;
    world.add_key(2).await;
    world.pass(HOUR_MS);
    let other = world.made(json!({ "type": "ACCESS", "customerIdHash": "cust-1" })).await;
    assert_eq!(world.row(&id).history[0].by, world.row(&other).history[0].by);
    assert_eq!(world.who(&other).pseudonyms.len(), 2, "under both versions");
    assert_eq!(world.row(&id).state, State::Received);
    let (_, answer) = world.post(&verifier(), &format!("requests/{id}/verify"), json!({ "method": "in-person" })).await;
    assert_eq!(answer["history"][1]["method"], Method::InPerson.as_str());
}

/// Each example of `events/` that begins with the function's name.
#[tokio::test]
async fn every_example_is_answered() {
    let world = World::new().await;
    let files = [
        ("apigw-requests-create.json", 201, "requestId"),
        ("apigw-requests-rtbf.json", 201, "reference"),
        // Of no request that is there.
        ("apigw-requests-approve.json", 404, "no-such-request"),
    ];
    for (file, status, part) in files {
        let path = format!("{}/../../events/{file}", env!("CARGO_MANIFEST_DIR"));
        let (answered, body) = world.handle(&std::fs::read_to_string(path).unwrap()).await;
        assert!(answered == status && body.to_string().contains(part), "{file}: {answered} {body}");
    }
    let path = format!("{}/../../events/{}", env!("CARGO_MANIFEST_DIR"), "apigw-crm-load.json");
    let (status, body) = world.handle(&std::fs::read_to_string(path).unwrap()).await;
    assert_eq!((status, &body["loaded"], &body["refused"]), (200, &json!(2), &json!([])), "{body}");
    let folder = std::fs::read_dir(format!("{}/../../events", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("apigw-requests-")).count(), files.len());
}
