//! What an erasure leaves, held against what its certificate says it leaves: each row of the list is looked for, and nothing is found that
//! no row names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use ledgerline_certificate::RESIDUES;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_store::{Family, gone, held, object_row, request};
use ledgerline_tests::compliance::call;
use ledgerline_tests::erasure::{Customer, Erasure, event, is_placeholder, version_text, versions, with};
use ledgerline_tests::org::Org;
use ledgerline_tests::scan::{Place, everywhere_but_bronze};
use ledgerline_tests::stack::{Stack, text};
use serde_json::{Value, json};

use crate::operator::{answer, ledgerline};

const AT: &str = "2026-03-02T14:00:00Z";

/// An erasure that left whatever it can leave within a test's time.
struct Scene<'a> {
    stack: &'a Stack,
    org: &'a Org<'a>,
    person: Customer,
    other: Customer,
    /// Whose number names no person.
    board: Customer,
    /// The person's subject, as it was.
    subject: String,
    request: String,
    certificate: Value,
    /// Everywhere, once it was done.
    places: Vec<Place>,
    /// Tombstones before.
    tombstones: usize,
}

impl<'a> Scene<'a> {
    fn made(org: &'a Org<'a>) -> Self {
        let stack = org.stack;
        let [person, other, board] = [0, 1, 2].map(|place| Customer::of(org, place));
        let of = |name: &str, members: &[(&str, &str)]| event(org, &interaction(org, name), "answered", AT, members);
        stack.send(&[
            of("own", &[("customerPhone", &person.phone)]),
            of("held", &[("customerPhone", &person.phone)]),
            of("shared", &[("customerPhone", &person.phone)]),
            event(org, &interaction(org, "shared"), "joined", AT, &[("customerPhone", &other.phone)]),
            of("board", &[("customerPhone", &board.phone)]),
            // It is no event: nothing leads to the number in it.
            format!("{} called, and {} was on the line", org.name, person.phone).into_bytes(),
        ]);
        org.committed(5);
        stack.drained();
        let subject = person.subjects(org).remove(0);
        let shared = answer(&ledgerline(Some(stack), &["subject", "share", &board.subjects(org)[0], "--json"]), 0);
        assert_eq!(shared["shared"], true, "{shared}");
        let held = interaction(org, "held");
        let hold = ["hold", "place", "--json", "--org", &org.name, "--hold", "matter-17", &held];
        let words = ["--purpose", "litigation", "--basis", "legal-claims", "--review", "2027-01-31"];
        answer(&ledgerline(Some(stack), &[&hold[..], &words].concat()), 0);
        let tombstones = tombstones(stack);

        let mut identifiers = person.identifiers();
        identifiers.as_array_mut().unwrap().push(json!({ "kind": "phone", "value": board.phone }));
        let erasure = Erasure::asked(org, &identifiers);
        erasure.approve(&[]);
        erasure.done();
        stack.drained();
        let (status, certificate) = call(stack, "approver", &format!("requests/{}/certificate", erasure.id), None);
        assert_eq!(status, 200, "{certificate}");
        let mut places = everywhere_but_bronze(stack);
        let bronze = versions(stack, "BronzeBucket", "");
        places.extend(bronze.iter().filter(|version| version.etag.is_some()).map(|version| {
            let content = String::from_utf8_lossy(&version_text(stack, "BronzeBucket", version)).into_owned();
            let family = Family::of_object(&version.key);
            Place { family, ..Place::new(format!("BronzeBucket/{} {}", version.key, version.id), content) }
        }));
        let request = erasure.id;
        Self { stack, org, person, other, board, subject, request, certificate, places, tombstones }
    }

    fn lines_with(&self, word: &str) -> usize {
        with(&self.org.bronze_lines(), word).len()
    }

    fn interaction(&self, name: &str) -> String {
        interaction(self.org, name)
    }

    /// The places of a family that hold all of these.
    fn of(&self, family: Family, words: &[&str]) -> usize {
        let holds =
            |place: &&Place| place.family == Some(family) && words.iter().all(|word| place.content.contains(word));
        self.places.iter().filter(holds).count()
    }

    /// The kinds of things that remain, by the certificate.
    fn remains(&self) -> BTreeSet<&str> {
        let rows = self.certificate["body"]["remains"].as_array().unwrap();
        rows.iter().map(|row| row["kind"].as_str().unwrap()).collect()
    }

    /// Where these words are, each with the kind that names it: `None` where none does.
    fn found<'w>(&'w self, words: &'w [String]) -> impl Iterator<Item = (&'w Place, Option<&'static str>)> {
        let holds = move |place: &&Place| words.iter().any(|word| place.content.contains(word.as_str()));
        self.places.iter().filter(holds).map(|place| (place, named(place)))
    }
}

fn interaction(org: &Org<'_>, name: &str) -> String {
    format!("{}-{name}", org.name)
}

fn tombstones(stack: &Stack) -> usize {
    stack.items("ControlTable", "TOMB#").len()
}

/// Which kind of thing that remains a place's content is; `None`: nothing of an erased person may be there.
fn named(place: &Place) -> Option<&'static str> {
    let Some(family) = place.family else {
        return match place.name.as_str() {
            "function logs" => Some("logs of functions"),
            // The emulator's own log has what a gateway's access log would have: paths of calls.
            "emulator log" => Some("access logs and data events"),
            queue if queue.starts_with("queue ") => Some("queues and dead-letter queues"),
            _ => None,
        };
    };
    match family {
        Family::Segment
        | Family::Silver
        | Family::Pin
        | Family::BronzeNote
        | Family::Posting
        | Family::Party
        // The one that follows from the record's id.
        | Family::Token
        | Family::SweepState => Some("clear metadata"),
        Family::Bronze => Some("neighbourhood in bronze"),
        Family::Quarantine => Some("lines in quarantine"),
        Family::Error => Some("error prefixes"),
        Family::Spill => Some("spilled records"),
        Family::QueryResult => Some("results of queries and exports"),
        Family::Poison => Some("poison"),
        Family::Plan => Some("plans"),
        Family::Package => Some("this certificate"),
        Family::Claim => Some("claims"),
        Family::Tombstone => Some("tombstones"),
        Family::Gone => Some("names that are gone"),
        Family::Expiry => Some("times of rewritten objects"),
        Family::Hold | Family::Held => Some("held records"),
        Family::Request | Family::RequestList | Family::SameRequest | Family::Erasing => Some("the request"),
        // Of acts: those of the request's steps, and of deletions.
        Family::ObjectRow | Family::ActNote => Some("rows of deletion entries"),
        // What a record's end takes with it, and what names nobody at all.
        Family::Identifier
        | Family::SubjectState
        | Family::SubjectLink
        | Family::PartyKey
        | Family::Alias
        | Family::AliasNames
        | Family::RequestWho
        | Family::Asked
        | Family::ErasureList
        | Family::Deletion
        | Family::Crm
        | Family::CrmOrg
        | Family::GoldDate
        | Family::Gold
        | Family::OpenLineage
        | Family::GoldRepeats
        | Family::Reference
        | Family::ReplayMark
        | Family::Pool
        | Family::Waiting
        | Family::Wake
        | Family::Head
        | Family::LogList
        | Family::Marker
        | Family::Watch
        | Family::Own
        | Family::Planned
        | Family::Org
        | Family::DataKey
        | Family::Usage
        | Family::MonthKey
        | Family::Principal
        | Family::Tile
        | Family::ArchivedCheckpoint
        | Family::LiveCheckpoint => None,
    }
}

/// How a row of the list is looked for.
enum Look {
    /// This is so.
    There(fn(&Scene<'_>) -> bool),
    /// The search comes upon it.
    Found,
    /// All of its places are searched; here they may be empty.
    Searched,
    /// Not in any store of a test's stack; who has it, or where it is looked for instead.
    Beyond(&'static str),
}

/// Each row of the list, and how it is looked for.
const LOOKS: &[(&str, Look)] = &[
    (
        "held records",
        Look::There(|scene| {
            let record = format!("{}/{}", scene.org.name, scene.interaction("held"));
            let row = scene.stack.item("ControlTable", &held::key(&record));
            let is_listed = scene.certificate["body"]["held"] == json!([record]);
            is_listed && row.is_some() && scene.lines_with(&scene.interaction("held")) == 1
        }),
    ),
    ("shared records", Look::There(|scene| scene.lines_with(&scene.other.phone) == 1)),
    ("identifiers that name no person", Look::There(|scene| scene.lines_with(&scene.board.phone) == 1)),
    ("objects that were not planned", Look::Beyond("given up after 14 days: functions/rtbf/tests/erasing/bronze.rs")),
    (
        "lines in quarantine",
        Look::There(|scene| {
            let spellings = scene.person.spellings();
            spellings.iter().any(|word| scene.of(Family::Quarantine, &[word]) > 0)
        }),
    ),
    ("error prefixes", Look::Searched),
    ("spilled records", Look::Searched),
    ("queues and dead-letter queues", Look::Searched),
    ("poison", Look::Searched),
    (
        "recovery window of the keys",
        Look::Beyond("put back by hand: tests/erasing.rs, a_restored_table_brings_nobody_back"),
    ),
    ("recovery window of the control table", Look::Beyond("put back: functions/rtbf/tests/erasing/reconcile.rs")),
    ("backups on demand", Look::Beyond("whoever made them")),
    ("plans", Look::Found),
    ("claims", Look::Found),
    ("logs of functions", Look::Found),
    ("access logs and data events", Look::Searched),
    (
        "deletion entries",
        Look::There(|scene| {
            scene.of(Family::Segment, &["DATA_DELETION", &format!("\"{}\"", scene.interaction("own"))]) > 0
        }),
    ),
    (
        "rows of deletion entries",
        Look::There(|scene| {
            let acts = scene.certificate["body"]["deletions"].as_array().unwrap();
            let row = |act: &Value| {
                let object = act["entry"]["source"]["object"].as_str().unwrap();
                scene.stack.item("ControlTable", &object_row::key(PlanOf::Acts, object))
            };
            !acts.is_empty() && acts.iter().all(|act| row(act).is_some_and(|row| row.contains_key("ttl")))
        }),
    ),
    (
        "blocks and their lengths",
        Look::There(|scene| {
            scene.of(Family::Segment, &["\"sealed\":[{", &format!("\"{}\"", scene.interaction("own"))]) > 0
        }),
    ),
    ("clear metadata", Look::Found),
    (
        "neighbourhood in bronze",
        Look::There(|scene| scene.org.bronze_lines().values().any(|line| is_placeholder(line))),
    ),
    (
        "times of rewritten objects",
        Look::There(|scene| {
            let keys: BTreeSet<String> = scene.org.bronze_keys().into_iter().collect();
            scene.stack.items("ControlTable", "EXP#").iter().any(|row| keys.contains(&text(row, "sk")))
        }),
    ),
    ("tokens that the source shares", Look::Searched),
    ("figures of gold", Look::Beyond("a warehouse's, made of silver: they count")),
    ("results of queries and exports", Look::Beyond("whoever made them")),
    ("delivered answers and packages", Look::Beyond("the recipients")),
    ("tombstones", Look::There(|scene| tombstones(scene.stack) > scene.tombstones)),
    (
        "names that are gone",
        Look::There(|scene| scene.stack.item("ControlTable", &gone::key(&scene.subject)).is_some()),
    ),
    ("the request", Look::There(|scene| scene.stack.item("ControlTable", &request::key(&scene.request)).is_some())),
    (
        "this certificate",
        Look::There(|scene| {
            scene.of(Family::Package, &[scene.certificate["body"]["certificate"].as_str().unwrap()]) == 2
        }),
    ),
    ("the agents' side", Look::Beyond("no agent asked")),
    ("other systems", Look::Beyond("none is configured")),
];

#[test]
fn what_remains_is_what_the_certificate_says_and_each_row_of_it_is_looked_for() {
    let kinds: Vec<&str> = RESIDUES.iter().map(|residue| residue.kind).collect();
    assert_eq!(LOOKS.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds, "each row is looked for");
    let Some(stack) = Stack::running() else { return };
    let org = Org::new(&stack, "residue");
    let scene = Scene::made(&org);
    let remains = scene.remains();
    let unnamed: BTreeSet<&str> = kinds.iter().copied().filter(|kind| !remains.contains(kind)).collect();
    assert!(unnamed.iter().all(|kind| NOT_LEFT.contains(kind)), "{unnamed:?}");

    // What is found of the person's record, of the request and of the certificate is named by a row.
    let words = [scene.interaction("own"), scene.request.clone()];
    let mut hits = BTreeSet::new();
    for (place, kind) in scene.found(&words) {
        let kind = kind.unwrap_or_else(|| panic!("{} holds what no row names", place.name));
        assert!(remains.contains(kind), "{}: the certificate does not say {kind}", place.name);
        hits.insert(kind);
    }
    // What names the person is nowhere but in quarantine, and in what is held.
    let needles = [scene.person.spellings(), scene.person.pseudonyms(&stack)].concat();
    for (place, kind) in scene.found(&needles) {
        let is_held = is_of_held(&scene, place, &needles);
        assert!(kind == Some("lines in quarantine") || is_held, "{} names the person", place.name);
    }
    for (kind, look) in LOOKS {
        match look {
            Look::There(is_so) => assert!(is_so(&scene), "{kind}: it is not there"),
            Look::Found => assert!(hits.contains(kind), "{kind}: nothing was found of it"),
            // `scene.places` has all of them.
            Look::Searched => {}
            Look::Beyond(whose) => assert!(!whose.is_empty(), "{kind}"),
        }
    }
}

/// What an erasure of this scene does not leave: nothing is given up within a test, and the local stack's keys may have no recovery.
const NOT_LEFT: [&str; 2] = ["objects that were not planned", "recovery window of the keys"];

/// Whether all that names the person in a place is of the record that a hold keeps: its line, and the subject's state, which goes with the
/// last of its links.
fn is_of_held(scene: &Scene<'_>, place: &Place, needles: &[String]) -> bool {
    let held = scene.interaction("held");
    match place.family {
        Some(Family::Bronze) => {
            let mut named =
                place.content.lines().filter(|line| needles.iter().any(|needle| line.contains(needle.as_str())));
            named.all(|line| line.contains(&held))
        }
        Some(Family::SubjectState) => place.content.contains(&scene.subject),
        _ => false,
    }
}
