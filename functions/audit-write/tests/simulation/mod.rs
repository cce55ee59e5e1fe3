//! A seeded simulation of the append and of what follows it: plans, deliveries, redeliveries, crashes between any two calls,
//! two writers at once, sweeps, clocks that jump, a control table restored to an earlier day; every call may be lost, throttled,
//! refused, half done, or done and reported as failed. A model beside it knows what was acknowledged and what was seen.
//!
//! Short runs are part of the test suite. A long one:
//! `LEDGERLINE_SIMULATION_OPS=10000000 cargo test -p ledgerline-audit-write --test appending simulation -- --nocapture`.
//! `LEDGERLINE_SEED` chooses the first episode's seed; a failure prints its own, which repeats it exactly.

mod episode;
mod model;
mod op;
mod stage;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use episode::Episode;
use stage::{remember_panics, take_panic};
use tally::Tally;

/// Operations per episode: short enough that a log's whole history can be derived again at each end.
const OPS: u64 = 250;
const DEFAULT_OPS: u64 = 100_000;
const DEFAULT_SEED: u64 = 20_261_121;
const THREADS: u64 = 2;

#[test]
fn whatever_fails_each_chunk_is_committed_once_and_the_evidence_holds() {
    let (seed, ops) = (setting("LEDGERLINE_SEED", DEFAULT_SEED), setting("LEDGERLINE_SIMULATION_OPS", DEFAULT_OPS));
    let episodes = ops.div_ceil(OPS);
    eprintln!("simulation: {episodes} episodes of {OPS} operations from seed {seed}");
    remember_panics();
    let workers = (0..THREADS).map(|worker| {
        thread::spawn(move || {
            let mut tally = Tally::default();
            for episode in (worker..episodes).step_by(THREADS as usize) {
                match run(seed.wrapping_add(episode), OPS) {
                    Ok(of_episode) => tally.add(&of_episode),
                    Err(problem) => fail(seed.wrapping_add(episode), &problem),
                }
            }
            tally
        })
    });
    let mut tally = Tally::default();
    for worker in workers.collect::<Vec<_>>() {
        tally.add(&worker.join().expect("an episode failed; its seed is printed above"));
    }
    eprintln!("simulation: {tally}");
    assert!(tally.ops() >= ops, "only {} operations", tally.ops());
    // A long run of a chosen seed may be as short as one episode; what is rare need not occur in it.
    if tally.ops() >= DEFAULT_OPS {
        tally.assert_all_occurred();
    }
}

#[test]
fn a_seed_repeats_itself() {
    remember_panics();
    let trace = |seed: u64| block_on(async move { Episode::new(seed).traced(150).await });
    let first = trace(7);
    assert!(first.len() > 500, "a trace of {} lines", first.len());
    let again = trace(7);
    let differing = first.iter().zip(&again).position(|(left, right)| left != right);
    assert_eq!(differing.map(|line| (line, &first[line], &again[line])), None);
    assert_eq!(first.len(), again.len());
    assert_ne!(first, trace(8));
}

/// One episode; a panic in it (of a strict fake, say) is a failure like any other.
fn run(seed: u64, ops: u64) -> Result<Tally, String> {
    let episode = || block_on(async move { Episode::new(seed).run(ops).await });
    catch_unwind(AssertUnwindSafe(episode)).unwrap_or_else(|_| Err(take_panic().unwrap_or_default()))
}

/// Finds the shortest beginning of the episode that fails, and tells all that it takes to repeat it.
fn fail(seed: u64, problem: &str) -> ! {
    let shortest = (1..=OPS).find_map(|ops| Some((ops, run(seed, ops).err()?)));
    let (ops, problem) = shortest.unwrap_or((OPS, problem.to_owned()));
    let told = format!("LEDGERLINE_SEED={seed} fails after {ops} operations: {problem}");
    eprintln!("{told}");
    panic!("{told}");
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

#[expect(clippy::disallowed_methods, reason = "a test reads its seed and its length")]
fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(value) = std::env::var(name) else { return otherwise };
    value.parse().unwrap_or_else(|_| panic!("{name} is no number"))
}
