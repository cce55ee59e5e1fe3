//! What follows the commit: tiles, checkpoints, the archive's say, and what an outage or a lie does to them.

use std::sync::Arc;

use crate::world::*;
use async_trait::async_trait;
use aws_lambda_events::sqs::SqsMessage;
use ledgerline_audit_write::handle;
use ledgerline_custody::publication::Memory;
use ledgerline_lambda::clock::FixedClock;
use ledgerline_ledger::checkpoint::{CheckpointBody, live_key, origin};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tile::{folder, partial_tiles};
use ledgerline_ledger::tree::Hash;
use ledgerline_store::signer::Sign;
use ledgerline_testkit::faults::Faults;

const LATER: i64 = 20_000;

fn log() -> LogId {
    LogId::parse(LOG).unwrap()
}

fn signatures(world: &World) -> u64 {
    world.calls.by_name().get("kms:Sign").copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_logs_first_append_is_published_and_signed_at_once() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 300))).await;
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed, found.checkpoints), (300, 300, 300, 1));
    let tiles = world.ledger.all().into_keys().filter(|key| key.starts_with(&folder(&log()))).count();
    assert_eq!(tiles, 3, "256 leaves, 44 leaves, one root");
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_signed_at_most_every_ten_seconds_and_only_of_a_tree_that_grew() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let second = messages(&world.plan(LOG, "b", 5));
    world.run_at(NOW_MS + 9_999, LONG, &second).await;
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed, signatures(&world)), (10, 5, 5, 1));
    // Any message of the log brings it to pass, also one that was committed long ago.
    world.run_at(NOW_MS + 10_000, LONG, &second).await;
    let found = world.check().unwrap();
    assert_eq!((found.published, found.signed, signatures(&world)), (10, 10, 2));
    world.run_at(NOW_MS + 60_000, LONG, &second).await;
    assert_eq!((world.check().unwrap().checkpoints, signatures(&world)), (2, 2), "nothing grew");
}

#[tokio::test(start_paused = true)]
async fn eight_segments_are_published_before_their_checkpoint_is_due() {
    let world = World::new(&Faults::none());
    for nth in 0..9 {
        world.run(LONG, &messages(&world.plan(LOG, &format!("o{nth}"), 2))).await;
    }
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed, signatures(&world)), (18, 18, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_partial_tile_is_retired_once_another_one_takes_its_place() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 2))).await;
    let tag = |size| world.ledger.current(&partial_tiles(size).unwrap()[0].key(&log())).unwrap().tag.unwrap();
    assert_eq!((tag(5).as_str(), tag(7).as_str()), ("retired", "partial"));
}

/// A key that is disabled.
#[derive(Debug)]
struct Disabled;

#[async_trait]
impl Sign for Disabled {
    async fn sign(&self, _: &[u8]) -> Result<[u8; 64], StoreError> {
        Err(StoreError::Denied(Failure::new("sign")))
    }

    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        Err(StoreError::Denied(Failure::new("public key")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_signing_outage_stops_no_commit_and_is_made_up_for() {
    let world = World::new(&Faults::none());
    let stores = world.signing_with(Arc::new(Disabled));
    for (nth, name) in (0..).zip(["a", "b", "c"]) {
        let batch = messages(&world.plan(LOG, name, 5));
        let clock = FixedClock(NOW_MS + nth * LATER);
        let answer = handle(&stores, &config(), &world.memory, &clock, clock.0 + LONG, event(&batch)).await;
        assert!(returned(&answer).is_empty(), "{name}");
    }
    let found = world.check().unwrap();
    assert_eq!((found.entries, found.published, found.signed), (15, 15, 0));
    world.run_at(NOW_MS + 3 * LATER, LONG, &messages(&world.plan(LOG, "d", 1))).await;
    assert_eq!(world.check().unwrap().signed, 16);
}

/// Two signed appends, the table put back to the first, and a message that comes then.
async fn restored(memory: &Memory) -> (World, Vec<SqsMessage>, Vec<String>) {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let yesterday = world.control.rows();
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 5))).await;
    world.control.restore(yesterday);
    let batch = messages(&world.plan(LOG, "c", 2));
    let clock = FixedClock(NOW_MS + 2 * LATER);
    let answer = handle(&world.stores, &config(), memory, &clock, clock.0 + LONG, event(&batch)).await;
    let back = returned(&answer).into_iter().map(str::to_owned).collect();
    (world, batch, back)
}

#[tokio::test(start_paused = true)]
async fn a_table_restored_to_yesterday_stops_its_logs() {
    let (world, batch, back) = restored(&Memory::default()).await;
    assert_eq!(back, [batch[0].message_id.clone().unwrap()]);
    assert_eq!(world.lines(LOG).len(), 10, "nothing was written");
    assert!(world.released().is_empty(), "it waits for an operator");
}

#[tokio::test(start_paused = true)]
async fn an_emptied_table_does_not_begin_its_logs_anew() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    world.control.restore([].into());
    let batch = messages(&world.plan(LOG, "b", 5));
    let answer =
        handle(&world.stores, &config(), &Memory::default(), &FixedClock(NOW_MS), NOW_MS + LONG, event(&batch)).await;
    assert_eq!(returned(&answer).len(), 1);
    assert_eq!(world.lines(LOG).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn tiles_that_do_not_make_the_heads_root_stop_the_log_before_anything_is_signed() {
    for gone in [false, true] {
        let world = World::new(&Faults::none());
        world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
        let key = partial_tiles(5).unwrap()[0].key(&log());
        if gone {
            world.ledger.delete(&key)
        } else {
            world.ledger.tamper(&key, 3)
        };
        let batch = messages(&world.plan(LOG, "b", 5));
        let answer = world.run_at(NOW_MS + LATER, LONG, &batch).await;
        assert_eq!(returned(&answer).len(), 1);
        assert_eq!(signatures(&world), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn another_full_tile_under_its_name_stops_the_log() {
    let world = World::new(&Faults::none());
    let key = format!("{}0/000", folder(&log()));
    world.ledger.seed(&key, vec![1; 256 * 32]);
    let answer = world.run(LONG, &messages(&world.plan(LOG, "a", 300))).await;
    assert_eq!(returned(&answer).len(), 2);
    assert_eq!(signatures(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_live_checkpoint_never_goes_back_and_a_false_one_gives_way() {
    let world = World::new(&Faults::none());
    world.run(LONG, &messages(&world.plan(LOG, "a", 5))).await;
    let origin = origin("trial", &log());
    let body = CheckpointBody::new(&origin, 1_000, Hash([7; 32])).unwrap();
    let key = VerifyingKey::new(&origin, KeyKind::Log, &world.signer.key()).unwrap();
    let signature = world.signer.sign(body.text().as_bytes()).await.unwrap();
    let larger = body.signed(&key, &signature).unwrap().note();
    let live = |world: &World| world.ledger.current(&live_key(&log())).unwrap().bytes;

    world.ledger.seed(&live_key(&log()), larger.clone());
    world.run_at(NOW_MS + LATER, LONG, &messages(&world.plan(LOG, "b", 5))).await;
    assert_eq!(live(&world), larger);

    let mut forged = larger;
    let last = forged.len() - 4;
    forged[last] ^= 1;
    world.ledger.seed(&live_key(&log()), forged);
    world.run_at(NOW_MS + 2 * LATER, LONG, &messages(&world.plan(LOG, "c", 5))).await;
    assert!(String::from_utf8(live(&world).to_vec()).unwrap().starts_with("trial/acme/interaction/1/0\n15\n"));
}

#[tokio::test(start_paused = true)]
async fn a_pointer_of_a_newer_version_comes_back_with_all_after_it_in_its_group() {
    let world = World::new(&Faults::none());
    let (a, b, other) = (world.plan(LOG, "a", 2), world.plan(LOG, "b", 2), world.plan("acme/entity/1/0", "c", 2));
    let newer = raw_message("newer", LOG, &a[0].to_body().unwrap().replacen("\"v\":1", "\"v\":2", 1));
    let batch = [message(&a[0]), newer, message(&b[0]), message(&other[0])];
    let answer = world.run(LONG, &batch).await;
    assert_eq!(returned(&answer), ["newer", b[0].deduplication_id().as_str()]);
    assert_eq!((world.lines(LOG).len(), world.lines("acme/entity/1/0").len()), (2, 2));
    assert!(world.poison().is_empty());
}
