//! The lists of own numbers, over the tests' tables: how long what was read counts, and whom an item names already.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ledgerline_custody::own::{OwnLists, Standing, count_subjects, parse_list};
use ledgerline_privacy::{KeyRing, PseudonymKey, Region};
use ledgerline_store::gone::Gone;
use ledgerline_store::own::{self, Change, OwnName, OwnNumbers};
use ledgerline_store::party::PartySeen;
use ledgerline_store::subject::{Link, LinkWrite, SubjectName, SubjectRef, SubjectWrite, Subjects};
use ledgerline_store::tombstone::Tombs;
use ledgerline_testkit::calls::Calls;
use ledgerline_testkit::faults::Faults;
use ledgerline_testkit::table::FakeTable;

const T0: i64 = 1_772_460_000_000;

struct World {
    table: FakeTable,
    calls: Calls,
    lists: OwnLists,
}

impl World {
    /// Two orgs, and on each list one domain, `<org>.example`.
    async fn new() -> Self {
        let calls = Calls::default();
        let table = FakeTable::new("ControlTable", Faults::none(), calls.clone());
        let numbers = OwnNumbers::new(table.port());
        for org in ["a", "b"] {
            let name = OwnName::Domain(format!("{org}.example"));
            numbers.change(org, &name, Change::Add, "2026-03-02T00:00:00.000Z").await.unwrap();
        }
        calls.reset();
        Self { lists: OwnLists::new(numbers), table, calls }
    }

    fn reads(&self) -> u64 {
        self.calls.by_name().get("dynamodb:Query").copied().unwrap_or_default()
    }
}

#[tokio::test]
async fn a_list_is_read_again_after_a_minute_and_not_before() {
    let world = World::new().await;
    for (org, at_ms, expected) in [
        ("a", 0, 1),
        ("a", 59_999, 1),
        ("b", 59_999, 2),
        ("a", 60_000, 3),
        ("b", 119_998, 3),
        ("a", 119_999, 3),
        ("b", 119_999, 4),
    ] {
        let list = world.lists.of(org, T0 + at_ms).await.unwrap();
        assert_eq!(list.standing([], Some(&format!("{org}.example"))), Standing::InForce);
        assert_eq!(world.reads(), expected, "{org} after {at_ms} ms");
    }
    world.table.set_unreadable(Some(&own::key("a", &OwnName::Domain(String::new())).pk));
    assert!(world.lists.of("a", T0 + 120_000).await.is_err(), "an old list is not an answer");
    assert!(world.lists.of("b", T0 + 120_000).await.is_ok());
}

#[tokio::test]
async fn lists_of_several_orgs_come_in_their_order_and_say_nothing_of_each_others() {
    let world = World::new().await;
    let orgs = ["b", "c", "a"].map(str::to_owned);
    for at_ms in [0, 59_999] {
        let lists = world.lists.of_each(&orgs, T0 + at_ms).await.unwrap();
        for (org, list) in orgs.iter().zip(&lists) {
            for domain in ["a", "b", "c"] {
                let expected = if domain == org && org != "c" { Standing::InForce } else { Standing::Never };
                assert_eq!(list.standing([], Some(&format!("{domain}.example"))), expected, "{domain} in {org}");
            }
        }
        assert_eq!(world.reads(), 3, "each list once");
    }
}

#[tokio::test]
async fn who_is_gone_is_not_counted_among_those_whom_an_item_names() {
    let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
    let (control, keys) = (table("ControlTable"), table("KeysTable"));
    let (subjects, gone) = (Subjects::new(keys.port()), Gone::new(control.port()));
    let ring = KeyRing::new([(1, 7), (2, 8)].map(|(version, byte)| PseudonymKey::new(version, [byte; 32])));
    let items = parse_list("+1 212 555 0142, example.com", Region::US).unwrap();
    let (phone, domain) = (items[0].names(ring.as_ref()), items[1].names(ring.as_ref()));
    let count = async |names: &[OwnName]| count_subjects(&subjects, &gone, "a", names).await.unwrap();
    assert_eq!((count(&phone).await, count(&domain).await), (Some(0), None));
    let mut ids = Vec::new();
    for (n, name) in (1..).zip(&phone) {
        let OwnName::Identifier(kind, pseudonym) = name else { panic!("no identifier") };
        let subject = SubjectRef::from_random([n; 32]);
        ids.push(subject.subject_id.clone());
        let link = LinkWrite {
            record: "a/c-1".to_owned(),
            link: Link { span: None },
            replaces: None,
            party: PartySeen::default(),
        };
        let write = SubjectWrite::Create {
            name: SubjectName { org: "a".to_owned(), kind: *kind, pseudonym: pseudonym.as_str().to_owned() },
            replaces: None,
            subject,
            created_at: "2026-03-02T14:00:00.000Z".to_owned(),
            fills: false,
            links: vec![link],
            tombs: Tombs::new(control.port()).unchanged([]),
        };
        subjects.write(write).await.unwrap();
        assert_eq!(count(&phone).await, Some(u64::from(n)));
    }
    while let Some(id) = ids.pop() {
        gone.put(&[&id]).await.unwrap();
        assert_eq!((count(&phone).await, count(&domain).await), (Some(ids.len() as u64), None));
    }
}
