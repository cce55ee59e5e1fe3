//! Which events are filtered: counted, noted with their records, and not kept as evidence.
//!
//! Invariant: what filters an event is its kind and its medium, told by the description; a medium that nobody knows is kept.

use std::collections::HashMap;

use ledgerline_privacy::MEDIA;

use super::compile::{Compiled, known, leak, wrong};
use super::format::Description;
use super::{Catalogue, Kind, KindId};
use crate::source_event::SourceEvent;

/// What a deployment asks to be filtered beside what always is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    /// Only changes of state are kept, and what a person may ask for.
    state_changes_only: bool,
    /// The media that are kept, as the vocabulary spells them; none: all of them.
    keep_media: Vec<&'static str>,
}

/// A word that is not a medium.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a medium; known are {known}", known = MEDIA.join(", "))]
pub struct BadMedium(pub String);

impl Switches {
    /// The switches. `keep_media` lists media by comma, in any case; empty, all are kept.
    ///
    /// # Errors
    /// One of them is not a medium.
    pub fn new(state_changes_only: bool, keep_media: &str) -> Result<Self, BadMedium> {
        let words = keep_media.split(',').map(str::trim).filter(|word| !word.is_empty());
        let keep_media = words.map(|word| medium(word).ok_or_else(|| BadMedium(word.to_owned())));
        Ok(Self { state_changes_only, keep_media: keep_media.collect::<Result<_, _>>()? })
    }
}

fn medium(word: &str) -> Option<&'static str> {
    MEDIA.iter().copied().find(|known| *known != UNKNOWN && known.eq_ignore_ascii_case(word.trim()))
}

impl Catalogue {
    /// What filters this event, by name; `None` if it is kept.
    pub fn filtered_by(&self, event: &SourceEvent<'_>, switches: &Switches) -> Option<&'static str> {
        let kind = self.kind(event.kind);
        if kind.filter.is_some() {
            return kind.filter;
        }
        if switches.state_changes_only && !kind.is_state_change {
            return Some(STATE_CHANGES_ONLY);
        }
        if switches.keep_media.is_empty() || kind.on_any_medium {
            return None;
        }
        let media = event.fields.iter().find(|field| field.name == "media").and_then(|field| field.value.as_str());
        let is_kept = media.and_then(medium).is_none_or(|medium| switches.keep_media.contains(&medium));
        (!is_kept).then_some(KEEP_MEDIA)
    }
}

/// The medium of sources that know of none.
const UNKNOWN: &str = "UNKNOWN";
/// The names of the switches, as the counts by filter have them.
const STATE_CHANGES_ONLY: &str = "state-changes-only";
const KEEP_MEDIA: &str = "keep-media";

/// Writes into the kinds what the description says of them.
///
/// # Errors
/// A kind is named that there is not, or is in both or none of the lists of [`STATE_CHANGES_ONLY`].
pub(super) fn compile(said: &Description, ids: &HashMap<&'static str, KindId>, kinds: &mut [Kind]) -> Compiled<()> {
    for filter in &said.filter {
        for kind in &filter.kinds {
            kinds[usize::from(known(ids, kind)?.0)].filter = Some(leak(&filter.name));
        }
    }
    let mut times = vec![0_u8; kinds.len()];
    for (names, keep) in [(&said.state_changes.keep, true), (&said.state_changes.drop, false)] {
        for name in names {
            let at = usize::from(known(ids, name)?.0);
            kinds[at].is_state_change = keep;
            times[at] = times[at].saturating_add(1);
        }
    }
    if let Some(at) = times.iter().position(|times| *times != 1) {
        return Err(wrong(format!(
            "[state_changes] names the kind {:?} {} times: name each kind once, in keep or in drop",
            kinds[at].event_type, times[at]
        )));
    }
    for name in &said.any_media.keep {
        kinds[usize::from(known(ids, name)?.0)].on_any_medium = true;
    }
    Ok(())
}
