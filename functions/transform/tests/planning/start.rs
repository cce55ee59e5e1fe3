//! A cold start: it opens the data keys, and the first one makes them.

use ledgerline_lambda::clock::FixedClock;
use ledgerline_store::data_key::{self, DataKeys};
use ledgerline_testkit::wrapping::FakeWrapping;
use ledgerline_transform::config::open_keys;

use crate::world::World;

#[tokio::test]
async fn the_first_start_makes_a_key_of_each_purpose_and_the_next_opens_the_same() {
    let world = World::new();
    let wrapping = FakeWrapping::new("DataKey", world.faults.clone(), world.calls.clone());
    let data_keys = DataKeys::new(world.control.port(), wrapping.port(), "trial");
    let first = open_keys(&data_keys, &FixedClock(0)).await.unwrap();
    let made = world.control.rows();
    assert_eq!(made.keys().filter(|key| data_key::is_key(key)).count(), 3);
    let second = open_keys(&data_keys, &FixedClock(1)).await.unwrap();
    assert_eq!(world.control.rows(), made);
    let versions = [first, second].map(|keys| keys.pseudonyms.newest().version());
    assert_eq!(versions, [1, 1]);
}
