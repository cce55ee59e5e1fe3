//! The work on one log, cut into jobs that threads do in any order: one segment each, or a stretch of leaf tiles where
//! segments are gone.
//!
//! Invariant: a job's result is what lies in its own range of entries, and is no larger than a segment's hashes: tiles and
//! archived checkpoints belong to the job that their last entry lies in.

use std::ops::Range;

use super::comparing::{TileBytes, hashes_of};
use super::evidence::{Evidence, EvidenceFault};
use super::findings::Finding;
use super::inventory::Inventory;
use super::reader::{Scratch, SegmentRead, SegmentReader, read_listed};
use super::spine::TILE_WIDTH;
use crate::checkpoint::archive_key;
use crate::tree::Hash;

/// Entries `from` to `to`, and the segment that holds them, if one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) segment: Option<usize>,
}

/// What a job gave.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Fewer than the range has, if neither segment nor tiles give all.
    pub(crate) leaves: Vec<Hash>,
    /// How many of them come from the segment.
    pub(crate) own: u64,
    pub(crate) read: SegmentRead,
    pub(crate) tiles: TileBytes,
    pub(crate) archived: Vec<(usize, Option<Vec<u8>>)>,
    pub(crate) findings: Vec<Finding>,
}

/// The jobs from `start` on: the segments of the chain, and what tiles can give of the gaps between them, up to `end`.
pub(crate) fn plan(inventory: &Inventory, chain: &[usize], start: u64, end: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut reached = start;
    for place in chain {
        let segment = &inventory.segments[*place];
        if segment.end() <= start {
            continue;
        }
        gap(inventory, reached, segment.first, &mut jobs);
        jobs.push(Job { from: segment.first, to: segment.end(), segment: Some(*place) });
        reached = segment.end();
    }
    gap(inventory, reached, end, &mut jobs);
    jobs
}

/// Jobs for as much of a gap as leaf tiles cover without a gap of their own.
fn gap(inventory: &Inventory, from: u64, to: u64, jobs: &mut Vec<Job>) {
    let width = TILE_WIDTH as u64;
    let mut reached = from;
    while reached < to {
        let index = reached / width;
        let widest = inventory.tile_rows(0, index).last().map_or(0, |row| u64::from(row.tile.width()));
        let end = (index * width + widest).min(to);
        if end <= reached {
            break;
        }
        jobs.push(Job { from: reached, to: end, segment: None });
        reached = end;
    }
}

/// Does one job.
pub(crate) fn run<E: Evidence + ?Sized>(
    reader: &SegmentReader<'_, E>,
    inventory: &Inventory,
    scratch: &mut Scratch,
    job: &Job,
) -> Result<Done, EvidenceFault> {
    let mut done = Done::default();
    if let Some(place) = job.segment {
        done.read = reader.read(scratch, &inventory.segments[place])?;
        done.leaves = std::mem::take(&mut done.read.leaves);
        done.leaves.truncate(usize::try_from(job.to - job.from).unwrap_or(usize::MAX));
        done.own = done.leaves.len() as u64;
    }
    for place in tiles_ending_in(inventory, job.from, job.to) {
        let row = &inventory.tiles[place];
        let bytes = read_listed(reader.evidence, &row.row.version(row.tile.key(reader.log)), None, &mut done.findings)?;
        done.tiles.insert(place, bytes);
    }
    fill_up(reader, inventory, job, &mut done)?;
    let archived = &inventory.archived;
    let begin = archived.partition_point(|row| row.size <= job.from);
    let end = archived.partition_point(|row| row.size <= job.to);
    for (place, row) in (begin..end).zip(&archived[begin..end]) {
        let version = row.row.version(archive_key(reader.log, row.size));
        done.archived.push((place, read_listed(reader.evidence, &version, None, &mut done.findings)?));
    }
    Ok(done)
}

/// The leaf tiles that are full at an entry of the range: whoever adds that entry compares them.
fn tiles_ending_in(inventory: &Inventory, from: u64, to: u64) -> Range<usize> {
    let width = TILE_WIDTH as u64;
    let (begin, end) = (from / width, to / width);
    let place = |index| inventory.tiles.partition_point(|tile| (tile.tile.level(), tile.tile.index()) < (0, index));
    place(begin)..place(end)
}

/// Takes from tiles the leaves that the segment does not give.
fn fill_up<E: Evidence + ?Sized>(
    reader: &SegmentReader<'_, E>,
    inventory: &Inventory,
    job: &Job,
    done: &mut Done,
) -> Result<(), EvidenceFault> {
    loop {
        let next = job.from + done.leaves.len() as u64;
        if next >= job.to {
            return Ok(());
        }
        let (index, at) = (next / TILE_WIDTH as u64, (next % TILE_WIDTH as u64) as usize);
        let mut found = None;
        for row in inventory.tile_rows(0, index).iter().rev() {
            let version = row.row.version(row.tile.key(reader.log));
            let bytes = read_listed(reader.evidence, &version, None, &mut Vec::new())?;
            found = bytes.as_deref().and_then(|bytes| hashes_of(bytes, row));
            if found.is_some() {
                break;
            }
        }
        let wanted = at + usize::try_from(job.to - next).unwrap_or(usize::MAX).min(TILE_WIDTH - at);
        let Some(hashes) = found.filter(|hashes| hashes.len() > at) else { return Ok(()) };
        done.leaves.extend_from_slice(&hashes[at..wanted.min(hashes.len())]);
    }
}
