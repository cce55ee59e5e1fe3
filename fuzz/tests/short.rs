//! The short run: every property over every seed and over changes of them, the same at each run. The long one is
//! `cargo xtask fuzz <target> --seconds <n>`.

#![allow(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says on which bytes")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use ledgerline_fuzz::change::{Draw, changed};
use ledgerline_fuzz::{Target, seeds};
use rustix::time::{ClockId, clock_gettime};

/// Changes per target: all targets together take a few seconds.
const CHANGES: u64 = 12_000;

fn run(target: Target) {
    let corpus = std::env::var_os("LEDGERLINE_CORPUS").map(PathBuf::from);
    let seeds = seeds::all(corpus.as_deref());
    assert!(seeds.len() > 60, "only {} seeds", seeds.len());
    for seed in &seeds {
        check(target, seed);
    }
    for number in 0..CHANGES {
        check(target, &changed(&mut Draw::new(number), &seeds));
    }
}

fn check(target: Target, input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| target.check(input)));
    assert!(held.is_ok(), "{} does not hold of {:?}", target.name(), String::from_utf8_lossy(input));
}

#[test]
fn no_byte_of_a_record_is_lost_or_read_twice() {
    run(Target::Splitter);
}

#[test]
fn what_the_pass_says_the_adapter_says() {
    run(Target::BytePass);
}

#[test]
fn every_document_is_adapted_or_refused_and_named_alike() {
    run(Target::Adapters);
}

#[test]
fn what_was_cut_is_a_document_without_a_sensitive_value() {
    run(Target::Cutter);
}

#[test]
fn bytes_of_any_kind_are_cut_without_a_panic() {
    run(Target::Garbage);
}

#[test]
fn what_is_taken_of_unlisted_values_is_short_and_printable() {
    run(Target::Unlisted);
}

#[test]
fn what_is_sealed_opens_and_nothing_else_does() {
    run(Target::Sealed);
}

#[test]
fn what_is_posted_is_taken_apart_or_refused() {
    run(Target::Capture);
}

#[test]
fn the_changes_are_a_function_of_the_seed_and_reach_all_kinds_of_documents() {
    let seeds = seeds::all(None);
    let all: Vec<Vec<u8>> = (0..200).map(|number| changed(&mut Draw::new(number), &seeds)).collect();
    assert!((0..200).all(|number| changed(&mut Draw::new(number), &seeds) == all[number as usize]));
    let is_document = |bytes: &&Vec<u8>| ledgerline_event::document::parse(bytes).is_ok();
    let documents = all.iter().filter(is_document).count();
    assert!((20..180).contains(&documents), "{documents} of 200 are documents");
}

const SMALL: usize = 64 * 1024;
const TIMES: usize = 16;

/// A quadratic pass over a megabyte takes minutes of this thread's CPU time; a linear one takes less than a second, on a busy machine too.
#[test]
fn hostile_shapes_of_a_megabyte_take_time_in_proportion() {
    for (number, shape) in seeds::SHAPES.iter().enumerate() {
        let large = shape(SMALL * TIMES);
        for target in Target::ALL {
            let took = cpu_time(|| target.check(&large));
            assert!(took < Duration::from_secs(10), "{}, shape {number}: {took:?}", target.name());
        }
    }
}

/// What is held at once, the tree of a document included, is in proportion to the input: as above, 64 times for 16 times the bytes.
#[test]
fn hostile_shapes_take_memory_in_proportion() {
    for (number, shape) in seeds::SHAPES.iter().enumerate() {
        let (small, large) = (shape(SMALL / 4), shape(SMALL / 4 * TIMES));
        for target in Target::ALL {
            let held = |input: &[u8]| allocation_counter::measure(|| target.check(input)).bytes_max;
            let (small_held, large_held) = (held(&small), held(&large));
            let allowed = small_held.max(SMALL as u64) * (TIMES * 4) as u64;
            let name = target.name();
            assert!(large_held <= allowed, "{name}, shape {number}: {small_held} bytes, then {large_held}");
        }
    }
}

fn cpu_time(work: impl FnOnce()) -> Duration {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    };
    let before = now();
    work();
    now().saturating_sub(before)
}
