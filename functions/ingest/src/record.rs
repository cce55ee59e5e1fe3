//! One Firehose record: its documents as bronze lines, everything else as quarantine lines.
//!
//! Invariant: every I-JSON object becomes a line of bronze, so that it is counted. What it is about, transform decides: a document that
//! cannot be placed here lies with the unsorted ones of its hour.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};
use ledgerline_event::document::{Fragment, Rejection, parse, split};
use ledgerline_event::head::Head;
use ledgerline_event::{Context, adapt, batch, instant, lineage, replayed, sensitive, text_layer};
use ledgerline_lake::bronze::{NewEvent, NewQuarantine, write_event, write_quarantine};

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
    pub(crate) quarantined: Reasons,
}

/// Quarantine lines by their reason.
pub(crate) type Reasons = BTreeMap<Rejection, u64>;

/// How much a line says beside its event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    /// Without what transform derives again: token and time of occurrence.
    Lean,
}

/// A record of 1,000 KiB may become three times as many bytes of lines: documents of 150 bytes in envelopes of 300. As
/// base64 that is 4 MB and fits an answer beside 1.9 MB of failed ones. What grows beyond is written in the lean form, in which
/// 18,000 documents of 50 bytes are 2.7 MB; and what outgrows that comes back through `redrive`, in pieces.
const LINES_BYTES_MAX: usize = 3_000_000;

/// What a line adds to its document, at least.
const LINE_BYTES: usize = 80;
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

/// Turns a record's data into lines; `None` if it holds more than fits an answer, so that it must come back in pieces.
pub(crate) fn to_bronze(config: &Config, workspace: &mut Workspace, arrival_ms: i64, data: &str) -> Option<Bronze> {
    let mut decoded = std::mem::take(&mut workspace.decoded);
    decoded.clear();
    workspace.lines.clear();
    let bronze = match BASE64.decode_vec(data, &mut decoded) {
        Ok(()) => {
            let (record, replayed) = replayed::read(&decoded);
            [Form::Full, Form::Lean]
                .into_iter()
                .find_map(|form| documents(&mut Writing { config, workspace, arrival_ms, replayed, form }, record))
        }
        Err(_) => Some(whole(workspace, arrival_ms, Rejection::BadEnvelope, data.as_bytes())),
    };
    workspace.decoded = decoded;
    bronze
}

/// What a record's lines are written with.
struct Writing<'w> {
    config: &'w Config,
    workspace: &'w mut Workspace,
    arrival_ms: i64,
    /// How often the record was replayed: each of its lines says so.
    replayed: u32,
    form: Form,
}

/// Writes a record's documents; `None`, and no lines, if they would outgrow an answer.
fn documents(writing: &mut Writing<'_>, record: &[u8]) -> Option<Bronze> {
    let mut first = None;
    let (mut events, mut quarantined) = (0, Reasons::new());
    for fragment in split(record) {
        let mut garbage = None;
        match fragment {
            Fragment::Document(bytes, head) => {
                let list = batch::document_of(bytes, &head);
                match list.as_ref().and_then(|list| batch::split(list)) {
                    Some(list) if list.can_be_split() => {
                        if writing.workspace.lines.len() + list.bytes() + list.count() * LINE_BYTES > LINES_BYTES_MAX {
                            writing.workspace.lines.clear();
                            return None;
                        }
                        let (count, partition) = elements(writing, &list);
                        first = partition.map_or(first, |partition| first_placed(first, partition));
                        events += count;
                    }
                    Some(_) => garbage = Some((bytes, Rejection::TooMany)),
                    None => {
                        first = first_placed(first, event(writing, bytes, &head));
                        events += 1;
                    }
                }
            }
            Fragment::Garbage(bytes, reason) => garbage = Some((bytes, reason)),
        }
        if let Some((bytes, reason)) = garbage {
            quarantine(writing.workspace, writing.arrival_ms, reason, writing.replayed, bytes);
            *quarantined.entry(reason).or_default() += 1;
        }
        if writing.workspace.lines.len() > LINES_BYTES_MAX {
            writing.workspace.lines.clear();
            return None;
        }
    }
    let partition = first.unwrap_or_else(|| Partition::quarantine(writing.arrival_ms));
    Some(Bronze { partition, events, quarantined })
}

/// The partition of the first document that could be placed; of the unsorted, if none could.
fn first_placed(first: Option<Partition>, next: Partition) -> Option<Partition> {
    first.filter(|first| first.event_type != UNSORTED || next.event_type == UNSORTED).or(Some(next))
}

/// A record that made [`to_bronze`] panic, kept as it came.
pub(crate) fn defective(workspace: &mut Workspace, arrival_ms: i64, data: &str) -> Bronze {
    let decoded = BASE64.decode(data);
    let (record, replayed) = replayed::read(decoded.as_deref().unwrap_or(data.as_bytes()));
    kept_whole(workspace, arrival_ms, Rejection::Defect, replayed, record)
}

/// A record that is kept as it came.
pub(crate) fn whole(workspace: &mut Workspace, arrival_ms: i64, reason: Rejection, bytes: &[u8]) -> Bronze {
    kept_whole(workspace, arrival_ms, reason, 0, bytes)
}

fn kept_whole(workspace: &mut Workspace, arrival_ms: i64, reason: Rejection, replayed: u32, bytes: &[u8]) -> Bronze {
    quarantine(workspace, arrival_ms, reason, replayed, bytes);
    let quarantined = Reasons::from([(reason, 1)]);
    Bronze { partition: Partition::quarantine(arrival_ms), events: 0, quarantined }
}

fn quarantine(workspace: &mut Workspace, received_at_ms: i64, reason: Rejection, replayed: u32, bytes: &[u8]) {
    let (kept, cut) = sensitive::cut_garbage(bytes);
    let kept = NewQuarantine { received_at_ms, reason, replayed, cut: &cut, bytes: &kept };
    write_quarantine(&kept, &mut workspace.lines);
}

/// Writes a line for each element of a list; how many, and where the first belongs.
#[cold]
fn elements(writing: &mut Writing<'_>, list: &batch::Batch<'_>) -> (u64, Option<Partition>) {
    let mut first = None;
    for document in list.documents() {
        // What was a document in a document is one of its own.
        for fragment in split(&document) {
            if let Fragment::Document(bytes, head) = fragment {
                first = first_placed(first, event(writing, bytes, &head));
            }
        }
    }
    (list.count() as u64, first)
}

/// Writes a document's line and says where it belongs.
fn event(writing: &mut Writing<'_>, bytes: &[u8], head: &Head<'_>) -> Partition {
    let Writing { config, workspace, arrival_ms, replayed, form } = writing;
    let (config, arrival_ms, is_lean) = (*config, *arrival_ms, *form == Form::Lean);
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
        replayed: *replayed,
        cut: kept.1,
        raw: kept.0,
        has_line_break: head.has_line_break(),
    };
    let plausible = head.occurred_at_ms().filter(|at_ms| instant::is_plausible(*at_ms, arrival_ms));
    let (Some(family), Some(occurred_at_ms)) = (head.family(), plausible) else {
        return by_adapter(config, workspace, bytes, new, is_lean);
    };
    if is_lean {
        write_event(&new, &mut workspace.lines);
        return partition(config, family, occurred_at_ms, arrival_ms);
    }
    new.occurred_at_ms = Some(occurred_at_ms);
    let Workspace { lines, token_of, token, .. } = &mut **workspace;
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
fn by_adapter(
    config: &Config,
    workspace: &mut Workspace,
    document: &[u8],
    new: NewEvent<'_>,
    is_lean: bool,
) -> Partition {
    let arrival_ms = new.received_at_ms;
    let undone = text_layer::undone(document);
    let value = parse(&undone);
    // Which sources number their records is transform's to know: such a document lies with the unsorted ones.
    let context = Context { default_org: &config.default_org, numeric_id_sources: &[] };
    let event = value.as_ref().ok().and_then(|value| adapt(value, &context).ok());
    let Some(event) = event.filter(|event| instant::is_plausible(event.occurred_at_ms, arrival_ms)) else {
        write_event(&new, &mut workspace.lines);
        return Partition { zone: "bronze", event_type: UNSORTED, at_ms: arrival_ms, whole_day: false };
    };
    let line = NewEvent {
        org: &event.org,
        lineage_token: (!is_lean).then_some(&*event.lineage_token),
        occurred_at_ms: (!is_lean).then_some(event.occurred_at_ms),
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
