//! The pure path of an append, from a plan's chunks to the tiles, beside the hashes and the gzip that no append can do without.

pub(super) mod cost;
pub(super) mod latency;

mod world;

use std::hint::black_box;

use ledgerline_lake::plan::Plan;
use ledgerline_ledger::append::plan_append;
use ledgerline_ledger::chunk::{Chunk, ChunkId};
use ledgerline_ledger::head::{Head, StoredHead};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::origin::PlanOf;
use ledgerline_ledger::publish::{plan_publication, tiles_needed};
use ledgerline_ledger::tree::leaf_hash;
use xtask::fault::Fault;
use xtask::tools::say;

pub(super) use self::world::in_virtual_time;
use super::pair;

/// CPU of the whole append beside its floor: hashes of the leaves, gzip of the lines.
pub(super) fn measure(plan: &Plan) -> Result<(), Fault> {
    let broken =
        |error: &dyn std::fmt::Display| Fault::new(format!("the ledger refused the day: {error}"), "report this");
    let mut packed = Vec::new();
    for chunk in &plan.header.chunks {
        let log = LogId::parse(&chunk.log).map_err(|error| broken(&error))?;
        let from = (plan.header_bytes + chunk.offset) as usize;
        let id = ChunkId { of: PlanOf::Bronze, object: plan.header.object.to_string(), ordinal: chunk.ordinal };
        packed.push((id, log, chunk.count as usize, plan.bytes[from..from + chunk.length as usize].to_vec()));
    }
    let texts: Vec<String> = packed
        .iter()
        .map(|(id, log, count, bytes)| {
            let chunk = Chunk::check(id.clone(), log, *count, bytes.clone());
            chunk.map(|chunk| chunk.text().to_owned()).map_err(|error| broken(&error))
        })
        .collect::<Result<_, _>>()?;
    let entries: usize = texts.iter().map(|text| text.lines().count()).sum();
    // Ten chunks are a batch of the queue, all of one log: read, appended, indexed and published.
    let append_all = || -> Option<u64> {
        packed.chunk_by(|one, next| one.1 == next.1).map(|chunks| append_log(&chunks[0].1, chunks)).sum()
    };
    if append_all() != Some(entries as u64) {
        return Err(Fault::new("the ledger did not take every entry of the day", "report this"));
    }
    let pair = pair::time_pair(
        entries,
        || {
            for text in &texts {
                text.lines().for_each(|line| {
                    black_box(leaf_hash(line.as_bytes()));
                });
                black_box(ledgerline_ledger::member::pack(text.as_bytes()));
            }
        },
        || {
            black_box(append_all());
        },
    );
    say(&format!(
        "append: floor = SHA-256 of the leaves and gzip of the lines; ours unpacks and checks the plan's gzip members and keeps \
         the larger ones as they are\n{pair}"
    ));
    Ok(())
}

/// A log's chunks as the queue hands them over: id, log, count, gzip member.
type Packed = (ChunkId, LogId, usize, Vec<u8>);

/// The whole pure path of an append, batch by batch: the segment and the commit, the postings, and the tiles up to its end.
/// The signature is KMS's.
fn append_log(log: &LogId, packed: &[Packed]) -> Option<u64> {
    let mut head = Head::empty();
    let mut partial = Vec::new();
    for batch in packed.chunks(10) {
        let chunks: Vec<Chunk> = batch
            .iter()
            .filter_map(|(id, log, count, bytes)| Chunk::check(id.clone(), log, *count, bytes.clone()).ok())
            .collect();
        let plan = plan_append(log, &head, &chunks)?;
        black_box(plan.summary.postings("version"));
        let publication = plan_publication(head.size(), &partial, &plan.leaves, &plan.after.root()).ok()?;
        partial = publication.tiles.into_iter().filter(|(tile, _)| !tile.is_full()).chain(partial).collect();
        let needed = tiles_needed(publication.size).ok()?;
        partial.retain(|(tile, _)| needed.contains(tile));
        let size = plan.after.size();
        let stored = StoredHead {
            size,
            root: plan.after.root(),
            edge: plan.after.roots().to_vec(),
            unpublished: Vec::new(),
            indexed: size,
            published: size,
            signed: size,
            signed_at_ms: 0,
            signing_keys: vec![],
        };
        head = stored.verify(log).ok()?;
    }
    Some(head.size())
}
