//! What must be true whatever happened: what was planned, what was acknowledged, what was seen committed and signed, and how
//! long each piece of evidence must be locked.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::checkpoint::{archive_folder, archive_key, archived_size, live_key};
use ledgerline_ledger::chunk::ChunkId;
use ledgerline_ledger::head::StoredHead;
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::Segment;
use ledgerline_ledger::tile::{self, Tile};
use ledgerline_store::head;

use crate::simulation::stage::{Problem, Stage};
use crate::world::World;

#[derive(Debug)]
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
    /// The lock that was asked for when a segment was committed: it may have lain there long before, as an orphan.
    segment_locks: BTreeMap<String, Lock>,
    /// The first live checkpoint that was met, and the last: what an auditor wrote down.
    notes: Option<(String, String)>,
}

pub(crate) fn chunk_of(pointer: &Pointer) -> (LogId, ChunkId) {
    let chunk = pointer.chunk_id().unwrap();
    (LogId::parse(&pointer.log).unwrap(), chunk)
}

impl Model {
    /// Before anything was written to these logs.
    pub(crate) fn of(logs: &[&str]) -> Self {
        let seen = logs.iter().map(|log| (LogId::parse(log).unwrap(), Seen::default())).collect();
        Self { planned: BTreeMap::new(), acknowledged: BTreeSet::new(), seen }
    }

    pub(crate) fn plan(&mut self, pointer: &Pointer, lines: Vec<String>) {
        self.planned.insert(chunk_of(pointer), lines);
    }

    /// An acknowledged chunk is committed and counted: its message never comes back by itself.
    pub(crate) fn acknowledge(&mut self, stage: &Stage, pointer: &Pointer) -> Result<(), Problem> {
        let (log, chunk) = chunk_of(pointer);
        let control = &stage.world.control;
        if control.peek(&head::marker_key(&log, &chunk)).is_none() {
            return Err(format!("{chunk} of {log} was acknowledged and is not committed"));
        }
        if !control.progress(chunk.of, &chunk.object).done.contains(&chunk.ordinal) {
            return Err(format!("{chunk} of {log} was acknowledged and is not counted"));
        }
        self.acknowledged.insert((log, chunk));
        Ok(())
    }

    /// After every operation, cheaply: no head goes back, what was just committed is locked as long as its writer asked, and no
    /// checkpoint is of a tree that is not published.
    pub(crate) fn glance(&mut self, stage: &Stage) -> Result<(), Problem> {
        for (log, seen) in &mut self.seen {
            let Some(StoredHead { size, published, signed, .. }) = stage.world.control.stored_head(log) else {
                if seen.size == 0 {
                    continue;
                }
                return Err(format!("{log} lost its head"));
            };
            if size > seen.size {
                for segment in committed_since(stage, log, seen.size) {
                    let asked = stage.lock_asked_now(log);
                    check_lock(stage, &segment, &asked, "it was committed")?;
                    seen.segment_locks.insert(segment, asked);
                }
            }
            if size < seen.size || published < seen.published || signed < seen.signed {
                return Err(format!("the head of {log} went back"));
            }
            let archived = newest_archived(stage, log);
            if archived > published || signed > archived {
                return Err(format!(
                    "{archived} entries of {log} have a checkpoint; its head has {published} published and {signed} signed"
                ));
            }
            (seen.size, seen.published, seen.signed) = (size, published, signed);
        }
        Ok(())
    }

    /// All that is committed and signed, against all that was.
    pub(crate) fn look(&mut self, stage: &Stage) -> Result<(), Problem> {
        self.glance(stage)?;
        for log in stage.logs() {
            let before = self.seen.remove(&log).unwrap_or_default();
            let seen = self.see(stage, &log, before)?;
            Self::check_locks(stage, &log, &seen)?;
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

    /// For each log the checkpoints that somebody wrote down on the way: the first, and the last.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = self.seen.values().filter_map(|seen| seen.notes.clone());
        notes.flat_map(|(oldest, newest)| [oldest, newest]).collect()
    }

    /// No lock of a log's evidence is shorter than the one asked for by its last writer: of a segment, who committed it; of a
    /// full tile or an archived checkpoint, who put it.
    fn check_locks(stage: &Stage, log: &LogId, seen: &Seen) -> Result<(), Problem> {
        for segment in &seen.segments {
            let asked =
                seen.segment_locks.get(segment).ok_or_else(|| format!("nobody saw {segment} being committed"))?;
            check_lock(stage, segment, asked, "it was committed")?;
        }
        let ledger = &stage.world.ledger;
        let tiles = ledger.keys(&tile::folder(log));
        let full = tiles.into_iter().filter(|key| Tile::parse_key(key).is_some_and(|(_, tile)| tile.is_full()));
        for key in full.chain(seen.archived.iter().cloned()) {
            let written_at_ms = ledger.look(|objects| Some(objects.get(&key)?.last()?.written_at_ms));
            let written_at_ms = written_at_ms.ok_or_else(|| format!("{key} is gone"))?;
            check_lock(stage, &key, &stage.lock_asked_at(log, written_at_ms), "it was put")?;
        }
        Ok(())
    }

    /// What is committed and signed of a log now; it must contain what was.
    fn see(&self, stage: &Stage, log: &LogId, before: Seen) -> Result<Seen, Problem> {
        let World { control, ledger, .. } = &stage.world;
        let head = control.stored_head(log).ok_or("no head")?;
        let markers = control.all_markers(log);
        let chunks: BTreeMap<ChunkId, u64> =
            markers.iter().map(|marker| (marker.chunk.clone(), marker.first)).collect();
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
            let stored = ledger.current(key).ok_or_else(|| format!("{key} is committed and not there"))?;
            let segment = Segment::read(key, &stored.bytes).map_err(|error| format!("{key}: {error}"))?;
            if !key.contains(&format!("/segment/{:020}-", lines.len())) {
                return Err(format!("{key} does not continue the {} entries of {log}", lines.len()));
            }
            lines.extend(segment.lines().map(str::to_owned));
        }
        if lines.len() as u64 != head.size {
            return Err(format!("{log} has {} lines in its segments and {} in its head", lines.len(), head.size));
        }
        // What was compared before lies in the same place of the same lines.
        for (chunk, first) in chunks.iter().filter(|(chunk, _)| !before.chunks.contains_key(chunk)) {
            let planned = self.planned.get(&(log.clone(), chunk.clone())).ok_or("a chunk that nobody planned")?;
            if lines.get(*first as usize..*first as usize + planned.len()) != Some(planned.as_slice()) {
                return Err(format!("{chunk} of {log} was not committed as planned"));
            }
        }
        let archived: BTreeSet<String> = ledger.keys(&archive_folder(log)).into_iter().collect();
        if !before.archived.is_subset(&archived) {
            return Err(format!("a checkpoint of {log} is gone"));
        }
        let live = ledger.current(&live_key(log)).and_then(|live| String::from_utf8(live.bytes.to_vec()).ok());
        let notes = match (before.notes, live) {
            (Some((oldest, _)), Some(newest)) => Some((oldest, newest)),
            (None, Some(only)) => Some((only.clone(), only)),
            (Some(_), None) => return Err(format!("the live checkpoint of {log} is gone")),
            (None, None) => None,
        };
        let (size, published, signed) = (head.size, head.published, head.signed);
        let segment_locks = before.segment_locks;
        Ok(Seen { size, published, signed, lines, chunks, segments, archived, segment_locks, notes })
    }
}

/// The segments of the chunks that were committed at or beyond `size`, from their markers.
fn committed_since(stage: &Stage, log: &LogId, size: u64) -> BTreeSet<String> {
    let markers = stage.world.control.all_markers(log).into_iter();
    markers.filter(|marker| marker.first >= size).map(|marker| marker.segment).collect()
}

/// The size of a log's newest archived checkpoint.
fn newest_archived(stage: &Stage, log: &LogId) -> u64 {
    stage.world.ledger.look(|objects| {
        let archived = objects.range(archive_folder(log)..=archive_key(log, u64::MAX));
        archived.last().and_then(|(key, _)| archived_size(log, key)).unwrap_or(0)
    })
}

fn check_lock(stage: &Stage, key: &str, asked: &Lock, when: &str) -> Result<(), Problem> {
    let held = stage.world.ledger.look(|objects| objects.get(key)?.last()?.lock);
    match held {
        Some(held) if held.covers(asked) => Ok(()),
        Some(Lock { retain_until_s, .. }) if retain_until_s < asked.retain_until_s => {
            let short_s = asked.retain_until_s - retain_until_s;
            Err(format!("the lock of {key} ends {short_s} s before the one that was asked for when {when}"))
        }
        _ => Err(format!("the lock of {key} is weaker than the one that was asked for when {when}, or there is none")),
    }
}
