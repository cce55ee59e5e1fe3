//! Randomness as an argument: functions take a source of random bytes, `main` passes [`os_random`].
//!
//! Invariant: nothing goes on without randomness. What is filled becomes salts, names and keys that are stored for good, and a predictable
//! one would lead to a person, or to another person's request.

/// A source of random bytes that its holder owns.
pub type OwnedRandom = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// Fills a buffer from the operating system's source; ends the process where that gives nothing.
pub fn os_random(buffer: &mut [u8]) {
    if let Err(error) = getrandom::fill(buffer) {
        tracing::error!(%error, "the system gives no randomness; ending");
        std::process::abort();
    }
}
