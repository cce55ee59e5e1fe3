//! The end of one log: what was claimed and not found, what lies there and should not, what nobody has signed, and who is
//! to blame where entries and tiles disagree.

use super::comparing::Disagreement;
use super::evidence::{Evidence, EvidenceFault};
use super::findings::FindingKind;
use super::inventory::SegmentRow;
use super::logs::{Check, Watch};
use super::notes::MAX_KEYS;
use super::reader::ActKind;
use super::spine::TILE_WIDTH;
use crate::checkpoint::{archive_key, live_key};
use crate::segment::SegmentName;
use crate::tile::Tile;
use crate::tree::Edge;

impl<E: Evidence + ?Sized> Check<'_, E> {
    pub(super) fn finish(&mut self) -> Result<(), EvidenceFault> {
        if !self.blind {
            self.tree.finish()?;
        }
        // Entries below a checkpoint that holds are vouched for: where a tile says otherwise, it is the tile.
        let disagreements = std::mem::take(&mut self.tree.disagreements);
        let (signed, open) = disagreements.into_iter().partition(|found| found.entry < self.report.signed);
        self.blame_tiles(signed);
        self.blame_entries(open);
        self.contradictions();
        let known = self.claims()?;
        self.end_of_segments(known);
        self.pruned();
        self.unsigned();
        self.live_checkpoint();
        self.tiles_listed();
        self.head_row(known);
        self.outside();
        self.witnesses();
        self.too_many_keys();
        self.report.size = self.end;
        self.report.from = self.start.max(self.report.pruned_to);
        if self.end == 0 {
            self.report.root = Edge::empty().root().hex();
        }
        self.report.tiles = self.tree.tiles;
        self.report.keys = self.keys.texts();
        self.report.checkpoint =
            self.newest.take().map(|checkpoint| String::from_utf8_lossy(&checkpoint.note()).into_owned());
        Ok(())
    }

    /// Whether enough witnesses have cosigned, and lately, if that is asked for.
    fn witnesses(&mut self) {
        if !self.keys.need_witnesses() {
            return;
        }
        let key = || live_key(self.scope.log);
        let Some(since_s) = self.report.witnessed_at_s else {
            let detail = "no checkpoint that holds carries them";
            return self.findings.push(FindingKind::WitnessMissing.at(key(), None, detail));
        };
        let age_s = since_s.abs_diff(self.scope.options.now_ms / 1000);
        if let Some(within_s) = self.scope.witnessed_within_s.filter(|within_s| age_s > *within_s) {
            let size = self.report.witnessed;
            let detail = format!("the one of {size} entries was cosigned {age_s} s ago, {within_s} s are allowed");
            self.findings.push(FindingKind::WitnessStale.at(key(), Some(size), detail));
        }
    }

    fn too_many_keys(&mut self) {
        if let Some(entry) = self.keys.refused() {
            let detail = format!("this entry adds a key to {MAX_KEYS} others; neither it nor any later one counts");
            self.findings.push(FindingKind::TooManyKeys.at(self.segment_of(entry).0, Some(entry), detail));
        }
    }

    pub(super) fn blame_tiles(&mut self, disagreements: Vec<Disagreement>) {
        for Disagreement { tile, entry, .. } in disagreements {
            let detail = format!("from entry {entry} on it holds other hashes than the entries, which were signed");
            self.findings.push(FindingKind::TileAltered.at(tile, Some(entry), detail));
        }
    }

    pub(super) fn blame_entries(&mut self, disagreements: Vec<Disagreement>) {
        for Disagreement { tile, entry, kind } in disagreements {
            let (key, copied) = self.segment_of(entry);
            let detail = format!("its leaf hash is another one than {tile} holds");
            self.findings.push(copied.unwrap_or(kind).at(key, Some(entry), detail));
        }
    }

    /// The segment that an entry lies in, and whether it is a copy of another one.
    pub(super) fn segment_of(&self, entry: u64) -> (String, Option<FindingKind>) {
        let segments = &self.scope.inventory.segments;
        let at = self.chain.partition_point(|place| segments[*place].end() <= entry);
        let Some(segment) = self.chain.get(at).map(|place| &segments[*place]).filter(|found| found.first <= entry)
        else {
            return (self.missing_key(entry), None);
        };
        let elsewhere = self.scope.copies.get(&segment.digest());
        let copied = elsewhere.map(|logs| match logs.iter().any(|log| log != self.scope.log) {
            true => FindingKind::SegmentOfAnotherLog,
            false => FindingKind::SegmentDuplicated,
        });
        (segment.name(self.scope.log).key(), copied)
    }

    /// Signed checkpoints that neither entries nor tiles bear out. If a larger one holds, the log is what that one says,
    /// and these were signed for another history; if none does, entries were changed.
    fn contradictions(&mut self) {
        let signed = self.report.signed;
        let (forked, changed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.contradicting).into_iter().partition(|(_, size, _)| *size <= signed);
        for (key, size, root) in forked {
            let detail = format!("its root of {size} entries is {root}; the log's, as signed later, is another");
            self.findings.push(FindingKind::CheckpointForked.at(key, Some(size), detail));
        }
        let more = changed.len().saturating_sub(1);
        if let Some((key, size, root)) = changed.into_iter().next() {
            let detail = format!(
                "the signed root of {size} entries is {root}; up to entry {signed} all holds; {more} later checkpoints \
                 disagree, too"
            );
            self.findings.push(FindingKind::RootMismatch.at(key, Some(signed), detail));
        }
    }

    /// Looks at what lies beyond the last leaf that could be had, and gives the size that the log is known to have had.
    fn claims(&mut self) -> Result<u64, EvidenceFault> {
        let mut known = self.report.signed;
        for (size, watch) in self.watches.split_off(self.next_watch) {
            let accepted = match watch {
                Watch::Archived(place) => {
                    let key = archive_key(self.scope.log, size);
                    let note = self.archived_note(place)?;
                    note.and_then(|note| self.accept(&key, Some(size), &note)).is_some()
                }
                Watch::Live(at) => {
                    let note = std::mem::take(&mut self.live[at].1);
                    let accepted = self.accept(&live_key(self.scope.log), None, &note).is_some();
                    self.live[at].1 = note;
                    accepted
                }
                Watch::Cosigned(at) if size > self.end => {
                    let note = self.scope.cosigned[at];
                    self.accept(&live_key(self.scope.log), None, note.as_bytes()).is_some()
                }
                Watch::Cosigned(_) => false,
                Watch::Trusted(_) => true,
                Watch::Head | Watch::End => continue,
            };
            // Entries lead no further than to somewhere before it, and yet the log has it.
            if size <= self.end {
                self.compare_by_tiles(size, watch)?;
            }
            let shrunk = accepted && size > self.end && matches!(watch, Watch::Trusted(_) | Watch::Cosigned(_));
            if shrunk {
                let detail = format!("it had {size} entries, and has {}", self.end);
                self.findings.push(FindingKind::LogShrunk.at(live_key(self.scope.log), Some(self.end), detail));
            }
            if accepted {
                known = known.max(size);
            }
        }
        Ok(known)
    }

    fn end_of_segments(&mut self, known: u64) {
        let committed = self.scope.head.map_or(0, |head| head.size);
        let (size, by) = if known >= committed { (known, "a checkpoint") } else { (committed, "its head") };
        if size > self.end {
            let detail =
                format!("entries {} to {} are in no segment; {by} says that the log had them", self.end, size - 1);
            self.findings.push(FindingKind::EntriesMissing.at(self.missing_key(self.end), Some(self.end), detail));
        }
    }

    /// A log may begin later if one of its signed entries says that what came before was pruned.
    fn pruned(&mut self) {
        let Some(first) = self.chain.first().map(|place| self.scope.inventory.segments[*place].first) else { return };
        if first == 0 {
            return;
        }
        let signed = self.report.signed;
        let to = self.acts.iter().filter_map(|act| match act.what {
            ActKind::PrunedTo(to) if act.entry < signed && to <= act.entry => Some(to),
            _ => None,
        });
        // A run that began later did not read that entry: the run before it did.
        if to.max().is_some_and(|to| to >= first) || self.start > 0 {
            self.report.pruned_to = first;
            return;
        }
        let detail = format!("entries 0 to {} are in no segment", first - 1);
        self.findings.push(FindingKind::PrunedWithoutRecord.at(self.missing_key(0), Some(0), detail));
    }

    fn unsigned(&mut self) {
        let signed = self.report.signed;
        // Signed they were, and changed then.
        if self.findings.iter().any(|found| found.kind == FindingKind::RootMismatch) {
            return;
        }
        let segments = self.chain.iter().map(|place| &self.scope.inventory.segments[*place]);
        let mut open = segments.filter(|segment| segment.end() > signed);
        // A folder's times are its maker's word: without a single signature nothing in it counts as under way.
        let waits = signed > 0 || self.scope.evidence.is_live();
        if let Some(segment) = open.find(|segment| !(waits && self.is_recent(segment.row.written_ms))) {
            let first = segment.first.max(signed);
            let detail = format!("no checkpoint that holds reaches beyond entry {signed}");
            let finding = FindingKind::EntriesUnsigned.at(segment.name(self.scope.log).key(), Some(first), detail);
            self.findings.push(finding);
        }
    }

    /// The live checkpoint is the newest archived one; it may lag while a crash is being mended.
    fn live_checkpoint(&mut self) {
        let (log, inventory) = (self.scope.log, self.scope.inventory);
        let live: Vec<u64> = self.live.iter().filter_map(|(_, note)| super::notes::claimed_size(note)).collect();
        let newest =
            inventory.archived.iter().rev().find(|row| !self.is_recent(row.row.written_ms)).map(|row| row.size);
        match (live.last(), newest) {
            (None, Some(size)) if inventory.live.is_empty() => {
                let detail = format!("a checkpoint of {size} entries is archived, and none is live");
                self.findings.push(FindingKind::CheckpointMissing.at(live_key(log), None, detail));
            }
            (Some(live), Some(newest)) if *live < newest => {
                let detail = format!("it is of {live} entries; one of {newest} is archived");
                self.findings.push(FindingKind::CheckpointRolledBack.at(live_key(log), Some(*live), detail));
            }
            _ => {}
        }
        for size in live {
            if inventory.archived.binary_search_by_key(&size, |row| row.size).is_err() && size > 0 {
                let detail = "the live checkpoint of this size was never archived";
                self.findings.push(FindingKind::CheckpointMissing.at(archive_key(log, size), Some(size), detail));
            }
        }
    }

    /// Tiles by name alone: those beyond the tree, and those that the newest good checkpoint implies.
    fn tiles_listed(&mut self) {
        let (log, inventory) = (self.scope.log, self.scope.inventory);
        let size = self.tree.size().max(self.end);
        for row in &inventory.tiles {
            let nodes = size >> (8 * u32::from(row.tile.level()));
            let end = row.tile.index().saturating_mul(TILE_WIDTH as u64).saturating_add(u64::from(row.tile.width()));
            // Between listing the segments and listing the tiles the log may have grown.
            if end > nodes && !self.is_within(row.row.written_ms, VIEW_MS) {
                let entry = nodes << (8 * u32::from(row.tile.level()));
                let detail = format!("the log has {size} entries");
                self.findings.push(FindingKind::TileExtra.at(row.tile.key(log), Some(entry), detail));
            }
        }
        for level in 0..MAX_LEVELS {
            let nodes = self.report.signed >> (8 * u32::from(level));
            let (full, open) = (nodes / TILE_WIDTH as u64, (nodes % TILE_WIDTH as u64) as u16);
            let has = |index: u64, width: u16| {
                inventory.tile_rows(level, index).last().is_some_and(|row| row.tile.width() >= width)
            };
            let mut missing: Option<(u64, u16, u64)> = None;
            for index in 0..=full {
                let width = if index < full { TILE_WIDTH as u16 } else { open };
                if width == 0 || has(index, width) {
                    continue;
                }
                missing = Some(missing.map_or((index, width, 1), |(first, width, count)| (first, width, count + 1)));
            }
            if let Some((index, width, count)) = missing {
                let Some(tile) = Tile::new(level, index, width) else { continue };
                let entry = index << (8 * (u32::from(level) + 1));
                let detail = format!("{count} tiles of this level are missing, this one first");
                self.findings.push(FindingKind::TileMissing.at(tile.key(log), Some(entry), detail));
            }
        }
    }

    fn head_row(&mut self, known: u64) {
        let Some(head) = self.scope.head else {
            if self.scope.heads_are_given && self.end > 0 {
                let detail = format!("the log has {} entries", self.end);
                self.findings.push(FindingKind::HeadMissing.at(self.head_key(), None, detail));
            }
            return;
        };
        let edge = Edge::from_parts(head.size, head.edge.clone());
        if edge.is_none_or(|edge| edge.root() != head.root) {
            let detail = "its root does not follow from its edge";
            self.findings.push(FindingKind::HeadInconsistent.at(self.head_key(), Some(head.size), detail));
        }
        if let Some((key, version)) = head.segments.iter().find(|(key, version)| !self.is_listed(key, version)) {
            let detail = format!("it names version {version} of {key}, which is not there");
            self.findings.push(FindingKind::HeadInconsistent.at(self.head_key(), Some(head.size), detail));
        }
        // What was archived after the head was read may be ahead of it.
        let archived = self.scope.inventory.archived.iter().rev();
        let mut ahead = archived.filter(|row| row.size > head.size && row.size <= known);
        if let Some(row) = ahead.find(|row| !self.is_within(row.row.written_ms, VIEW_MS)) {
            let detail = format!("it has {} entries; a checkpoint of {} was signed", head.size, row.size);
            self.findings.push(FindingKind::HeadRolledBack.at(self.head_key(), Some(head.size), detail));
        }
    }

    fn is_listed(&self, key: &str, version: &str) -> bool {
        let named = SegmentName::parse(key).filter(|name| name.log == *self.scope.log);
        named.is_some_and(|name| {
            let segments = &self.scope.inventory.segments;
            let from = segments.partition_point(|segment| segment.first < name.first);
            let mut same = segments[from..].iter().take_while(|segment| segment.first == name.first);
            same.any(|segment| segment.row.version_id() == version && segment.name(self.scope.log) == name)
        })
    }

    /// Segments outside the log: harmless only if all their entries are in it.
    fn outside(&mut self) {
        for (place, leaves) in std::mem::take(&mut self.outside) {
            let segment = &self.scope.inventory.segments[place];
            let stray = leaves.iter().position(|leaf| self.strays.contains(leaf));
            let whole = leaves.len() as u64 == segment.count;
            if stray.is_none() && whole {
                self.report.orphans += 1;
            } else if self.scope.evidence.is_live() && self.is_recent(segment.row.written_ms) {
                self.report.in_flight += 1;
            } else {
                let entry = segment.first + stray.unwrap_or(leaves.len()) as u64;
                let detail = "this entry of it is in no segment of the log";
                let kind = self.kind_of_outsider(segment);
                self.findings.push(kind.at(segment.name(self.scope.log).key(), Some(entry), detail));
            }
        }
    }

    fn kind_of_outsider(&self, outsider: &SegmentRow) -> FindingKind {
        let segments = &self.scope.inventory.segments;
        let mut inside = self.chain.iter().map(|place| &segments[*place]);
        let overlaps = |segment: &SegmentRow| segment.first < outsider.end() && outsider.first < segment.end();
        match inside.find(|segment| overlaps(segment)) {
            Some(segment) if segment.first == outsider.first => FindingKind::SegmentFork,
            Some(_) => FindingKind::SegmentOverlap,
            None => FindingKind::OrphanUncommitted,
        }
    }
}

/// Levels of tiles that a log can have.
const MAX_LEVELS: u8 = 7;
/// Between reading the heads and listing the bucket.
const VIEW_MS: u64 = 10 * 60 * 1000;
