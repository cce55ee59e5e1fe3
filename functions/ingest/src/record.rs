//! One Firehose record: its documents as bronze lines, everything else as quarantine lines.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};
use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::{Context, adapt, lineage, sensitive};
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
        let reason = match fragment {
            Fragment::Document(bytes, head) => match event(config, workspace, arrival_ms, bytes, &head) {
                Ok(partition) => {
                    first.get_or_insert(partition);
                    events += 1;
                    None
                }
                Err(reason) => Some((bytes, reason)),
            },
            Fragment::Garbage(bytes, reason) => Some((bytes, reason)),
        };
        if let Some((bytes, reason)) = reason {
            quarantine(workspace, arrival_ms, reason, bytes);
            quarantined += 1;
        }
        if workspace.lines.len() > LINES_BYTES_MAX {
            workspace.lines.clear();
            return whole(workspace, arrival_ms, Rejection::TooMany, record);
        }
    }
    let partition = first.unwrap_or_else(|| Partition::quarantine(arrival_ms));
    Bronze { partition, events, quarantined }
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

/// Writes a document's line and says where it belongs.
fn event(
    config: &Config,
    workspace: &mut Workspace,
    arrival_ms: i64,
    bytes: &[u8],
    head: &Head<'_>,
) -> Result<Partition, Rejection> {
    let (raw, cut);
    let kept = if head.is_sensitive() {
        (raw, cut) = sensitive::cut(bytes);
        (&raw[..], &cut[..])
    } else {
        (bytes, &[][..])
    };
    let mut new = NewEvent {
        org: head.org().unwrap_or(&config.default_org),
        lineage_token: "",
        received_at_ms: arrival_ms,
        occurred_at_ms: 0,
        source: head.source(),
        cut: kept.1,
        raw: kept.0,
        has_line_break: head.has_line_break(),
    };
    let known = (head.family(), head.occurred_at_ms());
    let (Some(family), Some(occurred_at_ms)) = known else {
        return by_adapter(config, workspace, bytes, new);
    };
    new.occurred_at_ms = occurred_at_ms;
    let Workspace { lines, token_of, token, .. } = workspace;
    new.lineage_token = match (head.lineage_token(), head.interaction()) {
        (Some(sent), _) => sent,
        (None, Some(interaction)) => derived(token_of, token, interaction),
        (None, None) => derived(token_of, token, &head.entity().unwrap_or_default()),
    };
    write_event(&new, lines);
    Ok(partition(config, family, occurred_at_ms, arrival_ms))
}

/// The way of a document that the one pass did not recognise: parsed and adapted, as transform will.
#[cold]
fn by_adapter(
    config: &Config,
    workspace: &mut Workspace,
    document: &[u8],
    new: NewEvent<'_>,
) -> Result<Partition, Rejection> {
    let value = parse(document)?;
    let event = adapt(&value, &Context { default_org: &config.default_org })?;
    let line =
        NewEvent { org: &event.org, lineage_token: &event.lineage_token, occurred_at_ms: event.occurred_at_ms, ..new };
    write_event(&line, &mut workspace.lines);
    Ok(partition(config, event.record.family(), event.occurred_at_ms, new.received_at_ms))
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
