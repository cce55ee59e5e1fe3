//! A ledger of any size in a folder, as `ledgerline export` writes one: segments, tiles, checkpoints, rows, key.
//!
//! Invariant: it is written in constant memory, and whole once `versions.jsonl` is there, which comes last; a folder that is
//! whole is used again.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ledgerline_lake::ObjectId;
use ledgerline_ledger::checkpoint::{self, CheckpointBody};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member::{self, MAX_LINES};
use ledgerline_ledger::posting::postings;
use ledgerline_ledger::publish::{plan_publication, tiles_needed};
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash};
use ledgerline_ledger::verify::folder::{
    HEADS_FILE, KEYS_FOLDER, POSTINGS_FILE, VERSIONS_FILE, head_line, posting_line,
};
use ledgerline_ledger::verify::{HeadRow, ObjectVersion};

use super::entries::entry;

/// Entries of a segment: ten chunks, a batch of the queue.
const SEGMENT_ENTRIES: u64 = 2_560;
/// Segments between two checkpoints, as they are published at once.
const SEGMENTS_PER_CHECKPOINT: u64 = 8;
const DEPLOYMENT: &str = "bench";
/// Part of the folder's name: a change of what is written asks for another.
const FORMAT: u32 = 2;
/// When the first segment was written, in epoch milliseconds, and the time between two.
const BEGIN_MS: u64 = 1_772_460_000_000;
const STEP_MS: u64 = 1_000;
const RETENTION_S: u64 = 365 * 86_400;

/// The folder of a ledger of so many entries below `parent`, written if it is not there whole.
pub(super) fn of_entries(parent: &Path, entries: u64) -> Result<PathBuf, String> {
    let root = parent.join(format!("ledger-{FORMAT}-{entries}"));
    if !root.join(VERSIONS_FILE).is_file() {
        // What an interrupted run left is no part of it.
        let _ = fs::remove_dir_all(&root);
        write(&root, entries).map_err(|error| format!("cannot write {}: {error}", root.display()))?;
    }
    Ok(root)
}

fn write(root: &Path, entries: u64) -> io::Result<()> {
    let mut writer = Writer::new(root)?;
    while writer.edge.size() < entries {
        writer.segment(SEGMENT_ENTRIES.min(entries - writer.edge.size()))?;
        if writer.segments.is_multiple_of(SEGMENTS_PER_CHECKPOINT) || writer.edge.size() == entries {
            writer.checkpoint()?;
        }
    }
    writer.finish()
}

/// A log on its way to disk: of what is written, only the right edge of the tree is kept.
struct Writer {
    root: PathBuf,
    log: LogId,
    signer: LocalSigner,
    edge: Edge,
    partial: Vec<(Tile, Vec<u8>)>,
    segments: u64,
    versions: BufWriter<File>,
    postings: BufWriter<File>,
}

impl Writer {
    fn new(root: &Path) -> io::Result<Self> {
        let log = LogId::parse("acme/interaction/1/0").map_err(io::Error::other)?;
        let signer = LocalSigner::from_seed(&checkpoint::origin(DEPLOYMENT, &log), &[1; 32]);
        fs::create_dir_all(root.join(KEYS_FOLDER))?;
        Ok(Self {
            log,
            signer: signer.map_err(io::Error::other)?,
            edge: Edge::empty(),
            partial: Vec::new(),
            segments: 0,
            versions: BufWriter::new(File::create(root.join(UNFINISHED))?),
            postings: BufWriter::new(File::create(root.join(POSTINGS_FILE))?),
            root: root.to_owned(),
        })
    }

    /// A segment, its postings, and the tiles that it fills.
    fn segment(&mut self, count: u64) -> io::Result<()> {
        let first = self.edge.size();
        let object = ObjectId::of(DEPLOYMENT, &first.to_string());
        let (mut bytes, mut leaves, mut text) = (Vec::new(), Vec::new(), String::new());
        for at in 0..count {
            let line = entry(&self.log, object, at, first + at).to_line().map_err(io::Error::other)?;
            leaves.push(leaf_hash(line.as_str().as_bytes()));
            text.push_str(line.as_str());
            text.push('\n');
            if leaves.len().is_multiple_of(MAX_LINES) || at + 1 == count {
                bytes.extend(member::pack(text.as_bytes()));
                text.clear();
            }
        }
        leaves.iter().for_each(|leaf| self.edge.append(*leaf));
        self.segments += 1;
        let key = SegmentName::of(&self.log, first, count, &bytes).key();
        let version_id = self.put(&key, &bytes, true)?;
        let segment = Segment::read(&key, &bytes).map_err(io::Error::other)?;
        for posting in postings(&segment, &version_id).map_err(io::Error::other)? {
            writeln!(self.postings, "{}", posting_line(&posting))?;
        }
        self.tiles(first, &leaves)
    }

    /// Full tiles; partial ones wait for the end, as those of earlier sizes expire.
    fn tiles(&mut self, published: u64, leaves: &[Hash]) -> io::Result<()> {
        let plan = plan_publication(published, &self.partial, leaves, &self.edge.root()).map_err(io::Error::other)?;
        let (full, new): (Vec<_>, Vec<_>) = plan.tiles.into_iter().partition(|(tile, _)| tile.is_full());
        for (tile, bytes) in full {
            self.put(&tile.key(&self.log), &bytes, true)?;
        }
        let needed = tiles_needed(plan.size).map_err(io::Error::other)?;
        self.partial = new.into_iter().chain(std::mem::take(&mut self.partial)).collect();
        self.partial.retain(|(tile, _)| needed.contains(tile));
        Ok(())
    }

    /// The archived checkpoint of what is there.
    fn checkpoint(&mut self) -> io::Result<()> {
        let note = self.note()?;
        self.put(&checkpoint::archive_key(&self.log, self.edge.size()), &note, true).map(drop)
    }

    fn note(&self) -> io::Result<Vec<u8>> {
        let body = CheckpointBody::new(self.signer.name(), self.edge.size(), self.edge.root());
        let body = body.map_err(io::Error::other)?;
        let signature = self.signer.sign_now(body.text().as_bytes());
        let signed = body.signed(&self.signer.verifying_key(KeyKind::Log), &signature);
        Ok(signed.map_err(io::Error::other)?.note())
    }

    /// What is written of the newest state alone; the list of versions last.
    fn finish(mut self) -> io::Result<()> {
        for (tile, bytes) in std::mem::take(&mut self.partial) {
            self.put(&tile.key(&self.log), &bytes, false)?;
        }
        let note = self.note()?;
        self.put(&checkpoint::live_key(&self.log), &note, false)?;
        let size = self.edge.size();
        let head = HeadRow {
            log: self.log.clone(),
            size,
            root: self.edge.root(),
            edge: self.edge.roots().to_vec(),
            indexed: size,
            segments: Vec::new(),
        };
        fs::write(self.root.join(HEADS_FILE), head_line(&head) + "\n")?;
        let vkey = self.signer.verifying_key(KeyKind::Log).vkey() + "\n";
        let file = format!("{}.vkey", self.signer.name().replace('/', "_"));
        fs::write(self.root.join(KEYS_FOLDER).join(file), vkey)?;
        self.postings.flush()?;
        self.versions.flush()?;
        fs::rename(self.root.join(UNFINISHED), self.root.join(VERSIONS_FILE))
    }

    /// An object and its line in the list.
    fn put(&mut self, key: &str, bytes: &[u8], is_locked: bool) -> io::Result<String> {
        let path = self.root.join(key);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, bytes)?;
        let written_ms = BEGIN_MS + self.segments * STEP_MS;
        let lock = Lock { mode: LockMode::Compliance, retain_until_s: written_ms / 1_000 + RETENTION_S };
        let version = ObjectVersion {
            key: key.to_owned(),
            // As long as S3's, and each another one.
            version_id: leaf_hash(key.as_bytes()).hex()[..32].to_owned(),
            is_latest: true,
            is_delete_marker: false,
            bytes: bytes.len() as u64,
            lock: is_locked.then_some(lock),
            legal_hold: false,
            last_modified_ms: written_ms,
        };
        writeln!(self.versions, "{}", version.to_json())?;
        Ok(version.version_id)
    }
}

/// The list of versions while it grows.
const UNFINISHED: &str = "versions.partial";
