//! Act 1, its first half: one event of a call beside the silver row that came of it.

use std::io::{self, Write};

use serde_json::Value;

use super::report::{Caller, Span};
use super::screen::Screen;

/// Shows the event and its row; a terminal is not endless, so that it gets what tells the story.
pub(super) fn tell(screen: &mut Screen<impl Write>, caller: &Caller) -> io::Result<()> {
    let story: Vec<_> = caller.raw.iter().filter(|(path, _)| place(path).is_some()).cloned().collect();
    let columns = told(&caller.silver, &TOLD);
    screen.beside(("As it arrived: bronze", &story), ("As analysts see it: silver", &columns))?;
    screen.gap()?;
    screen.say(
        "Struck or in brackets: personal. None of it is in the row; customer_ref is random, and the same for every \
         contact of that number.",
    )
}

/// What identifies comes first, then what was said, then the rest.
pub(super) fn in_story_order(mut fields: Vec<(String, Vec<Span>)>) -> Vec<(String, Vec<Span>)> {
    fields.sort_by_key(|(path, _)| place(path).unwrap_or(STORY.len()));
    fields
}

/// The named ones of a row's columns, as text.
pub(super) fn told(row: &[(String, Value)], columns: &[&str]) -> Vec<(String, Vec<Span>)> {
    let told = row.iter().filter(|(name, _)| columns.contains(&name.as_str()));
    told.map(|(name, value)| (name.clone(), vec![Span { text: shown(value), personal: false }])).collect()
}

/// A value as one reads it: text without its quotes.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn place(path: &str) -> Option<usize> {
    STORY.iter().position(|name| path.starts_with(name))
}

const STORY: [&str; 10] = [
    "eventTime",
    "conversationId",
    "ani",
    "dnis",
    "wrapupNotes",
    "conversationExternalContactIds",
    "mediaType",
    "direction",
    "userId",
    "wrapupDurationMs",
];

/// Columns that the terminal shows; the page shows all.
const TOLD: [&str; 15] = [
    "event_id",
    "interaction_id",
    "event_type",
    "activity",
    "occurred_at",
    "media",
    "direction",
    "queue_id",
    "agent_ref",
    "wrapup_code",
    "wrapup_duration_ms",
    "customer_ref",
    "masked_fields",
    "policy_version",
    "lineage_token",
];
