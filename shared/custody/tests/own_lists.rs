//! The lists of own numbers, over the tests' table: how long what was read counts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ledgerline_custody::own::{OwnLists, Standing};
use ledgerline_ledger::log::LogId;
use ledgerline_store::head::{Heads, listed_key};
use ledgerline_store::own::{self, Change, OwnName, OwnNumbers};
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
    /// Two orgs with logs, and on each list one domain, `<org>.example`.
    async fn new() -> Self {
        let calls = Calls::default();
        let table = FakeTable::new("ControlTable", Faults::none(), calls.clone());
        let numbers = OwnNumbers::new(table.port());
        for (org, class) in [("a", "entity"), ("a", "interaction"), ("b", "interaction")] {
            table.change(&listed_key(&LogId::first_of(org, class).unwrap()), |_| ());
        }
        for org in ["a", "b"] {
            let name = OwnName::Domain(format!("{org}.example"));
            numbers.change(org, &name, Change::Add, "2026-03-02T00:00:00.000Z").await.unwrap();
        }
        calls.reset();
        Self { lists: OwnLists::new(numbers, Heads::new(table.port())), table, calls }
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
async fn the_lists_of_all_orgs_are_read_once_an_org_and_asked_as_one() {
    let world = World::new().await;
    for at_ms in [0, 59_999] {
        let all = world.lists.of_all(T0 + at_ms).await.unwrap();
        for (domain, expected) in
            [("a.example", Standing::InForce), ("b.example", Standing::InForce), ("c.example", Standing::Never)]
        {
            assert_eq!(all.standing([], Some(domain)), expected);
        }
        assert_eq!(world.reads(), 3, "the list of logs, and each org's list");
    }
}
