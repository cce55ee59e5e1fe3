//! The certificate of an erasure that is done: given whole or in parts, while it is kept, to whoever may see the request.

use bytes::Bytes;
use ledgerline_custody::request::machine;
use ledgerline_event::instant;
use ledgerline_store::erasing::ErasingRows;
use ledgerline_store::package::{Form, Packages};
use ledgerline_store::request::{Certificate, RequestRow, Requests};
use ledgerline_testkit::faults::Faults;
use serde_json::json;

use crate::erasing::{at_once, begin};
use crate::world::*;

const KEPT_DAYS: i64 = 30;

/// An erasure that is done, with a certificate of this text.
async fn done(world: &World, file: &str) -> String {
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    world.approve(&approver(), &id, &digest).await;
    let (row, erasing) = begin(world, &id).await;
    let rows = ErasingRows::new(world.control.port());
    let held = rows.take(&id, &erasing, "0a", NOW_MS + DAY_MS, NOW_MS).await.unwrap().unwrap();
    let until = instant::to_rfc3339(NOW_MS + KEPT_DAYS * DAY_MS);
    let certificate = Certificate { id: "0a".repeat(16), sha256: "0b".repeat(32), until };
    let packages = Packages::new(world.staged.port());
    for (form, text) in [(Form::Json, file.to_owned()), (Form::Html, format!("<p>{file}</p>"))] {
        packages.put_certificate(&id, form, Bytes::from(text)).await.unwrap();
    }
    let held = ledgerline_store::erasing::Erasing { certificate: Some(certificate.clone()), ..held };
    let next = RequestRow { certificate: Some(certificate), ..machine::finish(&row, NOW_MS).unwrap() };
    let requests = Requests::new(world.control.port(), world.keys.port());
    let now = instant::to_rfc3339(NOW_MS);
    let duplicates = world.who(&id).duplicates;
    requests.close(&id, (&row, &next), &duplicates, (&now, NOW_MS / 1_000), &held).await.unwrap();
    id
}

async fn world() -> World {
    World::with(at_once(), Faults::none()).await
}

#[tokio::test]
async fn it_is_given_as_it_was_written_and_as_a_page() {
    let world = world().await;
    let id = done(&world, "{\"v\":1,\"\u{fc}\":\"<\"}\n").await;
    for caller in [officer(), verifier(), approver()] {
        let (status, kind, text) = world.raw(&caller, &format!("requests/{id}/certificate")).await;
        assert_eq!((status, kind.as_str(), text.as_str()), (200, "application/json", "{\"v\":1,\"\u{fc}\":\"<\"}\n"));
    }
    let (status, kind, text) = world.raw(&officer(), &format!("requests/{id}/certificate?format=html")).await;
    assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(text.starts_with("<p>"));
    let (_, shown) = world.get(&officer(), &format!("requests/{id}")).await;
    assert_eq!(
        (&shown["state"], &shown["erasure"]["certificate"]["sha256"]),
        (&json!("done"), &json!("0b".repeat(32)))
    );
    assert_eq!(shown["erasure"]["certificate"]["until"], instant::to_rfc3339(NOW_MS + KEPT_DAYS * DAY_MS));
}

#[tokio::test]
async fn a_large_one_comes_in_parts() {
    let world = world().await;
    let file = "\u{20ac}".repeat(3 * 1024 * 1024);
    let id = done(&world, &file).await;
    let path = format!("requests/{id}/certificate");
    let (status, answer) = world.get(&officer(), &path).await;
    assert_eq!((status, answer["type"].as_str()), (422, Some("urn:ledgerline:problem:certificate-in-parts")));
    assert!(answer["detail"].as_str().unwrap().contains("part=2"));
    let mut joined = String::new();
    for part in 0..4 {
        let (status, _, text) = world.raw(&officer(), &format!("{path}?part={part}")).await;
        assert_eq!((status, text.is_empty()), (200, part == 3), "{part}");
        assert!(text.len() <= 4 * 1024 * 1024 + 3);
        joined.push_str(&text);
    }
    assert!(joined == file, "the parts are not the file");
}

#[tokio::test]
async fn whoever_may_not_see_it_is_told_what_anybody_is() {
    let world = world().await;
    let id = done(&world, "{}").await;
    let path = format!("requests/{id}/certificate");
    let ask = async |caller: &serde_json::Value, path: &str| {
        let (status, answer) = world.get(caller, path).await;
        (status, answer["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned())
    };
    assert_eq!(ask(&caller("x", "request:write", "initech"), &path).await, (404, "no-such-request".to_owned()));
    assert_eq!(ask(&caller("x", "dsar:read", "*"), &path).await.0, 403);
    for bad in ["format=pdf", "part=-1", "part=x", "range=0"] {
        assert_eq!(ask(&officer(), &format!("{path}?{bad}")).await.0, 400, "{bad}");
    }
    let open = world.made(json!({ "type": "ERASURE", "interactions": ["c-1"] })).await;
    let of_open = format!("requests/{open}/certificate");
    assert_eq!(ask(&officer(), &of_open).await, (404, "no-certificate".to_owned()));
    let (status, _) = world.call(Some(&officer()), "POST", &path, Some(&json!({}))).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn when_it_is_kept_no_longer_its_digest_is() {
    let world = world().await;
    let id = done(&world, "{}").await;
    let path = format!("requests/{id}/certificate");
    world.pass(KEPT_DAYS * DAY_MS);
    let (status, answer) = world.get(&officer(), &path).await;
    assert_eq!((status, answer["type"].as_str()), (410, Some("urn:ledgerline:problem:certificate-expired")));
    let (_, shown) = world.get(&officer(), &format!("requests/{id}")).await;
    assert_eq!(shown["erasure"]["certificate"]["sha256"], "0b".repeat(32));
}

#[tokio::test]
async fn a_customers_hash_is_kept_for_the_certificate_alone_and_sealed() {
    let world = world().await;
    let body = json!({ "type": "ERASURE", "customerIdHash": "cust_hash_9f86d08", "org": "acme" });
    let id = world.made(body).await;
    let who = world.who(&id);
    let sealed = who.given.unwrap();
    // A tag of 16 bytes behind as many as were typed.
    assert_eq!(sealed.len(), "cust_hash_9f86d08".len() + 16);
    assert!(!world.dump().contains("9f86d08"));
    let access = world.made(json!({ "type": "ACCESS", "customerIdHash": "cust_hash_9f86d08", "org": "acme" })).await;
    assert_eq!((world.who(&access).given, world.who(&access).wrapped), (None, None));
    let by_phone = world.made(erasure()).await;
    assert!(world.who(&by_phone).given.is_none() && world.who(&by_phone).wrapped.is_some());
}
