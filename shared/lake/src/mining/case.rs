//! A conversation with its events in order, and what is said of it as a whole.

use std::iter::Peekable;

use ledgerline_event::catalogue::built_in;

use super::event::Event;

/// A conversation: one event at least, in the order of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    events: Vec<Event>,
}

impl Case {
    /// The case of these events, whatever their order; `None` if there is none. All must be of one conversation.
    pub fn new(mut events: Vec<Event>) -> Option<Self> {
        events.sort_by(|one, other| one.order().cmp(&other.order()));
        (!events.is_empty()).then_some(Self { events })
    }

    /// The conversation's id.
    pub fn id(&self) -> &str {
        self.events.first().map_or("", |event| event.case.as_str())
    }

    /// Its events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// When its first event occurred.
    pub fn first_ms(&self) -> i64 {
        self.events[0].at_ms
    }

    /// When its last event occurred.
    pub fn last_ms(&self) -> i64 {
        self.events[self.events.len() - 1].at_ms
    }

    /// Whether its beginning is told: otherwise it began before what was read, or nobody heard of its start.
    pub fn has_start(&self) -> bool {
        self.events.iter().any(|event| STARTS.contains(&event.kind.as_str()))
    }

    /// What is said of it as a whole.
    pub fn facts(&self) -> Facts<'_> {
        let forward = |of: Said| self.events.iter().find_map(of).map(String::as_str);
        let backward = |of: Said| self.events.iter().rev().find_map(of).map(String::as_str);
        // As the figures have it: who waited as a callback is called back, and is still the one who called.
        let is_callback = |event: &Event| event.kind.starts_with("acd.") && event.media.as_deref() == Some(CALLBACK);
        let is_callback = self.events.iter().any(is_callback);
        let is_transfer = |event: &&Event| {
            event.kind == "user.end" && event.disconnect_type.as_deref().is_some_and(|how| TRANSFERS.contains(&how))
        };
        Facts {
            media: if is_callback { Some(CALLBACK) } else { forward(|event| event.media.as_ref()) },
            direction: if is_callback { Some("INBOUND") } else { forward(|event| event.direction.as_ref()) },
            first_queue: forward(|event| event.queue.as_ref()),
            last_queue: backward(|event| event.queue.as_ref()),
            duration_ms: self.last_ms().saturating_sub(self.first_ms()),
            transfers: self.events.iter().filter(is_transfer).count() as u64,
            disposition: self.disposition(),
            customer: forward(|event| event.customer.as_ref()),
        }
    }

    /// How it ended: what a source said last of its outcome, or how its last wait ended, in the words of the same look-up.
    fn disposition(&self) -> Option<&str> {
        let said = self.events.iter().rev().find_map(|event| event.outcome.as_deref());
        said.or_else(|| {
            let (word, at_ms) =
                self.events.iter().rev().find_map(|event| Some((event.acd_outcome.as_ref()?, event.at_ms)))?;
            built_in().outcome(word, at_ms)
        })
    }
}

/// What an event says of something.
type Said = fn(&Event) -> Option<&String>;

/// What is said of a case as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The medium.
    pub media: Option<&'a str>,
    /// Inbound or outbound.
    pub direction: Option<&'a str>,
    /// The queue that was named first.
    pub first_queue: Option<&'a str>,
    /// The queue that was named last.
    pub last_queue: Option<&'a str>,
    /// From its first event to its last.
    pub duration_ms: i64,
    /// Agents who handed over, blind or consulted.
    pub transfers: u64,
    /// How it ended.
    pub disposition: Option<&'a str>,
    /// The customer.
    pub customer: Option<&'a str>,
}

/// Cases of events that come in the order of [`Event::place`].
pub struct Cases<I: Iterator> {
    events: Peekable<I>,
}

impl<E, I: Iterator<Item = Result<Event, E>>> Cases<I> {
    /// The cases of these events.
    pub fn of(events: I) -> Self {
        Self { events: events.peekable() }
    }
}

impl<E, I: Iterator<Item = Result<Event, E>>> Iterator for Cases<I> {
    type Item = Result<Case, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut events = match self.events.next()? {
            Ok(event) => vec![event],
            Err(error) => return Some(Err(error)),
        };
        // An error ends the case before it, and comes next.
        let is_same = |next: &Result<Event, E>, case: &str| next.as_ref().is_ok_and(|event| event.case == case);
        while let Some(Ok(event)) = self.events.next_if(|next| is_same(next, &events[0].case)) {
            events.push(event);
        }
        Case::new(events).map(Ok)
    }
}

const CALLBACK: &str = "CALLBACK";
/// What conversations begin with.
const STARTS: [&str; 2] = ["customer.start", "interaction.start"];
/// How an agent's leg ends that hands over, as the figures have it.
const TRANSFERS: [&str; 4] = ["TRANSFER", "CONSULT_TRANSFER", "CONFERENCE_TRANSFER", "FORWARD_TRANSFER"];
