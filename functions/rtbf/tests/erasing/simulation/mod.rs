//! A seeded simulation of erasures under way: bronze objects of a few people in two orgs that transform takes up at any moment, runs that
//! die, audit-write, requests for one or two people, hints, holds that come and go, slices that are killed; every call of the eraser may
//! be lost, throttled, refused, half done, or done and reported as failed. In the end, in fine weather, all is delivered and every request
//! is done; what must hold then follows from what was sent, and from nothing that the eraser computed.
//!
//! Short runs are part of the test suite. A long one:
//! `LEDGERLINE_HISTORIES=10000 cargo test -p ledgerline-rtbf --test erasing simulation -- --nocapture`.
//! `LEDGERLINE_SEED` chooses the first history's seed; a failure prints its own, which repeats it exactly.

mod history;
mod model;
mod traffic;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread;

use history::History;

/// What was met, by name.
pub(crate) type Tally = BTreeMap<String, u64>;

const DEFAULT_HISTORIES: u64 = 200;
const DEFAULT_SEED: u64 = 20_261_130;
/// Rounds of a history, before its end.
const ROUNDS: u64 = 8;
const THREADS: u64 = 2;

#[test]
fn whatever_fails_and_whoever_is_at_work_what_must_go_goes_and_nothing_else_does() {
    let seed = setting("LEDGERLINE_SEED", DEFAULT_SEED);
    let histories = setting("LEDGERLINE_HISTORIES", DEFAULT_HISTORIES);
    remember_panics();
    let workers = (0..THREADS).map(|worker| {
        thread::spawn(move || {
            let mut tally = Tally::new();
            for history in (worker..histories).step_by(THREADS as usize) {
                let seed = seed.wrapping_add(history);
                match run(seed, ROUNDS) {
                    Ok(of_history) => of_history.into_iter().for_each(|(met, times)| count(&mut tally, &met, times)),
                    Err(problem) => fail(seed, &problem),
                }
            }
            tally
        })
    });
    let mut tally = Tally::new();
    for worker in workers.collect::<Vec<_>>() {
        let of_worker = worker.join().expect("a history failed; its seed is printed above");
        of_worker.into_iter().for_each(|(met, times)| count(&mut tally, &met, times));
    }
    // A long run of a chosen seed may be as short as one history; what is rare need not occur in it.
    if histories >= DEFAULT_HISTORIES {
        let missing: Vec<&str> = MUST_OCCUR.into_iter().filter(|met| !tally.contains_key(*met)).collect();
        assert!(missing.is_empty(), "never met: {missing:?}, in {tally:#?}");
    }
    tell(&format!("simulation: {histories} histories from seed {seed}: {tally:#?}"));
}

#[test]
fn a_seed_repeats_itself() {
    remember_panics();
    let tally = |seed: u64| run(seed, ROUNDS).expect("a history that holds");
    assert_eq!(tally(7), tally(7));
    assert_ne!(tally(7), tally(8));
}

/// What must occur in a run of full length, since a simulation proves nothing of what never happened in it.
const MUST_OCCUR: [&str; 21] = [
    "Conflict dynamodb:TransactWriteItems",
    "Lost dynamodb:TransactWriteItems",
    "PersistedButErrored dynamodb:TransactWriteItems",
    "PersistedButErrored s3:PutObject bronze",
    "Lost s3:PutObject silver",
    "Partly dynamodb:BatchWriteItem",
    "Throttled dynamodb:BatchWriteItem",
    "Unread dynamodb:Query",
    "came again, and went",
    "destroyed key",
    "hold that was lifted",
    "kept in a shared record",
    "later than the cutoff, and kept",
    "later than the cutoff, and gone with its record",
    "message that came back",
    "record that went whole",
    "run of transform that died",
    "second pass",
    "slice that died",
    "waited for a plan",
    "went by a name",
];

pub(crate) fn count(tally: &mut Tally, met: &str, times: u64) {
    if times > 0 {
        *tally.entry(met.to_owned()).or_default() += times;
    }
}

/// One history; a panic in it (of a strict fake, say) is a failure like any other.
fn run(seed: u64, rounds: u64) -> Result<Tally, String> {
    let history = || block_on(async move { History::new(seed).await.run(rounds).await });
    catch_unwind(AssertUnwindSafe(history)).unwrap_or_else(|_| Err(take_panic().unwrap_or_default()))
}

/// Finds the shortest beginning of the history that fails, and tells all that it takes to repeat it.
fn fail(seed: u64, problem: &str) -> ! {
    let shortest = (0..ROUNDS).find_map(|rounds| Some((rounds, run(seed, rounds).err()?)));
    let (rounds, problem) = shortest.unwrap_or((ROUNDS, problem.to_owned()));
    let told = format!("LEDGERLINE_SEED={seed} fails after {rounds} rounds: {problem}");
    tell(&told);
    panic!("{told}");
}

#[expect(clippy::print_stderr, reason = "whoever runs it reads what was met, and the seed that failed")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

#[expect(clippy::disallowed_methods, reason = "a test reads its seed and its length")]
fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(value) = std::env::var(name) else { return otherwise };
    value.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers the panics of threads without a name, which are this simulation's: the functions survive one of a message's, and a strict
/// fake's only word is a panic.
fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC.with(|last| *last.borrow_mut() = Some(info.to_string()));
            if thread::current().name().is_some() {
                others(info);
            }
        }));
    });
}

/// What this thread panicked with since this was last asked.
pub(crate) fn take_panic() -> Option<String> {
    PANIC.with(|last| last.borrow_mut().take())
}
