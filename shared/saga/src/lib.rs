//! A saga: work of many steps, done in slices by whoever comes next, that goes on where it stopped.
//!
//! Invariant: the position is saved after every outcome of a step, under a lease, and before anything of the next step is done. A crash
//! repeats at most what a step did since its last cursor, so each step must be safe to repeat, and safe beside another slice of itself:
//! a lease that is lost is noticed at the next save only.
//!
//! Left out on purpose: what the steps are and do, where a position is stored, who wakes a saga that waits.

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};

/// How far a saga has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The name of the step that is next, or was begun.
    pub step: String,
    /// How often the steps were gone through again.
    pub pass: u32,
    /// What is done of the step, as the step counts it.
    pub cursor: u64,
    /// When it goes on, if it waits: epoch milliseconds. It stays until the step has another outcome.
    pub wait_until_ms: Option<i64>,
    /// Why it waits, or is stuck: a word of the step's.
    pub reason: Option<String>,
    /// How often a step sent it back.
    pub backs: u32,
}

impl Position {
    /// The beginning of a step.
    pub fn at(step: &str) -> Self {
        Self { step: step.to_owned(), ..Self::default() }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is done up to this cursor.
    More(u64),
    /// Everything from the step of this name on is done once more, as the next pass.
    Again(&'static str),
    /// Something that the step of this name should have done is not done: it is done again, in the same pass.
    Back(&'static str),
    /// It goes on at this time, epoch milliseconds, and why not before.
    WaitUntil(i64, &'static str),
    /// Nothing goes on by itself, and why.
    Stuck(&'static str),
}

/// One step of a saga about a `C`.
#[async_trait]
pub trait Step<C: Sync>: Send + Sync {
    /// Its name, as positions have it.
    fn name(&self) -> &'static str;

    /// Does what is left of it behind `at`, and returns before `until_ms`, epoch milliseconds.
    async fn run(&self, of: &C, at: &Position, until_ms: i64) -> Result<Outcome, StoreError>;
}

/// A saga's position, as long as nobody else has it.
#[async_trait]
pub trait Leased: Send {
    /// Where it stands.
    fn position(&self) -> &Position;

    /// Moves it on. `false`: the lease is somebody else's by now, and nothing was saved.
    async fn save(&mut self, next: Position) -> Result<bool, StoreError>;
}

/// Where a slice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driven {
    /// The last step is done.
    Finished,
    /// Its time was over; the next slice can begin at once.
    OutOfTime,
    /// It waits until then, epoch milliseconds.
    Waits(i64),
    /// It waits for somebody.
    Stuck,
    /// Somebody else goes on with it.
    Lost,
}

/// How often steps may send a saga back; then it is stuck, for the reason that has the name of the step that would.
pub const BACKS: u32 = 3;

/// Does steps, in their order, until one of them waits or `now` is `until_ms`. The position is not moved behind the last step, which
/// ends the saga itself.
///
/// # Errors
/// A step's or the lease's: the position is where it was saved last. `Corrupt` if no step has the position's name.
pub async fn drive<C: Sync>(
    steps: &[&dyn Step<C>],
    of: &C,
    lease: &mut dyn Leased,
    now: &(dyn Fn() -> i64 + Sync),
    until_ms: i64,
) -> Result<Driven, StoreError> {
    loop {
        let at = lease.position().clone();
        let place = steps.iter().position(|step| step.name() == at.step);
        let place = place.ok_or_else(|| StoreError::Corrupt(Failure::new("a saga's position names no step")))?;
        if let Some(wait_ms) = at.wait_until_ms.filter(|wait_ms| now() < *wait_ms) {
            return Ok(Driven::Waits(wait_ms));
        }
        if now() >= until_ms {
            return Ok(Driven::OutOfTime);
        }
        let step = steps[place];
        let outcome = step.run(of, &at, until_ms).await?;
        let following = steps.get(place + 1).map(|next| next.name());
        let Some((next, driven)) = moved(&at, step.name(), following, outcome) else { return Ok(Driven::Finished) };
        if !lease.save(next).await? {
            return Ok(Driven::Lost);
        }
        if let Some(driven) = driven {
            return Ok(driven);
        }
    }
}

/// Where an outcome moves a position, and where the slice ends if it does; `None` behind the last step.
fn moved(
    at: &Position,
    name: &'static str,
    following: Option<&'static str>,
    outcome: Outcome,
) -> Option<(Position, Option<Driven>)> {
    let to = |step: &str| Position { pass: at.pass, backs: at.backs, ..Position::at(step) };
    let stuck = |reason: &str| {
        let position = Position { wait_until_ms: None, reason: Some(reason.to_owned()), ..at.clone() };
        (position, Some(Driven::Stuck))
    };
    Some(match outcome {
        Outcome::Done => (to(following?), None),
        Outcome::More(cursor) => (Position { cursor, ..to(&at.step) }, None),
        Outcome::Again(step) => (Position { pass: at.pass + 1, ..to(step) }, None),
        Outcome::Back(_) if at.backs >= BACKS => stuck(name),
        Outcome::Back(step) => (Position { backs: at.backs + 1, ..to(step) }, None),
        Outcome::WaitUntil(until_ms, reason) => {
            let position = Position { wait_until_ms: Some(until_ms), reason: Some(reason.to_owned()), ..at.clone() };
            (position, Some(Driven::Waits(until_ms)))
        }
        Outcome::Stuck(reason) => stuck(reason),
    })
}

#[cfg(test)]
mod tests;
