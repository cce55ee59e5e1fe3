//! Event logs for process mining: what silver says of conversations, in the forms that process mining tools read.
//!
//! A case is a conversation; its events are in the order of events (when they occurred, the source's sequence, rank, event id), numbered
//! from 1 without a gap. Two views: [`View::Milestones`] has an event for each of silver's rows, [`View::Intervals`] what lasted, as pairs of a
//! start and its end. [`xes`], [`ocel`], [`tables`] and [`bulk`] write either.
//!
//! Invariant: no column that an erasure nulls is read but `customer_ref`, which is left out unless it is asked for, and of an erased row in
//! any case. Nothing is held of more than one case at a time, but for the ids of queues, agents, flows and campaigns. Left out: reading
//! objects, sorting more than fits into memory, and sending: the command does these.

use std::str::FromStr;

pub mod bulk;
mod case;
mod event;
mod interval;
pub mod ocel;
mod people;
mod read;
mod step;
pub mod tables;
#[cfg(test)]
mod tests;
mod text;
mod window;
pub mod xes;

use std::io;

use time::Date;

pub use case::{Case, Cases, Facts};
pub use event::{Event, Order};
pub use people::People;
pub use read::{ReadError, read_events};
pub use step::{Step, Transition};
pub use window::{Fit, Window};

/// The version of the map from event types to the intervals' activities. It changes with any of them.
const INTERVALS_VERSION: &str = "1";

/// What of a case is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Each event by its activity, as something that is complete.
    Milestones,
    /// IVR, queue, agent, voicemail and after-call work, each from its start to its end.
    Intervals,
}

impl View {
    /// As files spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Milestones => "milestones",
            Self::Intervals => "intervals",
        }
    }

    /// What is shown of a case, in order.
    pub fn steps(self, case: &Case) -> Vec<Step<'_>> {
        match self {
            Self::Milestones => step::milestones(case),
            Self::Intervals => step::intervals(case),
        }
    }
}

impl FromStr for View {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Milestones, Self::Intervals].into_iter().find(|view| view.as_str() == text).ok_or(())
    }
}

/// The version of the map from what happened to activities' names: of the sources' description, and of the intervals.
pub fn activity_map() -> String {
    format!("{}, intervals {INTERVALS_VERSION}", ledgerline_event::catalogue::built_in().version())
}

/// What a log says of itself.
#[derive(Debug, Clone)]
pub struct Labels {
    /// The process.
    pub process: String,
    /// The view.
    pub view: View,
    /// The first UTC date on which its cases began.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// Who is named, and how.
    pub people: People,
}

/// A log that is being written, case by case.
pub trait Log {
    /// Adds a case. `steps` are those of the log's view.
    ///
    /// # Errors
    /// The output's.
    fn case(&mut self, case: &Case, steps: &[Step<'_>]) -> io::Result<()>;

    /// Writes what is left. A log without it is not whole.
    ///
    /// # Errors
    /// The output's.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
