//! What must be said nowhere.

use ledgerline_privacy::Kind;
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn nothing_that_a_caller_typed_is_logged_or_sent_back_or_lies_in_control() {
    let world = World::new().await;
    let subject = world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let id = world.verified(erasure()).await;
    let at = |verb: &str| format!("requests/{id}/{verb}");
    for (caller, method, path, body) in [
        (officer(), "POST", "requests".to_owned(), json!({ "type": "planted-type", "identifiers": [] })),
        (
            officer(),
            "POST",
            "requests".to_owned(),
            json!({ "type": "ERASURE", "customerIdHash": "planted", "org": "planted org" }),
        ),
        (
            officer(),
            "POST",
            "requests".to_owned(),
            json!({ "type": "ERASURE", "customerIdHash": "planted-1", "org": "planted" }),
        ),
        (officer(), "POST", "rtbf".to_owned(), json!({ "customerIdHash": "planted-2", "planted": "planted" })),
        (officer(), "POST", "planted".to_owned(), json!({})),
        (officer(), "PUT", "requests".to_owned(), json!({})),
        (officer(), "GET", "requests/planted".to_owned(), json!(null)),
        (officer(), "GET", "requests?pageToken=planted".to_owned(), json!(null)),
        (officer(), "GET", "requests?org=planted".to_owned(), json!(null)),
        (verifier(), "POST", at("verify"), json!({ "method": "planted" })),
        (approver(), "POST", at("approve"), json!({ "previewDigest": "planted", "shared": { "planted": "planted" } })),
        (approver(), "POST", at("planted"), json!({ "reason": "planted" })),
        (officer(), "POST", at("cancel"), json!({ "reason": { "planted": 1 } })),
    ] {
        let (status, answer) = world.call(Some(&caller), method, &path, Some(&body)).await;
        // Who may see every org hears of an empty list.
        assert!((400..500).contains(&status) || path.contains("org="), "{path}: {status}");
        let text = answer.to_string();
        assert!(!text.contains("planted") && !text.contains("5550142"), "{text}");
    }
    world.post(&officer(), &at("cancel"), json!({ "reason": "planted-reason" })).await;
    let log = captured().text();
    assert!(log.contains(&id), "the log names the request");
    for planted in ["planted", "5550142", "555 0142", "p1_", &subject] {
        assert!(!log.contains(planted), "{planted} in the log");
    }
    let control = world.control.dump();
    assert!(!control.contains("planted") && !control.contains("5550142"), "{control}");
    assert!(!world.dump().contains("5550142"), "no number anywhere");
    let kept = world.keys.dump();
    assert!(kept.contains("planted-ticket") && kept.contains("planted-reason"), "what people read is in keys alone");
    assert!(!kept.contains("planted-officer"), "who acted is there by a pseudonym");
}

#[tokio::test]
async fn no_payload_fails_an_invocation() {
    let world = World::new().await;
    for payload in ["", "null", "[]", "7", "{", "{}", r#"{"httpMethod":7}"#, r#"{"httpMethod":"POST","path":null}"#] {
        let (status, answer) = world.handle(payload).await;
        assert!((400..500).contains(&status), "{payload}: {status} {answer}");
    }
}
