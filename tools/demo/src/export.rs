//! A log taken out of the bucket: every committed segment in order, as lines, beside what the head says.
//!
//! Invariant: only segments that a chunk marker names are taken; an orphan that a crash left is no part of the log.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_store::head::Heads;
use xtask::fault::Fault;

use super::chain::Chain;
use super::{folder, shown};

/// A log, exported.
pub(super) struct Export {
    /// Its name.
    pub(super) log: LogId,
    /// Entries that the head commits.
    pub(super) size: u64,
    /// The head's root, hex.
    pub(super) head_root: String,
    /// Its segments in order.
    pub(super) segments: Vec<SegmentName>,
    /// Its entries, one a line.
    pub(super) copy: Vec<u8>,
}

/// Exports the first log of an organization's class.
pub(super) async fn log(chain: &Chain, org: &str, class: &str) -> Result<Export, Fault> {
    let log = LogId::first_of(org, class)
        .map_err(|error| Fault::caused_by("the demo's org names no log", error, "report this"))?;
    let head = Heads::new(chain.stack.rows_of(&chain.clients, "ControlTable")?).head(&log).await;
    let head =
        head.map_err(|error| Fault::caused_by(format!("cannot read the head of {log}"), error, "run: cargo xtask up"))?;
    let head = head.ok_or_else(|| Fault::new(format!("{log} has no head"), "read what audit-write logs"))?;
    let keys = chain.committed_segments(&log).await?;
    let mut segments: Vec<SegmentName> = keys.iter().filter_map(|key| SegmentName::parse(key)).collect();
    segments.sort_by_key(|name| name.first);
    let mut copy = Vec::new();
    for name in &segments {
        let key = name.key();
        let bytes = chain.object("LedgerBucket", &key).await?;
        for line in segment(&key, &bytes)?.lines() {
            copy.extend_from_slice(line.as_bytes());
            copy.push(b'\n');
        }
    }
    Ok(Export { log, size: head.size, head_root: head.root.hex(), segments, copy })
}

/// Reads a segment, checked against its name.
pub(super) fn segment(key: &str, bytes: &[u8]) -> Result<Segment, Fault> {
    Segment::read(key, bytes)
        .map_err(|error| Fault::caused_by(format!("{key} is no segment"), error, "compare the object's versions"))
}

/// Leaves the untouched and the altered copy where one can look at them; their paths.
pub(super) fn write_copies(copy: &[u8], altered: &[u8]) -> Result<(String, String), Fault> {
    let export = folder().join("export");
    let remedy = "make room or permission for it below target/";
    let write = |name: &str, bytes: &[u8]| {
        let path = export.join(name);
        let written = std::fs::create_dir_all(&export).and_then(|()| std::fs::write(&path, bytes));
        written.map_err(|error| Fault::caused_by(format!("cannot write {}", path.display()), error, remedy))?;
        Ok(shown(&path))
    };
    Ok((write("entries.jsonl", copy)?, write("entries.altered.jsonl", altered)?))
}
