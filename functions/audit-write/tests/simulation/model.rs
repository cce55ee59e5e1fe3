//! What must be true whatever happened: what was planned, what was acknowledged, and what was seen committed and signed.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::checkpoint::{archive_folder, live_key};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::Segment;
use serde_json::{Value, json};

use crate::stage::{Problem, Stage};

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The lines of each chunk that any plan has.
    planned: BTreeMap<(LogId, ChunkId), Vec<String>>,
    acknowledged: BTreeSet<(LogId, ChunkId)>,
    seen: BTreeMap<LogId, Seen>,
}

/// What was seen of a log.
#[derive(Debug, Default)]
struct Seen {
    size: u64,
    published: u64,
    signed: u64,
    lines: Vec<String>,
    chunks: BTreeMap<ChunkId, u64>,
    segments: BTreeSet<String>,
    archived: BTreeSet<String>,
    /// The first live checkpoint that was met, and the last: what an auditor wrote down.
    notes: Option<(String, String)>,
}

pub(crate) fn chunk_of(pointer: &Pointer) -> (LogId, ChunkId) {
    let chunk = ChunkId { object: pointer.object.to_string(), ordinal: pointer.ordinal };
    (LogId::parse(&pointer.log).unwrap(), chunk)
}

impl Model {
    pub(crate) fn plan(&mut self, pointer: &Pointer, lines: Vec<String>) {
        self.planned.insert(chunk_of(pointer), lines);
    }

    /// An acknowledged chunk is committed and counted: its message never comes back by itself.
    pub(crate) fn acknowledge(&mut self, stage: &Stage, pointer: &Pointer) -> Result<(), Problem> {
        let (log, chunk) = chunk_of(pointer);
        let key = (format!("LOG#{log}"), format!("CHUNK#{chunk}"));
        let table = &stage.world.ports.control.table;
        if table.peek(&key).is_none() {
            return Err(format!("{chunk} of {log} was acknowledged and is not committed"));
        }
        let row = table.peek(&(format!("OBJ#{}", chunk.object), "OBJ".to_owned())).unwrap_or_default();
        let counted =
            row.get("done").and_then(Value::as_array).is_some_and(|done| done.contains(&json!(chunk.ordinal)));
        if !counted {
            return Err(format!("{chunk} of {log} was acknowledged and is not counted"));
        }
        self.acknowledged.insert((log, chunk));
        Ok(())
    }

    /// After every operation, cheaply: no head goes back.
    pub(crate) fn glance(&mut self, stage: &Stage) -> Result<(), Problem> {
        for (log, seen) in &mut self.seen {
            let Some(head) = stage.world.ports.control.stored_head(log) else {
                return Err(format!("{log} lost its head"));
            };
            if head.size < seen.size || head.published < seen.published || head.signed < seen.signed {
                return Err(format!("the head of {log} went back"));
            }
            (seen.size, seen.published, seen.signed) = (head.size, head.published, head.signed);
        }
        Ok(())
    }

    /// All that is committed and signed, against all that was.
    pub(crate) fn look(&mut self, stage: &Stage) -> Result<(), Problem> {
        self.glance(stage)?;
        for log in stage.logs() {
            let seen = self.seen.remove(&log).unwrap_or_default();
            let seen = see(stage, &log, seen)?;
            for (chunk, first) in &seen.chunks {
                let planned = self.planned.get(&(log.clone(), chunk.clone())).ok_or("a chunk that nobody planned")?;
                let committed = seen.lines.get(*first as usize..*first as usize + planned.len());
                if committed != Some(planned.as_slice()) {
                    return Err(format!("{chunk} of {log} was not committed as planned"));
                }
            }
            self.seen.insert(log, seen);
        }
        for (log, chunk) in &self.acknowledged {
            if !self.seen.get(log).is_some_and(|seen| seen.chunks.contains_key(chunk)) {
                return Err(format!("{chunk} of {log} was acknowledged and is not committed any more"));
            }
        }
        Ok(())
    }

    /// After all is delivered: each planned line is committed, once, and nothing else.
    pub(crate) fn all_is_committed(&self) -> Result<u64, Problem> {
        let mut planned: BTreeMap<&LogId, Vec<&String>> = BTreeMap::new();
        self.planned.iter().for_each(|((log, _), lines)| planned.entry(log).or_default().extend(lines));
        let mut entries = 0;
        for (log, mut lines) in planned {
            let mut committed: Vec<&String> =
                self.seen.get(log).map(|seen| seen.lines.iter().collect()).unwrap_or_default();
            lines.sort();
            committed.sort();
            if lines != committed {
                return Err(format!("{log} has {} lines, and {} are planned", committed.len(), lines.len()));
            }
            entries += lines.len() as u64;
        }
        Ok(entries)
    }

    /// For each log a checkpoint that somebody wrote down on the way.
    pub(crate) fn notes(&self, first: bool) -> Vec<String> {
        let notes = self.seen.values().filter_map(|seen| seen.notes.clone());
        notes.map(|(oldest, newest)| if first { oldest } else { newest }).collect()
    }
}

/// What is committed and signed of a log now; it must contain what was.
fn see(stage: &Stage, log: &LogId, before: Seen) -> Result<Seen, Problem> {
    let ports = &stage.world.ports;
    let head = ports.control.stored_head(log).ok_or("no head")?;
    let markers = ports.control.all_markers(log);
    let chunks: BTreeMap<ChunkId, u64> = markers.iter().map(|marker| (marker.chunk.clone(), marker.first)).collect();
    if !before.chunks.iter().all(|(chunk, first)| chunks.get(chunk) == Some(first)) {
        return Err(format!("a chunk of {log} is not committed any more, or elsewhere"));
    }
    let segments: BTreeSet<String> = markers.iter().map(|marker| marker.segment.clone()).collect();
    if !before.segments.is_subset(&segments) {
        return Err(format!("a segment of {log} is not committed any more"));
    }
    let mut lines = before.lines;
    // Names begin with the index of their first entry: in order, they can only continue what is there.
    for key in segments.difference(&before.segments) {
        let stored = ports.ledger.current(key).ok_or_else(|| format!("{key} is committed and not there"))?;
        let segment = Segment::read(key, &stored.bytes).map_err(|error| format!("{key}: {error}"))?;
        if !key.contains(&format!("/segment/{:020}-", lines.len())) {
            return Err(format!("{key} does not continue the {} entries of {log}", lines.len()));
        }
        lines.extend(segment.lines().map(str::to_owned));
    }
    if lines.len() as u64 != head.size {
        return Err(format!("{log} has {} lines in its segments and {} in its head", lines.len(), head.size));
    }
    let all = ports.ledger.all();
    let folder = archive_folder(log);
    let archived: BTreeSet<String> = all.keys().filter(|key| key.starts_with(&folder)).cloned().collect();
    if !before.archived.is_subset(&archived) {
        return Err(format!("a checkpoint of {log} is gone"));
    }
    let live = ports.ledger.current(&live_key(log)).and_then(|live| String::from_utf8(live.bytes).ok());
    let notes = match (before.notes, live) {
        (Some((oldest, _)), Some(newest)) => Some((oldest, newest)),
        (None, Some(only)) => Some((only.clone(), only)),
        (Some(_), None) => return Err(format!("the live checkpoint of {log} is gone")),
        (None, None) => None,
    };
    let (size, published, signed) = (head.size, head.published, head.signed);
    Ok(Seen { size, published, signed, lines, chunks, segments, archived, notes })
}
