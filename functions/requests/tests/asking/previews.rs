//! What a preview shows, and what an approval of it binds.

use ledgerline_privacy::Kind;
use ledgerline_store::gone::Gone;
use serde_json::json;

use crate::world::*;

const MAIL: &str = "jane@planted.example";

#[tokio::test]
async fn a_preview_names_shared_records_and_other_kinds_and_counts_the_rest() {
    let world = World::new().await;
    world.link(Kind::Phone, PHONE, "acme/c-1").await;
    world.link(Kind::Phone, PHONE, "acme/c-2").await;
    world.link(Kind::Phone, PHONE, "globex/c-9").await;
    world.link(Kind::Email, MAIL, "acme/c-2").await;
    let dead = world.link(Kind::Account, "ACC-0042", "acme/c-1").await;
    Gone::new(world.control.port()).put(&[&dead]).await.unwrap();
    world.link(Kind::Email, MAIL, "acme/c-3").await;
    let id = world.verified(erasure()).await;
    let (status, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(preview["customer"], json!({ "subjects": 2, "shared": 0 }));
    assert_eq!((preview["records"].as_u64(), &preview["kinds"]), (Some(3), &json!(["email"])));
    assert_eq!(preview["shared"], json!([{ "record": "acme/c-2", "otherCustomers": 1 }]));
    let systems =
        json!({ "ledger": { "entries": 9 }, "bronze": { "objects": 1, "lines": 6 }, "silver": { "files": 1 } });
    assert_eq!(preview["systems"], systems);
    assert!(!preview.to_string().contains("planted"), "{preview}");

    // Approved by record: what it does not name is kept.
    let digest = preview["digest"].as_str().unwrap();
    let approve = format!("requests/{id}/approve");
    for (shared, status) in [
        (json!({ "acme/c-1": "erase" }), 422),
        (json!({ "acme/c-2": "drop" }), 422),
        (json!({ "acme/c-2": "erase" }), 200),
    ] {
        let body = json!({ "previewDigest": digest, "shared": shared });
        assert_eq!(world.post(&approver(), &approve, body).await.0, status, "{shared}");
    }
    assert_eq!(world.who(&id).erase_shared, ["acme/c-2"]);
    // The same decision again is heard again; another one is not taken for it.
    for (shared, status) in
        [(json!({ "acme/c-2": "erase" }), 200), (json!({ "acme/c-2": "keep" }), 409), (json!({}), 409)]
    {
        let body = json!({ "previewDigest": digest, "shared": shared });
        assert_eq!(world.post(&approver(), &approve, body).await.0, status, "{shared}");
    }
    let approved = world.row(&id).approved.unwrap();
    assert_eq!((approved.records, approved.shared, approved.lines, approved.entries), (3, 1, 6, 9));
}

#[tokio::test]
async fn a_preview_that_changed_is_not_approved() {
    let world = World::new().await;
    world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    assert_eq!(world.digest(&id).await, digest, "looked at again, it is the same");
    world.link(Kind::Phone, PHONE, "acme/c-2").await;
    let (status, answer) = world.approve(&approver(), &id, &digest).await;
    assert_eq!((status, answer["type"].as_str()), (409, Some("urn:ledgerline:problem:preview-changed")));
    let changed = world.digest(&id).await;
    world.link(Kind::Email, MAIL, "acme/c-2").await;
    assert_eq!(world.approve(&approver(), &id, &changed).await.0, 409, "another one shares it now");
    let (status, _) = world.approve(&approver(), &id, &world.digest(&id).await).await;
    assert_eq!(status, 200);
    // No preview of another request is this one's.
    let other = world.verified(json!({ "type": "ACCESS", "identifiers": erasure()["identifiers"] })).await;
    assert_eq!(world.approve(&approver(), &other, &world.digest(&id).await).await.0, 409);
}

#[tokio::test]
async fn a_subject_at_the_cap_leads_to_nothing_and_a_list_to_what_is_there() {
    let world = World::new().await;
    for n in 0..CAP {
        world.link(Kind::Phone, PHONE, &format!("acme/c-{n}")).await;
    }
    world.link(Kind::Email, MAIL, "acme/c-1").await;
    let id = world.verified(erasure()).await;
    let (_, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!(preview["customer"], json!({ "subjects": 1, "shared": 1 }));
    assert_eq!(preview["records"], 0);
    // By list: the hotline keeps nothing, the other customer does, and what nobody ever saw is no record.
    let listed = json!({ "type": "ERASURE", "interactions": ["c-0", "c-1", "c-unknown"] });
    let id = world.verified(listed).await;
    let (_, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!((preview["records"].as_u64(), &preview["kinds"]), (Some(2), &json!(["email"])));
    assert_eq!(preview["shared"], json!([{ "record": "acme/c-1", "otherCustomers": 1 }]));
}

#[tokio::test]
async fn a_number_that_became_the_companys_own_leads_to_nothing() {
    let world = World::new().await;
    world.link(Kind::Phone, PHONE, "acme/c-1").await;
    world.link(Kind::Phone, PHONE, "globex/c-1").await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    world.add_own("acme", PHONE).await;
    world.pass(HOUR_MS);
    let (_, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!(preview["customer"], json!({ "subjects": 2, "shared": 1 }));
    assert_eq!(preview["records"], 1, "in the other org it is a customer's");
    assert_eq!(world.approve(&approver(), &id, &digest).await.0, 409);
}

#[tokio::test]
async fn of_two_previews_of_nobody_nothing_is_told() {
    let world = World::new().await;
    let id = world.verified(json!({ "type": "ACCESS", "customerIdHash": "cust-never-seen" })).await;
    let (status, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!(
        (status, preview["records"].as_u64(), preview["customer"]["subjects"].as_u64()),
        (200, Some(0), Some(0))
    );
    let (status, _) = world.approve(&approver(), &id, preview["digest"].as_str().unwrap()).await;
    assert_eq!(status, 200, "that there is nothing is an answer, too");
}
