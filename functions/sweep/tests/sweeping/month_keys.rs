//! The months' keys: made once, before they are needed, by a function that cannot open them.

use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_store::month_key::{self, MonthKeys};
use ledgerline_store::table::{IntoValue as _, Row};
use ledgerline_store::wrapping::{Context, NewPair, Wrapping};
use ledgerline_testkit::faults::ALL_FAULTS;
use ledgerline_testkit::wrapping::month_pair;

use crate::world::*;

const FIRST: [&str; 3] = ["2026-03", "2026-04", "2026-05"];
const PAIR: &str = "kms:GenerateDataKeyPairWithoutPlaintext";

/// The months that have a key, with their rows.
fn made(world: &World) -> Vec<(String, Row)> {
    world.control.look(|rows| {
        let rows = rows.iter().filter_map(|(key, row)| Some((month_key::parse_key(key)?.to_owned(), row.clone())));
        rows.collect()
    })
}

fn months(world: &World) -> Vec<String> {
    made(world).into_iter().map(|(month, _)| month).collect()
}

fn calls(world: &World, name: &str) -> u64 {
    world.calls.by_name().get(name).copied().unwrap_or_default()
}

#[tokio::test]
async fn the_first_run_makes_three_months_keys_and_others_only_what_a_new_month_lacks() {
    let world = World::new();
    assert_eq!(world.run().await.failures, 0);
    assert_eq!(months(&world), FIRST);
    let keys = MonthKeys::new(world.control.port());
    for month in FIRST {
        assert_eq!(keys.of(month).await.unwrap(), Some(month_pair(DEPLOYMENT, month).1));
    }
    let first = made(&world);
    world.calls.reset();
    assert_eq!((world.run().await.failures, calls(&world, PAIR), made(&world)), (0, 0, first.clone()));
    // What was read once does not change, and is not read again.
    let reads = calls(&world, "dynamodb:GetItem");
    world.calls.reset();
    assert_eq!((world.run().await.failures, calls(&world, "dynamodb:GetItem") + 3), (0, reads));
    // Still the last minute of March, and then April.
    world.pass(29 * DAY_MS + 10 * HOUR_MS - MINUTE_MS);
    world.run().await;
    assert_eq!(made(&world), first);
    world.pass(MINUTE_MS);
    world.run().await;
    assert_eq!(months(&world), ["2026-03", "2026-04", "2026-05", "2026-06"]);
    assert_eq!((&made(&world)[..3], calls(&world, PAIR)), (&first[..], 1));
}

#[tokio::test]
async fn of_two_runs_at_once_the_first_ones_keys_stay() {
    let world = World::new();
    let (one, other) = tokio::join!(world.run(), world.run());
    assert_eq!((one.failures, other.failures), (0, 0));
    assert_eq!((months(&world), calls(&world, PAIR)), (FIRST.map(str::to_owned).to_vec(), 6));
}

#[tokio::test]
async fn whatever_becomes_of_a_write_the_next_run_leaves_one_key_a_month() {
    for fault in ALL_FAULTS {
        for nth in 0..FIRST.len() {
            let world = World::new();
            world.faults.plan(nth, fault);
            world.run().await;
            assert_eq!((world.faults.struck(), world.faults.log()[nth].as_str()), (1, "dynamodb:PutItem"));
            let stood = made(&world);
            assert!(stood.len() >= 2, "the other months have theirs");
            assert_eq!(world.run().await.failures, 0);
            assert_eq!(months(&world), FIRST, "{fault:?} of write {nth}");
            assert!(stood.iter().all(|row| made(&world).contains(row)));
        }
    }
}

/// KMS as it must not be: it answers nothing, or what is not a pair on P-256.
#[derive(Debug)]
struct Other(Option<Vec<u8>>);

#[async_trait]
impl Wrapping for Other {
    async fn generate(&self, _: &str, _: &Context) -> Result<Vec<u8>, StoreError> {
        panic!("sweep makes no data key")
    }

    async fn generate_open(&self, _: &str, _: &Context) -> Result<(Vec<u8>, KeyBytes), StoreError> {
        panic!("sweep makes no data key")
    }

    async fn generate_pair(&self, what: &str, _: &Context) -> Result<NewPair, StoreError> {
        let public_der = self.0.clone().ok_or_else(|| StoreError::Denied(Failure::new(what)))?;
        Ok(NewPair { public_der, wrapped: b"wrapped".to_vec() })
    }

    async fn unwrap(&self, _: &str, _: &Context, _: &[u8]) -> Result<KeyBytes, StoreError> {
        panic!("sweep opens nothing")
    }
}

#[tokio::test]
async fn what_is_not_a_pair_on_the_curve_is_not_put_and_the_rest_of_the_run_goes_on() {
    for answer in [None, Some(Vec::new()), Some(vec![4; 65]), Some(vec![0x30; 91])] {
        let mut world = World::new();
        world.stores.wrapping = Arc::new(Other(answer));
        let summary = world.run().await;
        assert_eq!((summary.failures, months(&world)), (3, Vec::<String>::new()));
        assert_eq!(world.others.planned.through().await.unwrap(), Some(START_MS));
    }
}

#[tokio::test]
async fn a_months_row_that_is_damaged_is_told_and_never_replaced() {
    let world = World::new();
    let row = Row::from([("public".to_owned(), "nothing".into_value())]);
    world.control.change(&month_key::key("2026-04"), |damaged| *damaged = row.clone());
    let summary = world.run().await;
    assert_eq!((summary.failures, months(&world)), (1, FIRST.map(str::to_owned).to_vec()));
    assert_eq!((made(&world)[1].1.clone(), calls(&world, PAIR)), (row, 2));
}
