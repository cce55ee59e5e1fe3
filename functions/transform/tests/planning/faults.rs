//! The fault matrix: every write of a run is lost, or persisted and reported as an error, and then the same message
//! comes again, or other messages come first. Whatever happened, every event is planned exactly once in the end.

use ledgerline_testkit::faults::{ALL_FAULTS, Fault, Faults};

use crate::erasures;
use crate::world::{T0, World, event, gzip, key, lines, turns};

/// What comes after the fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// The same message.
    Same,
    /// Another object with some of the same events, and then the same message.
    AnotherObject,
    /// The same message twice at once, as if its visibility had run out under a slow function.
    Twice,
}

impl Then {
    pub(crate) const ALL: [Self; 3] = [Self::Same, Self::AnotherObject, Self::Twice];
}

/// Delivers the object `a`, and what comes before it comes again.
pub(crate) async fn begin(world: &World, then: Then, [a, b]: [&str; 2]) {
    world.deliver(&[a]).await;
    match then {
        Then::Same => {}
        Then::AnotherObject => world.settle(&[b]).await,
        Then::Twice => {
            let one = [a];
            tokio::join!(world.deliver(&one), world.deliver(&one));
        }
    }
}

fn seed(world: &World) {
    let events = |conversations: std::ops::Range<u32>| -> Vec<String> {
        conversations.flat_map(|conversation| (0..4).map(move |nth| event(conversation, nth))).collect()
    };
    let mut first = lines(&events(0..6));
    first.extend_from_slice(b"garbage\n");
    world.bronze.seed(&key("a.gz"), gzip(&first, 2));
    world.bronze.seed(&key("b"), lines(&events(3..9)));
}

async fn run(world: &World, then: Then) {
    let (a, b) = (key("a.gz"), key("b"));
    begin(world, then, [&a, &b]).await;
    world.settle(&[&a]).await;
    world.settle(&[&b]).await;
}

fn check(world: &World, case: &str) {
    let counts = world.check().counts;
    assert_eq!(counts.input, 25 + 24, "{case}");
    assert_eq!((counts.planned, counts.duplicate, counts.quarantined), (36, 12, 1), "{case}");
    let (_, links) = world.keys.subjects_and_links();
    assert_eq!(links, 9, "{case}: one link per conversation's caller");
}

/// The writes of an undisturbed run over both objects.
async fn writes() -> Vec<String> {
    let world = World::new();
    seed(&world);
    run(&world, Then::Same).await;
    check(&world, "undisturbed");
    world.faults.log()
}

#[tokio::test]
async fn every_write_lost_or_persisted_but_errored_and_retried_in_every_way() {
    let writes = writes().await;
    assert!(writes.len() > 20, "{writes:?}");
    for (nth, write) in writes.iter().enumerate() {
        for fault in ALL_FAULTS {
            for then in Then::ALL {
                let case = format!("{write} (#{nth}) {fault:?}, then {then:?}");
                let world = World::with(Faults::at(nth, fault));
                seed(&world);
                run(&world, then).await;
                assert_eq!(world.faults.struck(), 1, "{case}: the fault never struck");
                check(&world, &case);
            }
        }
    }
}

/// The customers that silver names.
fn names(world: &World) -> usize {
    world.everything_but_bronze().matches("customer_ref: \"c_").count()
}

#[tokio::test]
async fn silver_of_a_run_that_died_without_a_plan_is_replaced_once_it_is_surely_dead() {
    let world = World::new();
    seed(&world);
    let a = key("a.gz");
    let plan = writes().await.iter().position(|write| write.ends_with(" staged")).unwrap();
    world.faults.plan(plan, Fault::Lost);
    assert_eq!(world.deliver(&[&a]).await, ["m0"]);
    let before = world.lake.under("silver/");
    assert!(!before.is_empty() && names(&world) > 0);
    // Every caller is erased now: this run's rows name nobody.
    erasures::plant(&world, &(0..6).map(|conversation| event(conversation, 0)).collect::<Vec<_>>(), T0 + 30_000).await;
    // The run that wrote the file may be about to plan: this one waits, and plans nothing beside it.
    assert_eq!(world.deliver(&[&a]).await, ["m0"]);
    assert_eq!(world.lake.under("silver/"), before);
    assert!(world.staged.under("staged/").is_empty());
    world.lake.grow_old();
    world.settle(&[&a]).await;
    assert_eq!(names(&world), 0);
    world.bronze.erase(&key("b"));
    world.check();
}

#[tokio::test]
async fn of_two_runs_with_different_rows_silver_keeps_those_of_the_one_that_planned() {
    let a = key("a.gz");
    let one = [a.as_str()];
    let mut won = [0, 0];
    // The second run names nobody. One of the two begins later and later, until it begins after the other has planned.
    for later in 0..200 {
        let world = World::new();
        seed(&world);
        world.bronze.erase(&key("b"));
        let mut nameless = world.clone();
        nameless.limits.cap = 0;
        let after = async |world: &World, later: usize| {
            turns(later).await;
            world.deliver(&one).await
        };
        let (one_later, other_later) = if later % 2 == 0 { (0, later / 2) } else { (later / 2, 0) };
        let (first, second) = tokio::join!(after(&world, one_later), after(&nameless, other_later));
        let named = names(&world) > 0;
        match (first.is_empty(), second.is_empty()) {
            (true, false) => assert!(named, "{later}: the other's rows beside the first's plan"),
            (false, true) => assert!(!named, "{later}: the other's rows beside the second's plan"),
            (true, true) => {}
            (false, false) => panic!("{later}: neither planned"),
        }
        won[usize::from(named)] += 1;
        let silver = world.lake.under("silver/");
        world.lake.grow_old();
        world.settle(&one).await;
        nameless.settle(&one).await;
        assert_eq!(world.lake.under("silver/"), silver, "{later}: silver changed after the plan");
        world.check();
    }
    assert!(won[0] > 0 && won[1] > 0, "{won:?}: each run won once");
}

#[tokio::test]
async fn two_faults_in_a_row() {
    let writes = writes().await.len();
    for nth in 0..writes {
        for (first, second) in [(Fault::Lost, Fault::PersistedButErrored), (Fault::PersistedButErrored, Fault::Lost)] {
            for distance in [1, 4] {
                let world = World::with(Faults::at(nth, first));
                world.faults.plan(nth + distance, second);
                seed(&world);
                run(&world, Then::Same).await;
                check(&world, &format!("#{nth} {first:?}, {distance} later {second:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_plan_from_before_is_carried_out_although_it_would_be_computed_otherwise_today() {
    let world = World::new();
    seed(&world);
    let a = key("a.gz");
    let pointers = writes().await.iter().position(|write| write.starts_with("sqs:")).unwrap();
    world.faults.plan(pointers, Fault::Lost);
    assert_eq!(world.deliver(&[&a]).await, ["m0"]);
    let before = world.staged.under("staged/");
    // Salts are random, so that whatever is computed now differs from the plan.
    world.settle(&[&a]).await;
    assert_eq!(world.staged.under("staged/"), before);
}
