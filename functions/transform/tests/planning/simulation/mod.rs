//! A seeded simulation of transform with erasures under way: bronze objects of several orgs, delivered in any order, again, by two
//! runs at once whose calls interleave, by runs that die; every call may be lost, throttled, refused, half done, or done and
//! reported as failed; and an eraser that plants tombstones, then takes subjects, records and links, a step at any moment. A model
//! beside it knows what was sent, what each erasure covers, and where each object stood when it came.
//!
//! Short runs are part of the test suite. A long one:
//! `LEDGERLINE_SIMULATION_HISTORIES=100000 cargo test -p ledgerline-transform --test planning simulation -- --nocapture`.
//! `LEDGERLINE_SEED` chooses the first history's seed; a failure prints its own, which repeats it exactly.

mod eraser;
mod history;
mod model;
mod stage;
pub(crate) mod traffic;

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
const ROUNDS: u64 = 6;
const THREADS: u64 = 2;

#[test]
fn whatever_fails_and_whoever_is_erased_each_event_is_planned_once_and_names_whom_it_may() {
    let seed = setting("LEDGERLINE_SEED", DEFAULT_SEED);
    let histories = setting("LEDGERLINE_SIMULATION_HISTORIES", DEFAULT_HISTORIES);
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
    let stored = |seed: u64| block_on(History::new(seed).stored(ROUNDS)).expect("a history that holds");
    assert_eq!(stored(7), stored(7));
    assert_ne!(stored(7), stored(8));
}

/// What must occur in a run of full length, since a simulation proves nothing of what never happened in it.
const MUST_OCCUR: [&str; 23] = [
    "Conflict dynamodb:TransactWriteItems",
    "Lost dynamodb:TransactWriteItems",
    "PersistedButErrored dynamodb:TransactWriteItems",
    "Partly dynamodb:BatchWriteItem",
    "Throttled dynamodb:BatchWriteItem",
    "Unread dynamodb:BatchGetItem",
    "alias of a line",
    "alias that went",
    "covered, and erased",
    "cutoff of a record",
    "deletion that was covered",
    "destroyed key",
    "filtered or repeated, and covered",
    "in flight, and erased",
    "in flight, and named",
    "keys of no plan",
    "later than the cutoff, and named",
    "message returned",
    "run that died",
    "shared identifier",
    "subject that went",
    "token of two records",
    "uncovered, and named",
];

pub(crate) fn count(tally: &mut Tally, met: &str, times: u64) {
    if times > 0 {
        *tally.entry(met.to_owned()).or_default() += times;
    }
}

/// One history; a panic in it (of a strict fake, say) is a failure like any other.
fn run(seed: u64, rounds: u64) -> Result<Tally, String> {
    let history = || block_on(async move { History::new(seed).run(rounds).await });
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

/// Remembers the panics of threads without a name, which are this simulation's: transform survives one of a message's, and a strict
/// fake's only word is a panic.
fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| match thread::current().name() {
            Some(_) => others(info),
            None => PANIC.with(|last| *last.borrow_mut() = Some(info.to_string())),
        }));
    });
}

/// What this thread panicked with since this was last asked.
pub(crate) fn take_panic() -> Option<String> {
    PANIC.with(|last| last.borrow_mut().take())
}
