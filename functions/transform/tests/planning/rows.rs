//! The rows of wrapped keys: which month they are wrapped to, how many there are of a record, and what is left of them when an erasure
//! or a fault comes between.

use std::collections::BTreeSet;

use futures_util::future::join;
use ledgerline_sealed::KeyRow;
use ledgerline_store::month_key;
use ledgerline_store::party_key::ROWS_AT_ONCE;
use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};
use ledgerline_testkit::wrapping::put_month_keys;
use serde_json::json;

use crate::erasures::{PHONE, RECEIVED, call, erase, key_rows, named_in};
use crate::own::answered;
use crate::sealed::planned_and_orphans;
use crate::world::{DEPLOYMENT, MONTH, T0, World, key, lines, turns};

/// After the month of [`T0`].
const NEXT_MONTH: &str = "2026-04";
const NEXT_MONTH_MS: i64 = T0 + 31 * 86_400_000;

/// An object that was taken up when its month had no key, and comes back in the next: nobody makes a key of a past month.
#[tokio::test]
async fn keys_are_wrapped_to_the_month_in_which_their_run_begins() {
    let world = World::new();
    world.control.tamper(|rows| rows.remove(&month_key::key(MONTH))).unwrap();
    put_month_keys(&world.control, DEPLOYMENT, &[NEXT_MONTH]);
    world.bronze.seed(&key("a"), lines(&[call("c-1", PHONE)]));
    assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
    world.set_now_ms(NEXT_MONTH_MS);
    world.settle(&[&key("a")]).await;
    let months: Vec<String> = key_rows(&world).into_values().map(|row| row.month).collect();
    assert_eq!(months, [NEXT_MONTH]);
    assert_eq!(planned_and_orphans(&world).1, 0);
}

/// An erasure that reaches one record sends the whole object back to the gate. The keys of the others are there, and stay.
#[tokio::test]
async fn an_erasure_in_the_middle_of_a_run_costs_no_other_record_anything() {
    let others: Vec<String> = (2..40).map(|n| call(&format!("c-{n}"), "+15555550143")).collect();
    // Hers is the last to be kept.
    let raws = [&others[..], &[call("c-1", PHONE)]].concat();
    let whom = named_in(&[call("c-1", PHONE)]).await;
    let mut met = BTreeSet::new();
    for later in 0..150 {
        let world = World::new();
        world.bronze.seed(&key("a"), lines(&raws));
        let erasure = async {
            turns(later).await;
            erase(&world, &whom, RECEIVED).await;
            (key_rows(&world).len(), world.staged.under("staged/").is_empty())
        };
        let (back, (kept, is_open)) = join(world.deliver(&[&key("a")]), erasure).await;
        assert!(back.is_empty(), "after {later} turns: the message comes back");
        // The others' keys and no more, each in a plan, in a row of its record.
        let named: BTreeSet<String> = world.check().entries.into_iter().flat_map(|entry| entry.key_ids).collect();
        let rows = key_rows(&world);
        let there: BTreeSet<&String> = rows.values().flat_map(|row| row.keys.keys()).collect();
        assert!(there.iter().all(|id| named.contains(*id)), "after {later} turns: a key of no plan");
        assert_eq!((there.len(), rows.len()), (others.len(), others.len()), "after {later} turns");
        met.insert((kept > 0 && is_open, world.keys.refused() > 0));
    }
    assert!(met.contains(&(true, true)), "no erasure came between two rows: {met:?}");
}

/// Events of one record, each of another set of 28 out of 40 customers: 1.1 KB a key.
fn sets_of_customers(events: u64) -> Vec<String> {
    let of = |event: u64| {
        let one_of_two = (0..12).map(|pair| 2 * pair + (event >> pair & 1));
        let numbers: Vec<String> =
            one_of_two.chain(24..40).map(|number| format!("+1555555{:04}", 100 + number)).collect();
        answered("acme", "c-1", "answered", json!({"callbackNumbers": numbers}))
    };
    (0..events).map(of).collect()
}

#[tokio::test]
async fn a_record_of_thousands_of_sets_of_customers_keeps_its_rows_in_few_writes_that_do_not_clash() {
    let raws = sets_of_customers(3_900);
    let seeded = |faults: Faults| {
        let world = World::with(faults);
        world.bronze.seed(&key("a"), lines(&raws));
        world
    };
    let world = seeded(Faults::none());
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    assert_eq!((key_rows(&world).len(), ROWS_AT_ONCE, world.keys.refused()), (15, 12, 0));
    let (named, orphans) = planned_and_orphans(&world);
    assert_eq!((named.len(), orphans), (raws.len(), 0));
    assert!(key_rows(&world).values().all(|row| row.bytes() <= KeyRow::BYTES_MAX));

    // A run that dies at the second write leaves the first one's rows, and the second one's if they were stored; the next keeps all.
    let writes = world.faults.log();
    let second = writes.iter().rposition(|write| write == "dynamodb:TransactWriteItems").unwrap();
    for (fault, left) in ALL_FAULTS.into_iter().zip([12, 15]) {
        let world = seeded(Faults::at(second, fault));
        assert_eq!(world.deliver(&[&key("a")]).await, ["m0"]);
        assert_eq!(key_rows(&world).len(), left, "{fault:?}");
        world.settle(&[&key("a")]).await;
        let (named, orphans) = planned_and_orphans(&world);
        assert_eq!((named.len(), orphans), (raws.len(), left), "{fault:?}");
    }
    // One that clashes there goes on where it was: nothing is kept twice.
    let world = seeded(Faults::at(second, Fault::Conflict));
    assert!(world.deliver(&[&key("a")]).await.is_empty());
    assert_eq!((key_rows(&world).len(), planned_and_orphans(&world).1), (15, 0));
}
