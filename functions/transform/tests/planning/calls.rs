//! AWS calls per bronze object, counted: what an event costs depends on how many share an object.

use ledgerline_testkit::calls::Calls;

use crate::world::{World, event, gzip, key, lines};

/// The calls for one object of `events` events: conversations of 16 events, 50 callers in all.
async fn calls_per_object(events: u32) -> Calls {
    let world = World::new();
    let raws: Vec<String> = (0..events).map(|n| event(n / 16, n % 16)).collect();
    world.bronze.seed(&key("a.gz"), gzip(&lines(&raws), 1));
    world.settle(&[&key("a.gz")]).await;
    assert_eq!(world.check().counts.planned, u64::from(events));
    world.calls
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is run for")]
async fn aws_calls_per_object_stay_within_their_bounds() {
    // Once per object: 2 on its row, the read, silver, the plan, whether its org has a CRM, a mark for its day and for each of those beside
    // it, and one each of the batched calls. Once per record: its pin, its keys. Once per 25 records: their derived tokens.
    for (events, at_most) in [(10, 23), (1_000, 272), (100_000, 20_560)] {
        let calls = calls_per_object(events).await;
        let per_thousand = calls.total() * 1_000 / u64::from(events);
        println!("{events} events: {} calls, {per_thousand} per 1,000 events: {:?}", calls.total(), calls.by_name());
        assert!(calls.total() <= at_most, "{} calls for {events} events", calls.total());
    }
}
