//! Erasures from their approval on: when the eraser is woken, what is told while it erases, and what it asks again.

use ledgerline_custody::request::machine;
use ledgerline_privacy::Kind;
use ledgerline_requests::Settings;
use ledgerline_store::asked::{self, Asked};
use ledgerline_store::erasing::{Counts, Erasing, parse_wake_key};
use ledgerline_store::queue::EraseNote;
use ledgerline_store::request::{RequestRow, Requests, State};
use ledgerline_store::subject::{Ending, Subjects};
use serde_json::{Value, json};

use crate::world::*;

const MAIL: &str = "jane@planted.example";

/// Without a time in which it can be taken back.
pub(crate) fn at_once() -> Settings {
    let mut settings = settings();
    settings.rules.cooling_off_ms = 0;
    settings
}

fn now() -> String {
    ledgerline_event::instant::to_rfc3339(NOW_MS)
}

/// When requests are woken, and which.
fn wakes(world: &World) -> Vec<(String, String)> {
    world.control.look(|rows| {
        let rows = rows.keys().filter_map(parse_wake_key);
        rows.map(|(at, id)| (at.to_owned(), id.to_owned())).collect()
    })
}

/// What the eraser was told.
fn told(world: &World) -> Vec<EraseNote> {
    world.erase.bodies().iter().map(|body| EraseNote::parse(body).unwrap()).collect()
}

/// The requests under the identifiers that a request is about, in each of its orgs.
async fn asked(world: &World, id: &str) -> Vec<Vec<String>> {
    let (row, who) = (world.row(id), world.who(id));
    let rows = Asked::new(world.keys.port());
    let mut found = Vec::new();
    for (org, name) in row.orgs.iter().flat_map(|org| who.pseudonyms.iter().map(move |name| (org, name))) {
        found.push(rows.of(&[(org, name)]).await.unwrap().into_iter().collect());
    }
    found
}

/// What the eraser does first: the request erases, and waits for nothing yet.
pub(crate) async fn begin(world: &World, id: &str) -> (RequestRow, Erasing) {
    let requests = Requests::new(world.control.port(), world.keys.port());
    let (seen, mut position) = (world.row(id), ledgerline_saga::Position::at("tombs"));
    position.pass = 1;
    let counts = Counts { records: 2, held: 1, waiting: 3, ..Counts::default() };
    let erasing = Erasing {
        cutoff_ms: NOW_MS,
        position,
        lease: None,
        wake: String::new(),
        counted: None,
        counts,
        pool: None,
        read_back: None,
        certificate: None,
    };
    let next = machine::begin(&seen, NOW_MS).unwrap();
    requests.begin(id, &seen, &next, &erasing).await.unwrap();
    (next, erasing)
}

/// And what it does when it found more than was approved.
async fn wait(world: &World, id: &str) {
    let requests = Requests::new(world.control.port(), world.keys.port());
    let seen = world.row(id);
    requests.wait(id, &seen, &machine::wait(&seen).unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_erasure_that_cools_off_is_woken_when_it_has_and_nobody_is_told_before() {
    let world = World::new().await;
    let id = world.verified(erasure()).await;
    let (status, _) = world.approve(&approver(), &id, &world.digest(&id).await).await;
    assert_eq!(status, 200);
    let until = world.row(&id).cooling_off_until.unwrap();
    assert_eq!((wakes(&world), told(&world)), (vec![(until, id)], vec![]));
}

#[tokio::test]
async fn an_erasure_that_need_not_cool_off_is_told_at_once_and_again_when_the_answer_was_not_heard() {
    let world = World::with(at_once(), ledgerline_testkit::faults::Faults::none()).await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    let told_once = || EraseNote::Erase { request: id.clone() };
    for times in 1..=2 {
        let (status, answer) = world.approve(&approver(), &id, &digest).await;
        assert_eq!((status, answer["state"].as_str()), (200, Some("cooling_off")));
        assert_eq!(told(&world), vec![told_once(); times]);
        assert_eq!(wakes(&world), [(now(), id.clone())], "one place");
    }
}

#[tokio::test]
async fn nothing_erases_what_is_no_erasure_or_is_not_approved() {
    let world = World::with(at_once(), ledgerline_testkit::faults::Faults::none()).await;
    let copy = world.verified(json!({ "type": "ACCESS", "identifiers": erasure()["identifiers"] })).await;
    let (status, _) = world.approve(&approver(), &copy, &world.digest(&copy).await).await;
    assert_eq!(status, 200);
    let id = world.verified(erasure()).await;
    world.post(&verifier(), &format!("requests/{id}/refuse"), json!({ "reason": "r" })).await;
    assert_eq!((wakes(&world), told(&world)), (vec![], vec![]));
}

#[tokio::test]
async fn what_erases_shows_how_far_it_is_and_can_not_be_taken_back() {
    let world = World::with(at_once(), ledgerline_testkit::faults::Faults::none()).await;
    let id = world.verified(erasure()).await;
    let (_, approved) = world.approve(&approver(), &id, &world.digest(&id).await).await;
    assert_eq!(approved.get("erasure"), None, "it has not begun");
    begin(&world, &id).await;
    let (status, shown) = world.get(&officer(), &format!("requests/{id}")).await;
    assert_eq!((status, shown["state"].as_str()), (200, Some("erasing")));
    let erasure = &shown["erasure"];
    assert_eq!((erasure["step"].as_str(), erasure["pass"].as_u64()), (Some("tombs"), Some(1)));
    assert_eq!((erasure["counts"]["records"].as_u64(), erasure["held"].as_u64()), (Some(2), Some(1)));
    assert_eq!((erasure["waiting"].as_u64(), &erasure["certificate"]), (Some(3), &Value::Null));
    assert_eq!(erasure["systems"], "none configured");
    assert_eq!((&shown["systems"]["ledgerline"], &shown["possible"]), (&json!("erasing"), &json!(["extend"])));
    let steps: Vec<&Value> = shown["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["received", "verified", "approved", "done"]);
    for verb in ["cancel", "refuse"] {
        let (status, _) = world
            .post(
                &caller("x", "request:write request:verify", "*"),
                &format!("requests/{id}/{verb}"),
                json!({ "reason": "r" }),
            )
            .await;
        assert_eq!(status, 409, "{verb}");
    }
    let shown = shown.to_string();
    assert!(!shown.contains("p1_") && !shown.contains("s_"), "{shown}");
}

#[tokio::test]
async fn what_found_more_than_was_approved_goes_on_when_that_is_approved_too() {
    let world = World::with(at_once(), ledgerline_testkit::faults::Faults::none()).await;
    let subject = world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let id = world.verified(erasure()).await;
    world.approve(&approver(), &id, &world.digest(&id).await).await;
    begin(&world, &id).await;
    end(&world, &id, &subject).await;
    assert_eq!(wakes(&world), [], "the eraser took it off");
    // The person's subject is dead by now, and one more record of theirs came before that.
    let (_, preview) = world.get(&approver(), &format!("requests/{id}/preview")).await;
    assert_eq!((preview["records"].as_u64(), &preview["customer"]["subjects"]), (Some(1), &json!(1)), "{preview}");
    assert_eq!(preview["shared"], json!([]), "what is the request's own shares nothing");
    let digest = preview["digest"].as_str().unwrap();
    let (status, answer) = world.approve(&caller("second", "request:approve", "*"), &id, digest).await;
    assert_eq!(
        (status, answer["type"].as_str()),
        (409, Some("urn:ledgerline:problem:wrong-state")),
        "it does not wait"
    );
    wait(&world, &id).await;
    assert_eq!(world.get(&officer(), &format!("requests/{id}")).await.1["waitsFor"], "approval");
    world.erase.lose_all();
    world.pass(HOUR_MS);
    let (status, answer) = world.approve(&caller("second", "request:approve", "*"), &id, digest).await;
    assert_eq!((status, answer["state"].as_str(), answer.get("waitsFor")), (200, Some("erasing"), None), "{answer}");
    let later = ledgerline_event::instant::to_rfc3339(NOW_MS + HOUR_MS);
    assert_eq!(
        (wakes(&world), told(&world)),
        (vec![(later.clone(), id.clone())], vec![EraseNote::Erase { request: id.clone() }])
    );
    let erasing = ledgerline_store::erasing::ErasingRows::new(world.control.port()).read(&id).await.unwrap().unwrap();
    assert_eq!(erasing.wake, later, "the erasure knows its place");
}

/// Ends a subject as the eraser does.
async fn end(world: &World, id: &str, subject: &str) {
    let subjects = Subjects::new(world.keys.port());
    let name = world.who(id).pseudonyms.remove(0);
    let row = subjects.identifier_rows(&[("acme", &name)]).await.unwrap().remove(0).unwrap();
    assert_eq!(row.subject.subject_id, subject);
    let ending = Ending { request: id, subject: &row.subject, identifiers: &[("acme", &name)] };
    subjects.end(&world.control.port(), &ending).await.unwrap();
    assert_eq!(world.who(id).erased().len(), 1);
}

#[tokio::test]
async fn a_request_lies_under_its_identifiers_in_each_org_until_it_is_closed() {
    for (verb, by) in [("cancel", officer()), ("refuse", verifier())] {
        let world = World::new().await;
        let id = world.made(erasure()).await;
        let copy = world.made(json!({ "type": "ACCESS", "identifiers": erasure()["identifiers"] })).await;
        world.post(&officer(), "requests", erasure()).await;
        let mut both = vec![id.clone(), copy.clone()];
        both.sort();
        assert_eq!(asked(&world, &id).await, [both.clone(), both], "each once, in acme and globex");
        let (status, _) = world.post(&by, &format!("requests/{id}/{verb}"), json!({ "reason": "r" })).await;
        assert_eq!(status, 200, "{verb}");
        assert_eq!(asked(&world, &id).await, [vec![copy.clone()], vec![copy.clone()]], "{verb}");
    }
}

#[tokio::test]
async fn a_request_by_interactions_alone_lies_under_nobody() {
    let world = World::new().await;
    let id = world.made(json!({ "type": "ERASURE", "interactions": ["c-1"] })).await;
    assert!(world.who(&id).identifiers.is_empty());
    assert!(world.keys.look(|rows| rows.keys().all(|key| asked::parse_key(key).is_none())));
}

#[tokio::test]
async fn of_two_who_ask_at_once_no_request_that_never_was_lies_under_anybody() {
    let world = World::new().await;
    let (one, two) = (officer(), caller("other", "request:write", "*"));
    let (one, two) = tokio::join!(world.post(&one, "requests", erasure()), world.post(&two, "requests", erasure()));
    let id = one.1["requestId"].as_str().unwrap().to_owned();
    assert_eq!(two.1["requestId"], id.as_str());
    assert_eq!(asked(&world, &id).await, vec![vec![id.clone()]; 2]);
}

#[tokio::test]
async fn the_pseudonyms_of_one_identifier_are_kept_together_under_all_versions_of_the_key() {
    let world = World::new().await;
    world.add_key(2).await;
    let identifiers = json!([{ "kind": "phone", "value": PHONE }, { "kind": "email", "value": MAIL }]);
    let id = world.made(json!({ "type": "ERASURE", "identifiers": identifiers })).await;
    let who = world.who(&id);
    assert_eq!((who.pseudonyms.len(), who.identifiers.len()), (4, 2));
    for group in &who.identifiers {
        let versions: Vec<&str> = group.iter().map(|name| &name[..3]).collect();
        assert!(versions == ["p1_", "p2_"] || versions == ["p2_", "p1_"], "{versions:?}");
    }
    let mut all: Vec<String> = who.identifiers.concat();
    all.sort();
    assert_eq!(all, who.pseudonyms);
    // Asked for by a subject's id, it is followed by the one name that leads to it.
    let subject = world.link(Kind::Phone, PHONE, "acme/c-1").await;
    let id = world.made(json!({ "type": "ERASURE", "customerIdHash": subject })).await;
    let who = world.who(&id);
    assert_eq!(who.identifiers, [who.pseudonyms]);
}

#[tokio::test]
async fn a_message_that_is_not_taken_changes_nothing_sweep_wakes_it() {
    let faults = ledgerline_testkit::faults::Faults::none();
    let world = World::with(at_once(), faults.clone()).await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    // The alias is there: the step, its act in two orgs, and the message.
    let writes = faults.writes();
    world.approve(&approver(), &id, &digest).await;
    let of_approval = faults.writes() - writes;
    assert_eq!(faults.log().last().map(String::as_str), Some("sqs:SendMessage"));
    let world = World::with(at_once(), faults.clone()).await;
    let id = world.verified(erasure()).await;
    let digest = world.digest(&id).await;
    faults.plan(faults.writes() + of_approval - 1, ledgerline_testkit::faults::ALL_FAULTS[0]);
    let (status, answer) = world.approve(&approver(), &id, &digest).await;
    assert_eq!((status, answer["state"].as_str(), faults.struck()), (200, Some("cooling_off"), 1));
    assert_eq!((wakes(&world), told(&world)), (vec![(now(), id)], vec![]));
    assert_eq!(world.row(&wakes(&world)[0].1).state, State::CoolingOff);
}
