//! Somebody with thousands of interactions among a hundred thousand lines of others: what it costs, and how much is in memory.

use std::collections::BTreeMap;

use ledgerline_store::request::State;

use crate::traffic::{ADA, Line, Person, T0, call};
use crate::world::{Asking, World};

const INTERACTIONS: u32 = 4_900;
const OBJECTS: u32 = 3_000;
/// Lines of others in each object.
const OTHERS: u32 = 33;

async fn filled() -> (World, String) {
    let world = World::new().await;
    for object in 0..OBJECTS {
        let hers = (object..INTERACTIONS).step_by(OBJECTS as usize);
        let hers = hers.map(|n| call(&format!("c-{n}"), ADA, T0 + i64::from(n)));
        let others = (0..OTHERS).map(|n| {
            let n = object * OTHERS + n;
            let who = if n % 30 == ADA.0 - 10 { Person(99) } else { Person(10 + n % 30) };
            call(&format!("d-{}", n % 20_000), who, T0 + 10_000_000 + i64::from(n))
        });
        let lines: Vec<Line> = hers.chain(others).collect();
        let name = format!("o-{object}");
        world.put(&name, &lines);
        world.transform(&name).await;
    }
    world.commit().await;
    world.pass(3_600_000);
    let id = world.approved(Asking::whole(ADA)).await;
    (world, id)
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is run for")]
fn thousands_of_interactions_among_a_hundred_thousand_lines() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (world, id) = runtime.block_on(filled());
    let bytes = |world: &World| -> BTreeMap<String, u64> {
        world.bronze.look(|all| {
            all.iter().map(|(key, of)| (key.clone(), of.iter().map(|one| one.bytes.len() as u64).sum())).collect()
        })
    };
    let before = bytes(&world);
    let used = allocation_counter::measure(|| runtime.block_on(world.finish(&[&id])));
    let after = bytes(&world);
    let (calls, by_name) = (world.calls.total(), world.calls.by_name());
    let largest = before.values().max().copied().unwrap_or_default();
    let puts = world.faults.log().iter().filter(|write| *write == "s3:PutObject bronze").count();
    println!("{calls} calls, {puts} objects put, {} bytes at most: {by_name:?}", used.bytes_max);

    assert_eq!(runtime.block_on(world.row(&id)).state, State::Done);
    let lines = world.redacted().len();
    assert_eq!(lines, INTERACTIONS as usize);
    assert!(!by_name.contains_key("dynamodb:Scan"), "{by_name:?}");
    let at_most = 14 * u64::from(OBJECTS) + 20 * u64::from(INTERACTIONS) + 400;
    assert!(calls <= at_most, "{calls} calls, {at_most} at most");
    assert_eq!(puts, OBJECTS as usize, "each object once");
    assert!(after.values().sum::<u64>() <= 3 * before.values().sum::<u64>());
    // The certificate with its proofs, three times while it is checked, and what the fakes keep of each act.
    let of_proofs = u64::from(INTERACTIONS) * 48 * 1024;
    assert!(used.bytes_max <= 64 * 1024 * 1024 + 3 * largest + of_proofs, "{} bytes", used.bytes_max);
    let certificate = world.certificate(&id);
    assert_eq!(certificate.body.counts.deletions, u64::from(INTERACTIONS));
}
