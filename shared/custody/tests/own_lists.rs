//! The lists of own numbers, over the tests' table: how long what was read counts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ledgerline_custody::own::{OwnLists, Standing};
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
