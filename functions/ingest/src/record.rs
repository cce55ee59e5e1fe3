//! One Firehose record: its documents as bronze lines, everything else as quarantine lines.
//!
//! Invariant: every I-JSON object becomes a line of bronze, so that it is counted. What it is about, transform decides: a document that
//! cannot be placed here lies with the unsorted ones of its hour.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};
use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::{Context, adapt, batch, instant, lineage, sensitive};
use ledgerline_lake::bronze::{NewEvent, write_event, write_quarantine};

use crate::Config;
use crate::answer::Partition;

/// Buffers that one record leaves to the next.
#[derive(Default)]
pub(crate) struct Workspace {
    decoded: Vec<u8>,
    /// The record's lines.
    pub(crate) lines: Vec<u8>,
    /// The last derived token and what it was derived from: an interaction's events arrive together.
    token_of: String,
    token: String,
}

/// What a record became; its lines are in the workspace.
pub(crate) struct Bronze {
    pub(crate) partition: Partition,
    pub(crate) events: u64,
    pub(crate) quarantined: u64,
}

/// A record of 1,000 KiB may become three times as many bytes of lines: documents of 150 bytes in envelopes of 300. As
/// base64 that is 4 MB and fits an answer beside 1.9 MB of failed ones. What grows beyond is quarantined whole, 1.9 MB
/// as base64 of base64, for it would never fit.
const LINES_BYTES_MAX: usize = 3_000_000;

/// What a line adds to its document, at least.
const LINE_BYTES: usize = 160;
/// The family of documents that ingest cannot place.
const UNSORTED: &str = "unsorted";

/// A source's clock may be ahead of Firehose's; an event within this is not in the future, and opens at most one more
/// hourly partition.
const CLOCK_SKEW_MS: i64 = 5 * 60 * 1_000;

/// Producers differ in padding; all of it decodes. Vectorised, as coding base64 is a third of the work; where the
/// processor lacks the instructions it is the crate's plain engine.
pub(crate) static BASE64: LazyLock<Simd> = LazyLock::new(|| {
    Simd::standard(GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent))
});

/// Turns a record's data into lines.
pub(crate) fn to_bronze(config: &Config, workspace: &mut Workspace, arrival_ms: i64, data: &str) -> Bronze {
    let mut decoded = std::mem::take(&mut workspace.decoded);
    decoded.clear();
    workspace.lines.clear();
    let bronze = match BASE64.decode_vec(data, &mut decoded) {
        Ok(()) => documents(config, workspace, arrival_ms, &decoded),
        Err(_) => whole(workspace, arrival_ms, Rejection::BadEnvelope, data.as_bytes()),
    };
    workspace.decoded = decoded;
    bronze
}

fn documents(config: &Config, workspace: &mut Workspace, arrival_ms: i64, record: &[u8]) -> Bronze {
    let mut first = None;
    let (mut events, mut quarantined) = (0, 0);
    for fragment in split(record) {
        let mut fits = true;
        match fragment {
            Fragment::Document(bytes, head) if head.is_batch() => {
                let place = |(count, partition)| {
                    first = first_placed(first, partition);
                    events += count;
                };
                fits = elements(config, workspace, arrival_ms, bytes, &head).map(place).is_some();
            }
            Fragment::Document(bytes, head) => {
                first = first_placed(first, event(config, workspace, arrival_ms, bytes, &head));
                events += 1;
            }
            Fragment::Garbage(bytes, reason) => {
                quarantine(workspace, arrival_ms, reason, bytes);
                quarantined += 1;
            }
        }
        if !fits || workspace.lines.len() > LINES_BYTES_MAX {
            workspace.lines.clear();
            return whole(workspace, arrival_ms, Rejection::TooMany, record);
        }
    }
    let partition = first.unwrap_or_else(|| Partition::quarantine(arrival_ms));
    Bronze { partition, events, quarantined }
}

/// The partition of the first document that could be placed; of the unsorted, if none could.
fn first_placed(first: Option<Partition>, next: Partition) -> Option<Partition> {
    first.filter(|first| first.event_type != UNSORTED || next.event_type == UNSORTED).or(Some(next))
}

/// A record that made [`to_bronze`] panic, kept as it came.
pub(crate) fn defective(workspace: &mut Workspace, arrival_ms: i64, data: &str) -> Bronze {
    let decoded = BASE64.decode(data);
    whole(workspace, arrival_ms, Rejection::Defect, decoded.as_deref().unwrap_or(data.as_bytes()))
}

/// A record that is kept as it came.
fn whole(workspace: &mut Workspace, arrival_ms: i64, reason: Rejection, bytes: &[u8]) -> Bronze {
    quarantine(workspace, arrival_ms, reason, bytes);
    Bronze { partition: Partition::quarantine(arrival_ms), events: 0, quarantined: 1 }
}

fn quarantine(workspace: &mut Workspace, arrival_ms: i64, reason: Rejection, bytes: &[u8]) {
    let (kept, cut) = sensitive::cut_garbage(bytes);
    write_quarantine(arrival_ms, reason, &kept, &cut, &mut workspace.lines);
}

/// Writes a line for each element of a batch; how many, and where the first belongs. `None` if they would outgrow an answer.
#[cold]
fn elements(
    config: &Config,
    workspace: &mut Workspace,
    arrival_ms: i64,
    bytes: &[u8],
    head: &Head<'_>,
) -> Option<(u64, Partition)> {
    let Some(batch) = batch::split(bytes) else {
        return Some((1, event(config, workspace, arrival_ms, bytes, head)));
    };
    if workspace.lines.len() + batch.bytes() + batch.count() * LINE_BYTES > LINES_BYTES_MAX {
        return None;
    }
    let mut first = None;
    for document in batch.documents() {
        // What was a document in a document is one of its own.
        for fragment in split(&document) {
            if let Fragment::Document(bytes, head) = fragment {
                first = first_placed(first, event(config, workspace, arrival_ms, bytes, &head));
            }
        }
    }
    first.map(|partition| (batch.count() as u64, partition))
}

/// Writes a document's line and says where it belongs.
fn event(config: &Config, workspace: &mut Workspace, arrival_ms: i64, bytes: &[u8], head: &Head<'_>) -> Partition {
    let (raw, cut);
    let kept = if head.is_sensitive() {
        (raw, cut) = sensitive::cut(bytes);
        (&raw[..], &cut[..])
    } else {
        (bytes, &[][..])
    };
    let mut new = NewEvent {
        org: head.org().unwrap_or(&config.default_org),
        lineage_token: None,
        received_at_ms: arrival_ms,
        occurred_at_ms: None,
        source: head.source(),
        cut: kept.1,
        raw: kept.0,
        has_line_break: head.has_line_break(),
    };
    let plausible = head.occurred_at_ms().filter(|at_ms| instant::is_plausible(*at_ms, arrival_ms));
    let (Some(family), Some(occurred_at_ms)) = (head.family(), plausible) else {
        return by_adapter(config, workspace, bytes, new);
    };
    new.occurred_at_ms = Some(occurred_at_ms);
    let Workspace { lines, token_of, token, .. } = workspace;
    new.lineage_token = Some(match (head.lineage_token(), head.interaction()) {
        (Some(sent), _) => sent,
        (None, Some(interaction)) => derived(token_of, token, interaction),
        (None, None) => derived(token_of, token, &head.entity().unwrap_or_default()),
    });
    write_event(&new, lines);
    partition(config, family, occurred_at_ms, arrival_ms)
}

/// The way of a document that the one pass did not recognise: parsed and adapted, as transform will. What this cannot place, either,
/// is unsorted.
#[cold]
fn by_adapter(config: &Config, workspace: &mut Workspace, document: &[u8], new: NewEvent<'_>) -> Partition {
    let arrival_ms = new.received_at_ms;
    let value = parse(document);
    let event = value
        .as_ref()
        .ok()
        .and_then(|value| adapt(value, &Context { default_org: &config.default_org, numeric_id_sources: &[] }).ok());
    let Some(event) = event.filter(|event| instant::is_plausible(event.occurred_at_ms, arrival_ms)) else {
        write_event(&new, &mut workspace.lines);
        return Partition { zone: "bronze", event_type: UNSORTED, at_ms: arrival_ms, whole_day: false };
    };
    let line = NewEvent {
        org: &event.org,
        lineage_token: Some(&event.lineage_token),
        occurred_at_ms: Some(event.occurred_at_ms),
        ..new
    };
    write_event(&line, &mut workspace.lines);
    partition(config, event.record.family(), event.occurred_at_ms, arrival_ms)
}

fn derived<'w>(token_of: &mut String, token: &'w mut String, record_id: &str) -> &'w str {
    if token_of != record_id {
        token_of.clear();
        token_of.push_str(record_id);
        token.clear();
        token.push_str(lineage::write_derived_token(record_id, &mut [0; 36]));
    }
    token
}

/// By hour of occurrence; what is of the future or long past by day of arrival, so that no backlog opens more
/// partitions than Firehose allows.
fn partition(config: &Config, family: &'static str, occurred_at_ms: i64, arrival_ms: i64) -> Partition {
    let age_ms = arrival_ms - occurred_at_ms;
    if age_ms < -CLOCK_SKEW_MS || age_ms > config.late_after_ms {
        return Partition { zone: "bronze", event_type: "late", at_ms: arrival_ms, whole_day: true };
    }
    Partition { zone: "bronze", event_type: family, at_ms: occurred_at_ms, whole_day: false }
}

#[cfg(test)]
mod tests {
    use base64::alphabet::STANDARD;
    use base64::engine::general_purpose::GeneralPurpose;
    use proptest::prelude::*;

    use super::*;

    const PLAIN: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );

    proptest! {
        #[test]
        fn the_vectorised_engine_is_the_plain_one(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            padded in any::<bool>(),
            damage in proptest::option::of((any::<prop::sample::Index>(), any::<char>())),
        ) {
            let mut text = PLAIN.encode(&bytes);
            prop_assert_eq!(&BASE64.encode(&bytes), &text);
            if !padded {
                text.truncate(text.trim_end_matches('=').len());
            }
            prop_assert_eq!(BASE64.decode(&text), Ok(bytes));
            if let Some((at, character)) = damage.filter(|_| !text.is_empty()) {
                let at = at.index(text.len());
                text.replace_range(at..=at, &character.to_string());
                prop_assert_eq!(BASE64.decode(&text), PLAIN.decode(&text));
            }
        }
    }
}
