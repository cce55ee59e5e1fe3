//! Evidence as a set of logs: which objects belong to which, and entries looked up in their segments.
//!
//! Invariant: of a key that is written once the oldest version is the evidence, whatever lies over it; of a live
//! checkpoint and a partial tile the latest is. An entry is only ever returned from bytes that fit their segment's name.
//! Left out: whether any of it holds, which is verification's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ledgerline_event::catalogue::built_in;
use ledgerline_event::lineage::derived_token;
use ledgerline_ledger::checkpoint::archived_size;
use ledgerline_ledger::entry::{Entry, Record};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::tile::{MAX_TREE_SIZE, Tile};
use ledgerline_ledger::tree::{Hash, leaf_hash};
use ledgerline_ledger::verify::{Evidence, ObjectVersion};

use crate::context::Context;
use crate::fault::Fault;
use crate::source::evidence_fault;

/// The objects of one log.
#[derive(Debug, Default)]
pub(crate) struct LogObjects {
    /// Segments by key, so by first index; one that a crash left behind may stand beside the one that was committed.
    pub(crate) segments: BTreeMap<String, (SegmentName, ObjectVersion)>,
    /// Archived checkpoints, by size.
    pub(crate) checkpoints: BTreeMap<u64, ObjectVersion>,
    /// The live checkpoint.
    pub(crate) live: Option<ObjectVersion>,
    /// Tiles, by place and width.
    pub(crate) tiles: BTreeMap<Tile, ObjectVersion>,
}

/// All logs of the evidence.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// By name.
    pub(crate) logs: BTreeMap<LogId, LogObjects>,
}

/// An entry and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The log.
    pub(crate) log: LogId,
    /// Its index.
    pub(crate) index: u64,
    /// The segment's key.
    pub(crate) segment: String,
    /// The version of it that was read.
    pub(crate) version: ObjectVersion,
    /// The gzip member that holds it: offset and length.
    pub(crate) member: (u64, u64),
    /// The line, without its newline.
    pub(crate) line: String,
}

impl Found {
    /// Its leaf hash.
    pub(crate) fn leaf(&self) -> Hash {
        leaf_hash(self.line.as_bytes())
    }

    /// Its members.
    pub(crate) fn entry(&self) -> Result<Entry, Fault> {
        Entry::read(self.line.as_bytes()).map_err(|error| {
            let what = format!("entry {} of {} cannot be read", self.index, self.log);
            Fault::caused_by(what, &error, "run `ledgerline verify`; if it holds, use a newer ledgerline")
        })
    }
}

impl Inventory {
    /// Lists the evidence.
    pub(crate) fn of(evidence: &dyn Evidence, context: &Context) -> Result<Self, Fault> {
        let progress = context.progress("listing objects", None);
        let mut inventory = Self::default();
        let listed = evidence.versions(&mut |version| {
            progress.inc(1);
            inventory.add(version);
        });
        progress.finish_and_clear();
        listed.map_err(|error| evidence_fault(&error))?;
        Ok(inventory)
    }

    fn add(&mut self, version: ObjectVersion) {
        let Some((log, path)) = place_of(&version.key) else { return };
        if version.is_delete_marker {
            // The log is there, even if everything in it is hidden.
            self.logs.entry(log).or_default();
            return;
        }
        let objects = self.logs.entry(log.clone()).or_default();
        if let Some(name) = SegmentName::parse(&version.key) {
            match objects.segments.get_mut(&version.key) {
                Some((_, other)) => keep_older(other, version),
                None => drop(objects.segments.insert(version.key.clone(), (name, version))),
            }
        } else if path == "checkpoint" {
            if version.is_latest || objects.live.is_none() {
                objects.live = Some(version);
            }
        } else if let Some(size) = archived_size(&log, &version.key).filter(|size| *size <= MAX_TREE_SIZE) {
            match objects.checkpoints.get_mut(&size) {
                Some(other) => keep_older(other, version),
                None => drop(objects.checkpoints.insert(size, version)),
            }
        } else if let Some(tile) = Tile::parse(path) {
            match objects.tiles.get_mut(&tile) {
                Some(other) if tile.is_full() => keep_older(other, version),
                Some(other) if version.is_latest => *other = version,
                Some(_) => {}
                None => drop(objects.tiles.insert(tile, version)),
            }
        }
    }

    /// The objects of a log.
    pub(crate) fn log(&self, log: &LogId) -> Result<&LogObjects, Fault> {
        self.logs.get(log).ok_or_else(|| {
            let known: Vec<&str> = self.logs.keys().take(8).map(LogId::as_str).collect();
            let remedy = if known.is_empty() {
                "there is no log in it at all: name another place".to_owned()
            } else {
                format!("name one of: {}", known.join(", "))
            };
            Fault::new(format!("there is no log {log} in this evidence"), remedy)
        })
    }

    /// Entries of these logs (of all, if none is named) that `wanted` takes, by log and index.
    pub(crate) fn find(
        &self,
        evidence: &dyn Evidence,
        context: &Context,
        logs: &[LogId],
        wanted: &(dyn Fn(&LogId, u64, &str) -> bool + Sync),
    ) -> Result<Vec<Found>, Fault> {
        let named = |log: &LogId| logs.is_empty() || logs.contains(log);
        let segments: Vec<_> =
            self.logs.iter().filter(|(log, _)| named(log)).flat_map(|(_, objects)| objects.segments.values()).collect();
        search(evidence, context, &segments, wanted)
    }

    /// As [`Inventory::find`], in these segments alone, if some are named.
    pub(crate) fn find_in(
        &self,
        evidence: &dyn Evidence,
        context: &Context,
        segments: Option<&BTreeSet<String>>,
        wanted: &(dyn Fn(&LogId, u64, &str) -> bool + Sync),
    ) -> Result<Vec<Found>, Fault> {
        let named = |key: &String| segments.is_none_or(|segments| segments.contains(key));
        let all = self.logs.values().flat_map(|objects| &objects.segments);
        let segments: Vec<_> = all.filter(|(key, _)| named(key)).map(|(_, segment)| segment).collect();
        search(evidence, context, &segments, wanted)
    }

    /// The candidates for an index of a log.
    pub(crate) fn at(
        &self,
        evidence: &dyn Evidence,
        context: &Context,
        log: &LogId,
        index: u64,
    ) -> Result<Vec<Found>, Fault> {
        let holds = |name: &SegmentName| name.first <= index && index < name.end();
        let segments: Vec<_> = self.log(log)?.segments.values().filter(|(name, _)| holds(name)).collect();
        search(evidence, context, &segments, &|_, at, _| at == index)
    }
}

/// Reads segments on several threads.
fn search(
    evidence: &dyn Evidence,
    context: &Context,
    segments: &[&(SegmentName, ObjectVersion)],
    wanted: &(dyn Fn(&LogId, u64, &str) -> bool + Sync),
) -> Result<Vec<Found>, Fault> {
    let progress = context.progress("reading segments", Some(segments.len() as u64));
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || -> Result<(), Fault> {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, version)) = segments.get(at) else { return Ok(()) };
            let hits = hits(evidence, name, version, wanted)?;
            progress.inc(1);
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(hits);
        }
    };
    let outcome = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..context.threads.min(segments.len()).max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    progress.finish_and_clear();
    outcome?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|one: &Found, other| (&one.log, one.index).cmp(&(&other.log, other.index)));
    Ok(found)
}

fn hits(
    evidence: &dyn Evidence,
    name: &SegmentName,
    version: &ObjectVersion,
    wanted: &(dyn Fn(&LogId, u64, &str) -> bool + Sync),
) -> Result<Vec<Found>, Fault> {
    let bytes = evidence.read(version).map_err(|error| evidence_fault(&error))?;
    let segment = Segment::read(&version.key, &bytes).map_err(|error| {
        Fault::caused_by(format!("{} is damaged", version.key), &error, "run `ledgerline verify` to see what is broken")
    })?;
    let mut hits = Vec::new();
    for member in segment.members() {
        for (index, line) in (member.first..).zip(member.lines()) {
            if wanted(&name.log, index, line) {
                hits.push(Found {
                    log: name.log.clone(),
                    index,
                    segment: version.key.clone(),
                    version: version.clone(),
                    member: (member.offset, member.length),
                    line: line.to_owned(),
                });
            }
        }
    }
    Ok(hits)
}

/// Whether a line is the entry of this event. The text is looked for first: reading JSON costs a hundred times that.
pub(crate) fn is_event(line: &str, event: &str) -> bool {
    may_hold(line, event) && Entry::read(line.as_bytes()).is_ok_and(|entry| entry.event_id == event)
}

/// Whether a line is about this record: an interaction id, or `<type>/<id>`.
pub(crate) fn is_about(line: &str, record: &str) -> bool {
    let id = record.rsplit_once('/').map_or(record, |(_, id)| id);
    may_hold(line, id)
        && Entry::read(line.as_bytes()).ok().and_then(|entry| entry.record()).is_some_and(|of| match of {
            Record::Interaction(id) => id == record,
            Record::Entity { kind, id } => record.split_once('/') == Some((kind.as_str(), id.as_str())),
        })
}

/// Why nothing may be about a record of this name, if the name has the id of a person in it.
pub(crate) fn raw_id_fault(record: &str) -> Option<Fault> {
    built_in().has_raw_id(record).then(|| {
        Fault::new(
            "nothing is stored under this name: the ids of persons stand under aliases",
            "name the record as silver's entity_type and entity_id, or the entity of an access answer, has it: <type>/x_…",
        )
    })
}

/// Whether a line carries this lineage token.
pub(crate) fn has_token(line: &str, token: &str) -> bool {
    may_hold(line, token) && Entry::read(line.as_bytes()).is_ok_and(|entry| entry.lineage_token == token)
}

/// Whether this is the lineage token that is derived from the id of the line's record. Only a UUID can be.
pub(crate) fn has_derived(line: &str, token: &str) -> bool {
    let is_uuid = token.len() == 36 && token.bytes().filter(|byte| *byte == b'-').count() == 4;
    is_uuid
        && Entry::read(line.as_bytes()).ok().and_then(|entry| entry.record()).is_some_and(|of| match of {
            Record::Interaction(id) => derived_token(&id) == token,
            Record::Entity { kind, id } => derived_token(&format!("{kind}/{id}")) == token,
        })
}

/// Whether a line may hold a text: for certain not, or reading it will tell. JSON writes quotation marks, backslashes and
/// control characters otherwise.
fn may_hold(line: &str, text: &str) -> bool {
    text.contains(|sign: char| sign.is_control() || matches!(sign, '"' | '\\')) || line.contains(text)
}

/// The log of a key, and what follows it.
pub(crate) fn place_of(key: &str) -> Option<(LogId, &str)> {
    let rest = key.strip_prefix("ledger/")?;
    let end = rest.match_indices('/').nth(3)?.0;
    Some((LogId::parse(&rest[..end]).ok()?, &rest[end + 1..]))
}

/// An object that is written once is what was written first.
fn keep_older(kept: &mut ObjectVersion, other: ObjectVersion) {
    if other.last_modified_ms < kept.last_modified_ms {
        *kept = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(key: &str, at: u64, latest: bool) -> ObjectVersion {
        ObjectVersion {
            key: key.to_owned(),
            version_id: at.to_string(),
            is_latest: latest,
            is_delete_marker: false,
            bytes: 1,
            lock: None,
            legal_hold: false,
            last_modified_ms: at,
        }
    }

    #[test]
    fn the_oldest_version_of_what_is_written_once_and_the_latest_of_what_lives() {
        let mut inventory = Inventory::default();
        for name in ["checkpoint", "checkpoints/00000000000000000007", "tile/0/000", "tile/0/001.p/7"] {
            let key = format!("ledger/acme/interaction/1/0/{name}");
            inventory.add(version(&key, 9, true));
            inventory.add(version(&key, 5, false));
        }
        let log = inventory.log(&LogId::parse("acme/interaction/1/0").unwrap()).unwrap();
        assert_eq!(log.live.as_ref().unwrap().last_modified_ms, 9);
        assert_eq!(log.checkpoints[&7].last_modified_ms, 5);
        assert_eq!(log.tiles[&Tile::parse("tile/0/000").unwrap()].last_modified_ms, 5);
        assert_eq!(log.tiles[&Tile::parse("tile/0/001.p/7").unwrap()].last_modified_ms, 9);
    }

    #[test]
    fn a_name_with_a_mark_that_json_writes_otherwise_may_be_in_any_line() {
        assert!(may_hold(r#"{"lineageToken":"a\"b"}"#, "a\"b") && may_hold("{}", "a\\b"));
        assert!(may_hold(r#"{"lineageToken":"ab"}"#, "ab") && !may_hold("{}", "ab"));
    }

    #[test]
    fn a_name_with_a_persons_own_id_is_answered_with_where_the_alias_stands_and_not_repeated() {
        let told = raw_id_fault("User/53160ee1-1a1b-5836-889e-f11a79e65ec7").unwrap().to_string();
        assert!(told.contains("entity_id") && !told.contains("53160ee1"), "{told}");
        let alias = format!("User/x_{}", "0f".repeat(16));
        for record in ["11111111-1111-4111-8111-111111111111", "Queue/q-1", "log/acme/interaction/1/0", &alias] {
            assert!(raw_id_fault(record).is_none(), "{record}");
        }
    }

    #[test]
    fn a_log_that_is_not_there_is_answered_with_those_that_are() {
        let mut inventory = Inventory::default();
        inventory.add(version("ledger/acme/interaction/1/0/checkpoint", 1, true));
        let fault = inventory.log(&LogId::parse("other/interaction/1/0").unwrap()).unwrap_err();
        assert!(fault.to_string().contains("acme/interaction/1/0"), "{fault}");
    }

    #[test]
    fn a_key_outside_any_log_is_nobodys() {
        assert!(place_of("ledger/acme/interaction/1").is_none());
        assert!(place_of("other/acme/interaction/1/0/checkpoint").is_none());
        assert_eq!(place_of("ledger/acme/interaction/1/0/tile/0/000").unwrap().1, "tile/0/000");
    }
}
