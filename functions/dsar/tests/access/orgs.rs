//! Orgs: each has subjects of its own, a question asks all of them or the one that it names, and an answer says which.

use ledgerline_lambda::caller::Orgs as Allowed;
use ledgerline_ledger::entry::PendingEntry;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::orgs::Orgs;
use ledgerline_store::own::Change;
use serde_json::{Value, json};

use crate::world::*;

/// One phone number, which calls acme twice (entries 1 and 2) and beta once (entry 3). The subjects' ids.
async fn two_orgs() -> (World, [String; 2]) {
    let world = World::new().await;
    let acme = world.link(&phone(PHONE), "acme/c-1", "10:00", "10:01").await;
    let beta = world.link(&phone(PHONE), "beta/c-9", "11:00", "11:00").await;
    let entries = [entry("c-1", "10:00", "customer.start", 1), entry("c-1", "10:01", "wrapup", 2)];
    world.append(&entries, 256, Stage::Indexed).await;
    let of_beta = PendingEntry { org: "beta".to_owned(), ..entry("c-9", "11:00", "customer.start", 3) };
    world.append(&[of_beta], 256, Stage::Indexed).await;
    (world, [acme, beta])
}

fn in_org(mut question: Value, org: &str) -> Value {
    question["org"] = json!(org);
    question
}

/// `(orgs asked, subjects, (org, event ids' numbers) of each interaction)` of an answer.
fn told(answer: &Value) -> (Value, Value, Vec<(String, Vec<u64>)>) {
    let orgs = answer["interactions"].as_array().unwrap().iter().map(|one| one["org"].as_str().unwrap().to_owned());
    let numbers = given(answer).into_iter().map(|(_, numbers)| numbers);
    (answer["request"]["orgs"].clone(), answer["customer"]["subjects"].clone(), orgs.zip(numbers).collect())
}

fn of(org: &str, numbers: &[u64]) -> (String, Vec<u64>) {
    (org.to_owned(), numbers.to_vec())
}

#[tokio::test]
async fn one_phone_in_two_orgs_is_two_subjects_and_a_question_asks_both_or_one() {
    let (world, [acme, beta]) = two_orgs().await;
    assert_ne!(acme, beta);
    let pseudonym = world.key(1).await.pseudonym(&phone(PHONE)).as_str().to_owned();
    for question in [by_phone(), json!({ "customerIdHash": pseudonym })] {
        let ask = |question: Value| async { world.ask(question).await.1 };
        let both = ask(question.clone()).await;
        assert_eq!(told(&both), (json!(["acme", "beta"]), json!(2), vec![of("acme", &[1, 2]), of("beta", &[3])]));
        assert_eq!(both["complete"], json!(true));
        let one = ask(in_org(question.clone(), "acme")).await;
        assert_eq!(told(&one), (json!(["acme"]), json!(1), vec![of("acme", &[1, 2])]));
        assert_eq!(told(&ask(in_org(question, "beta")).await), (json!(["beta"]), json!(1), vec![of("beta", &[3])]));
    }
    // A subject's id finds it in its own org and nowhere else.
    let of_beta = json!({ "customerIdHash": beta });
    assert_eq!(told(&world.ask(of_beta.clone()).await.1).2, [of("beta", &[3])]);
    assert_eq!(told(&world.ask(in_org(of_beta.clone(), "beta")).await.1).2, [of("beta", &[3])]);
    assert_eq!(told(&world.ask(in_org(of_beta, "acme")).await.1), (json!(["acme"]), json!(0), vec![]));
}

#[tokio::test]
async fn an_org_that_nobody_knows_has_nobody_and_is_neither_sent_back_nor_logged() {
    let (world, _) = two_orgs().await;
    let (status, answer) = world.ask(in_org(by_phone(), "planted-org")).await;
    assert_eq!((status, told(&answer)), (200, (json!([]), json!(0), vec![])));
    assert_eq!((&answer["complete"], &answer["customer"]["found"]), (&json!(true), &json!(false)));
    let (status, problem) = world.ask(in_org(by_phone(), "planted org")).await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:ledgerline:problem:invalid-org")));
    for text in [answer.to_string(), problem.to_string(), captured().text()] {
        assert!(!text.contains("planted-org") && !text.contains("planted org"), "{text}");
    }
}

#[tokio::test]
async fn a_token_is_for_the_orgs_of_its_question() {
    let (world, _) = two_orgs().await;
    let questions = [by_phone(), in_org(by_phone(), "acme"), in_org(by_phone(), "beta")];
    let paged = |question: &Value| {
        let mut question = question.clone();
        question["pageSize"] = json!(1);
        question
    };
    for (asked, question) in questions[..2].iter().enumerate() {
        let token = world.ask(paged(question)).await.1["nextPageToken"].clone();
        assert!(token.is_string());
        for (other, question) in questions.iter().enumerate() {
            let mut next = paged(question);
            next["pageToken"] = token.clone();
            let (status, answer) = world.ask(next).await;
            assert_eq!(status, if other == asked { 200 } else { 400 }, "{answer}");
            assert!(status == 200 || answer["detail"].as_str().unwrap().contains("another query"), "{answer}");
        }
    }
}

#[tokio::test]
async fn pages_go_through_the_orgs_and_one_that_is_new_meanwhile_spoils_none() {
    let (world, _) = two_orgs().await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let pages = world.all(question.clone()).await;
    let all: Vec<(String, Vec<u64>)> = pages.iter().flat_map(|page| told(page).2).collect();
    assert_eq!(all, [of("acme", &[1]), of("acme", &[2]), of("beta", &[3])]);

    question["pageToken"] = world.ask(question.clone()).await.1["nextPageToken"].clone();
    Orgs::new(world.control.port()).note("aardvark").await.unwrap();
    let (status, second) = world.ask(question).await;
    assert_eq!((status, told(&second)), (200, (json!(["acme", "beta"]), json!(2), vec![of("acme", &[2])])));
}

#[tokio::test]
async fn what_is_said_of_one_orgs_subject_is_not_said_of_the_others() {
    let (world, [acme, _]) = two_orgs().await;
    world.keys.share(&acme, &time("12:00"));
    let both = world.ask(by_phone()).await.1;
    assert_eq!((&both["customer"]["shared"], &both["complete"]), (&json!(true), &json!(false)));
    assert_eq!(told(&both).2, [of("acme", &[]), of("beta", &[3])]);
    let beta = world.ask(in_org(by_phone(), "beta")).await.1;
    assert_eq!((&beta["complete"], told(&beta).2), (&json!(true), vec![of("beta", &[3])]));

    let (world, [acme, beta]) = two_orgs().await;
    world.change_own("acme", PHONE, Change::Add).await;
    for (question, shared) in [
        (by_phone(), true),
        (in_org(by_phone(), "acme"), true),
        (in_org(by_phone(), "beta"), false),
        (json!({ "customerIdHash": acme }), true),
        (json!({ "customerIdHash": beta }), false),
    ] {
        let answer = world.ask(question.clone()).await.1;
        assert_eq!(answer["customer"]["shared"] == json!(true), shared, "{question}");
        assert_eq!(answer["complete"] == json!(true), !shared, "{question}");
        // acme's hotline names beta's customer all the same.
        let named = told(&answer).2;
        assert!(named.iter().all(|(org, entries)| (org == "beta") != entries.is_empty()), "{question}: {named:?}");
    }
}

#[tokio::test]
async fn names_in_many_orgs_are_looked_up_a_hundred_at_a_time() {
    let world = World::new().await;
    let orgs = Orgs::new(world.control.port());
    for n in 0..150 {
        orgs.note(&format!("org-{n:03}")).await.unwrap();
    }
    for org in ["org-000", "org-099", "org-100", "org-149"] {
        world.link_filtered(&phone(PHONE), &format!("{org}/c-1")).await;
    }
    let answer = world.ask(by_phone()).await.1;
    assert_eq!((&answer["customer"]["subjects"], &answer["filtered"]), (&json!(4), &json!(4)));
    assert_eq!(answer["request"]["orgs"].as_array().unwrap().len(), 150);
    assert_eq!(world.trips.reads("read identifiers"), 2);
}

#[tokio::test]
async fn of_more_than_a_thousand_orgs_a_question_names_one() {
    let world = World::new().await;
    let orgs = Orgs::new(world.control.port());
    for n in 0..1_000 {
        orgs.note(&format!("org-{n:04}")).await.unwrap();
    }
    world.link_filtered(&phone(PHONE), "org-0999/c-1").await;
    let (status, answer) = world.ask(by_phone()).await;
    assert_eq!((status, &answer["customer"]["subjects"], &answer["filtered"]), (200, &json!(1), &json!(1)));
    assert_eq!(answer["request"]["orgs"].as_array().unwrap().len(), 1_000);

    orgs.note("org-1000").await.unwrap();
    let (status, problem) = world.ask(by_phone()).await;
    assert_eq!((status, &problem["type"]), (422, &json!("urn:ledgerline:problem:too-many-orgs")));
    assert!(problem["detail"].as_str().unwrap().contains("`org`"), "{problem}");
    let (status, answer) = world.ask(in_org(by_phone(), "org-0999")).await;
    assert_eq!((status, told(&answer).0, &answer["filtered"]), (200, json!(["org-0999"]), &json!(1)));
    // The beginning of a name names none.
    assert_eq!(told(&world.ask(in_org(by_phone(), "org-099")).await.1).0, json!([]));
}

#[tokio::test]
async fn without_the_list_of_orgs_nothing_is_answered() {
    let (world, _) = two_orgs().await;
    let list = ledgerline_store::orgs::key("acme").pk;
    world.trips.on(&list, StoreError::Throttled);
    assert_eq!(world.ask(by_phone()).await.0, 503);
    world.trips.on(&list, StoreError::Denied);
    assert_eq!(world.ask(by_phone()).await.0, 500);
}

fn only(orgs: &[&str]) -> Allowed {
    Allowed::Only(orgs.iter().map(|org| (*org).to_owned()).collect())
}

#[tokio::test]
async fn a_caller_is_answered_by_the_orgs_of_the_token_alone() {
    let (world, [acme, beta]) = two_orgs().await;
    let pseudonym = world.key(1).await.pseudonym(&phone(PHONE)).as_str().to_owned();
    let of_acme = caller("u-1", only(&["acme", "unknown"]));
    for question in [by_phone(), json!({ "customerIdHash": pseudonym })] {
        // As if the others were not there, and said so.
        let (status, answer) = world.ask_as(&of_acme, NOW_MS, question.clone()).await;
        assert_eq!((status, told(&answer)), (200, (json!(["acme"]), json!(1), vec![of("acme", &[1, 2])])));
        assert!(!answer.to_string().contains("beta"), "{answer}");
        let (status, answer) = world.ask_as(&of_acme, NOW_MS, in_org(question.clone(), "acme")).await;
        assert_eq!((status, told(&answer).0), (200, json!(["acme"])));
        // Known or not, another org is the same refusal, and nothing of it is looked up.
        for org in ["beta", "planted-org", "acme2", "ACME"] {
            let reads = world.trips.reads("look for an org");
            let (status, problem) = world.ask_as(&of_acme, NOW_MS, in_org(question.clone(), org)).await;
            assert_eq!((status, &problem["type"]), (403, &json!("urn:ledgerline:problem:org-not-allowed")), "{org}");
            assert_eq!(world.trips.reads("look for an org"), reads);
            assert!(!problem.to_string().contains(org), "{problem}");
        }
    }
    // Somebody else's subject id is nobody's.
    let ask = |id: &str| world.ask_as(&of_acme, NOW_MS, json!({ "customerIdHash": id }));
    assert_eq!(told(&ask(&acme).await.1).2, [of("acme", &[1, 2])]);
    assert_eq!(told(&ask(&beta).await.1), (json!(["acme"]), json!(0), vec![]));
    let (_, answer) = world.ask_as(&caller("u-1", only(&["unknown"])), NOW_MS, by_phone()).await;
    assert_eq!(told(&answer), (json!([]), json!(0), vec![]));
    assert!(!captured().text().contains("planted-org"));
}

#[tokio::test]
async fn a_page_token_is_its_callers_alone() {
    let (world, _) = two_orgs().await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let [ada, bob] = ["u-1", "u-2"].map(|subject| caller(subject, Allowed::All));
    question["pageToken"] = world.ask_as(&ada, NOW_MS, question.clone()).await.1["nextPageToken"].clone();
    assert!(question["pageToken"].is_string());
    let (status, problem) = world.ask_as(&bob, NOW_MS, question.clone()).await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:ledgerline:problem:invalid-page-token")));
    let mut elsewhere = ada.clone();
    elsewhere.issuer.push('2');
    assert_eq!(world.ask_as(&elsewhere, NOW_MS, question.clone()).await.0, 400);
    // A caller whose token says less by now sees less.
    let fewer = caller("u-1", only(&["beta"]));
    let (status, answer) = world.ask_as(&fewer, NOW_MS, question.clone()).await;
    assert_eq!((status, told(&answer).2), (200, vec![of("beta", &[3])]));
    assert_eq!(world.ask_as(&ada, NOW_MS, question).await.0, 200);
}

#[tokio::test]
async fn the_log_names_who_asked_and_which_page() {
    let (world, _) = two_orgs().await;
    let mut question = by_phone();
    question["pageSize"] = json!(1);
    let who = caller("auth0|log-test", Allowed::All);
    question["pageToken"] = world.ask_as(&who, NOW_MS, question.clone()).await.1["nextPageToken"].clone();
    world.ask_as(&who, NOW_MS, question).await;
    let lines = captured().lines();
    let ours = lines.iter().filter(|line| line["principal"] == "auth0|log-test");
    let pages: Vec<&Value> = ours.map(|line| &line["page"]).collect();
    assert_eq!(pages, [&json!("first"), &json!("next")]);
}

/// What the alarm on guesses counts: of one question with many identifiers each is a guess.
#[tokio::test]
async fn the_log_counts_identifiers_that_lead_to_somebody_and_those_that_do_not() {
    let (world, [acme, _]) = two_orgs().await;
    let guesses: Vec<Value> =
        (10..49).map(|n| json!({ "kind": "phone", "value": format!("+1 555 555 02{n}") })).collect();
    let known = |value: &str| json!({ "kind": "phone", "value": value });
    let with = |known: Vec<Value>| {
        let all = [known, guesses.clone()].concat();
        json!({ "identifiers": all })
    };
    let digest = "0f".repeat(32);
    for (at, (question, orgs, found, missed)) in [
        // The customer's number in four spellings, and guesses: once is enough to make the answer say that somebody was found.
        (with([PHONE, "555 555 0142", "(555) 555-0142", "5555550142"].map(known).into()), Allowed::All, 1, 39),
        (with(Vec::new()), Allowed::All, 0, 39),
        (by_phone(), Allowed::All, 1, 0),
        // Known elsewhere.
        (by_phone(), only(&["unknown"]), 0, 1),
        // One name, whatever it may stand for.
        (json!({ "customerIdHash": digest }), Allowed::All, 0, 1),
        (json!({ "customerIdHash": acme }), Allowed::All, 1, 0),
        (json!({ "customerIdHash": format!("s_{}", "0".repeat(32)) }), Allowed::All, 0, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("count-test-{at}x");
        assert_eq!(world.ask_as(&caller(&name, orgs), NOW_MS, question).await.0, 200);
        let lines = captured().lines();
        let line = lines.iter().find(|line| line["principal"] == json!(name)).unwrap();
        let counts = (&line["identifiers_found"], &line["identifiers_not_found"]);
        assert_eq!(counts, (&json!(found), &json!(missed)), "{name}");
    }
}
