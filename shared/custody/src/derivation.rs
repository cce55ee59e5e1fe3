//! A log's tiles, derived again from its committed segments, held against what is stored, and put where nothing lies.
//!
//! Invariant: nothing is put before the derived tree was seen to have the root of the newest checkpoint that a known key signed,
//! and the head's. A full tile is never written over, whatever lies there, nor put again where a delete marker merely hides it:
//! to verification a second version of what is written once is a contradiction for as long as it is locked. Of entries no more is held than one segment, the
//! tree's right edge, and a name and a digest for each tile that is not as it should be. Left out: tiles that end where the
//! log is pruned to; nothing derives them any more.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use ledgerline_ledger::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use ledgerline_ledger::head::{Head, HeadError};
use ledgerline_ledger::lock::Lock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::publish::{PublishError, edge_of_tiles, plan_publication, tiles_needed};
use ledgerline_ledger::segment::{Segment, SegmentError};
use ledgerline_ledger::signing::{KeyError, VerifyingKey, VerifyingKeys};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash};
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::segment::Put;

use crate::committed::{CommittedError, CommittedSegments};

/// A log's tiles as its segments give them, beside those that are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Where the first segment begins: tiles that end there or before were not looked at.
    pub from: u64,
    /// The size of the tree that was derived: what the head calls published.
    pub published: u64,
    /// The size of the checkpoint that vouches for it; 0 if there is none yet.
    pub signed: u64,
    /// Tiles that were derived.
    pub derived: u64,
    /// Those of them that are not stored as derived.
    pub gaps: Vec<Gap>,
}

impl Compared {
    /// Whether a full tile has other bytes than the entries give: evidence was altered, and nothing may be put.
    pub fn is_altered(&self) -> bool {
        self.gaps.iter().any(Gap::is_altered)
    }
}

/// A tile that is not stored as derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The tile.
    pub tile: Tile,
    /// What lies in its place.
    pub found: InPlace,
    /// The SHA-256 of the derived bytes.
    pub digest: Hash,
}

impl Gap {
    /// Whether putting it makes the evidence whole. What is hidden is there; taking the delete marker away shows it.
    pub fn is_to_be_put(&self) -> bool {
        self.found == InPlace::Nothing || (self.found == InPlace::OtherBytes && !self.tile.is_full())
    }

    fn is_altered(&self) -> bool {
        self.found == InPlace::OtherBytes && self.tile.is_full()
    }
}

/// What lies where a tile should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlace {
    /// Nothing; or, of a partial tile, a delete marker.
    Nothing,
    /// A full tile as derived, below a delete marker or a version that somebody laid over it.
    Hidden,
    /// Other bytes.
    OtherBytes,
}

/// Why tiles cannot be derived, or not put.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// A store call failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's head contradicts itself.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The keys that the caller knows cannot be told apart.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A segment cannot be read.
    #[error(transparent)]
    Segments(#[from] CommittedError),
    /// A segment that the head names is not what its name says.
    #[error("{key} is no segment: {error}")]
    Segment {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        error: SegmentError,
    },
    /// Hashes and tiles do not fit together.
    #[error(transparent)]
    Tiles(#[from] PublishError),
    /// No committed segment begins where the last one ended.
    #[error("no committed segment begins at {first}: it is gone, or no posting names it")]
    SegmentMissing {
        /// Where it should begin.
        first: u64,
    },
    /// A segment reaches over the end of what is published.
    #[error("{key} reaches beyond {published} published entries")]
    BeyondPublished {
        /// The object's key.
        key: String,
        /// What the head calls published.
        published: u64,
    },
    /// None of the newest checkpoints is signed by a key that the caller knows.
    #[error("no checkpoint from {size} entries on is signed by a known key")]
    NotByKnownKey {
        /// The size that the head calls signed.
        size: u64,
    },
    /// The head calls less published than was signed: it was set back, or is gone.
    #[error(
        "the head calls {published} entries published, and a checkpoint of {archived} is archived: it was set back"
    )]
    HeadBehind {
        /// What the head calls published.
        published: u64,
        /// The size of the archived checkpoint.
        archived: u64,
    },
    /// The entries do not make the tree that was signed.
    #[error("the entries make another tree of {size} than the checkpoint says")]
    NotTheSigned {
        /// The checkpoint's size.
        size: u64,
    },
    /// The entries do not make the tree that the head has.
    #[error("the entries make another tree of {size} than the head says")]
    NotTheHeads {
        /// The head's size.
        size: u64,
    },
    /// A tile that holds hashes of pruned entries is gone: what comes after them hangs on it.
    #[error("{key} is gone, and entries below {from}, whose hashes it held, are pruned: it cannot be derived")]
    Pruned {
        /// The tile's key.
        key: String,
        /// Where the first segment begins.
        from: u64,
    },
    /// A full tile has other bytes than the entries give.
    #[error("{key} has other bytes than the entries give: evidence was altered, and is not written over")]
    Altered {
        /// The tile's key.
        key: String,
    },
    /// The entries give other bytes than they gave a moment ago.
    #[error("the entries give other bytes for {key} than when they were compared")]
    Unsteady {
        /// The tile's key.
        key: String,
    },
}

impl DerivationError {
    /// Whether the evidence contradicts itself: a person must look. Else it could not be told, or not be done.
    pub fn is_contradiction(&self) -> bool {
        match self {
            Self::Head(_)
            | Self::Segment { .. }
            | Self::Segments(CommittedError::Segment { .. } | CommittedError::Entry { .. })
            | Self::BeyondPublished { .. }
            | Self::HeadBehind { .. }
            | Self::NotTheSigned { .. }
            | Self::NotTheHeads { .. }
            | Self::Altered { .. } => true,
            Self::Store(_) | Self::Segments(CommittedError::Store(_)) | Self::Keys(_) | Self::Tiles(_) => false,
            Self::SegmentMissing { .. } | Self::NotByKnownKey { .. } | Self::Pruned { .. } | Self::Unsteady { .. } => {
                false
            }
        }
    }
}

/// Derives and compares tiles over a ledger's stores.
#[derive(Debug)]
pub struct Deriving<'a>(pub &'a LedgerStores);

impl Deriving<'_> {
    /// Derives the tiles of a log's published tree, and holds them against those that are stored. Checkpoints count that
    /// one of `known` signed.
    ///
    /// # Errors
    /// What keeps the tree from being derived, or shows that it is not the one that was signed.
    pub async fn compare(&self, log: &LogId, known: &[VerifyingKey]) -> Result<Compared, DerivationError> {
        let head = self.head(log).await?;
        let vouching = self.vouching(log, &head, known).await?;
        if head.published() == 0 {
            return Ok(Compared::default());
        }
        let mut derivation = Derivation::begin(self.0, log, head.published()).await?;
        let mut compared =
            Compared { from: derivation.edge.size(), published: head.published(), ..Compared::default() };
        if let Some(checkpoint) = vouching {
            compared.signed = checkpoint.size();
            derivation.expect(checkpoint.size(), *checkpoint.root())?;
        }
        while let Some(tiles) = derivation.next().await? {
            compared.derived += tiles.len() as u64;
            let held = stream::iter(tiles).map(async |(tile, bytes)| self.gap(log, tile, &bytes).await);
            let gaps: Vec<Option<Gap>> = held.buffered(PARALLEL).try_collect().await?;
            compared.gaps.extend(gaps.into_iter().flatten());
        }
        self.agree(&head, derivation.edge).await?;
        Ok(compared)
    }

    /// Derives once more, and puts each tile that was not there; and each partial one that has other bytes, which carries no
    /// lock and follows from full tiles and entries. Returns how many.
    ///
    /// # Errors
    /// [`DerivationError::Altered`], and what kept some of them from being put. Repeating it does no harm.
    pub async fn put_missing(&self, log: &LogId, compared: &Compared, lock: &Lock) -> Result<u64, DerivationError> {
        if let Some(gap) = compared.gaps.iter().find(|gap| gap.is_altered()) {
            return Err(DerivationError::Altered { key: gap.tile.key(log) });
        }
        let to_put = compared.gaps.iter().filter(|gap| gap.is_to_be_put());
        let gaps: HashMap<Tile, &Gap> = to_put.map(|gap| (gap.tile, gap)).collect();
        // Of a tree that has grown the partial tiles are others: these would lie there for ever, and serve nobody.
        let has_partial = gaps.keys().any(|tile| !tile.is_full());
        if has_partial && self.head(log).await?.published() != compared.published {
            let what = format!("put partial tiles of {log}: it was published further meanwhile");
            return Err(StoreError::Conflict(Failure::new(what)).into());
        }
        let mut derivation = Derivation::begin(self.0, log, compared.published).await?;
        let mut put = 0;
        while put < gaps.len() as u64 {
            let Some(tiles) = derivation.next().await? else { break };
            let wanted = tiles.iter().filter_map(|(tile, bytes)| Some((*gaps.get(tile)?, bytes)));
            let puts = stream::iter(wanted).map(async |(gap, bytes)| self.put(log, gap, bytes, lock).await);
            put += puts.buffered(PARALLEL).try_collect::<Vec<()>>().await?.len() as u64;
        }
        Ok(put)
    }

    async fn head(&self, log: &LogId) -> Result<Head, DerivationError> {
        let stored = self.0.heads.head(log).await?;
        Ok(stored.map(|stored| stored.verify(log)).transpose()?.unwrap_or_default())
    }

    /// The newest checkpoint of the published tree that a known key signed. There must be one, if any was archived.
    async fn vouching(
        &self,
        log: &LogId,
        head: &Head,
        known: &[VerifyingKey],
    ) -> Result<Option<Checkpoint>, DerivationError> {
        let keys = VerifyingKeys::new(known.iter().cloned())?;
        let mut vouching = None;
        let mut is_archived = head.signed() > 0;
        let mut from = head.signed().max(1);
        loop {
            let archived = self.0.checkpoints.archived(log, from, MAX_VERSIONS).await?;
            for one in &archived {
                if one.size > head.published() {
                    self.not_behind(log, one.size).await?;
                    break;
                }
                is_archived = true;
                let note = self.0.checkpoints.read(one).await?;
                let checkpoint = UnverifiedCheckpoint::parse(&note).and_then(|note| note.verify(&keys));
                let is_of_log = |checkpoint: &Checkpoint| known.iter().any(|key| key.name() == checkpoint.origin());
                let fits = |checkpoint: &Checkpoint| checkpoint.size() == one.size && is_of_log(checkpoint);
                vouching = checkpoint.ok().filter(fits).or(vouching);
            }
            match archived.last() {
                Some(last) if archived.len() == MAX_VERSIONS && last.size < head.published() => from = last.size + 1,
                _ => break,
            }
        }
        if is_archived && vouching.is_none() {
            return Err(DerivationError::NotByKnownKey { size: head.signed() });
        }
        Ok(vouching)
    }

    /// A checkpoint beyond what the head calls published is one that came meanwhile, or the head was set back.
    async fn not_behind(&self, log: &LogId, archived: u64) -> Result<(), DerivationError> {
        let published = self.head(log).await?.published();
        if archived <= published { Ok(()) } else { Err(DerivationError::HeadBehind { published, archived }) }
    }

    /// How a tile is stored otherwise than derived, if it is.
    async fn gap(&self, log: &LogId, tile: Tile, bytes: &[u8]) -> Result<Option<Gap>, DerivationError> {
        let key = tile.key(log);
        let current = self.0.tiles.tile(&key).await?;
        if current.as_deref() == Some(bytes) {
            return Ok(None);
        }
        let below = if tile.is_full() { self.0.segments.oldest(&key).await? } else { None };
        let found = match (current, below) {
            (_, Some(below)) if below == bytes => InPlace::Hidden,
            (Some(_), _) | (None, Some(_)) => InPlace::OtherBytes,
            (None, None) => InPlace::Nothing,
        };
        Ok(Some(Gap { tile, found, digest: Hash::of_object(bytes) }))
    }

    async fn put(&self, log: &LogId, gap: &Gap, bytes: &[u8], lock: &Lock) -> Result<(), DerivationError> {
        let key = gap.tile.key(log);
        if Hash::of_object(bytes) != gap.digest {
            return Err(DerivationError::Unsteady { key });
        }
        if !gap.tile.is_full() {
            return Ok(self.0.tiles.put_partial(&key, bytes).await?);
        }
        match self.0.tiles.put_full(&key, bytes, lock).await? {
            Put::Written { .. } => Ok(()),
            // Put by another run meanwhile.
            Put::Exists if self.0.tiles.tile(&key).await?.is_some_and(|there| there == bytes) => Ok(()),
            Put::Exists => Err(DerivationError::Altered { key }),
        }
    }

    /// Goes on from the published tree through what waits for its tiles, to the tree that the head has.
    async fn agree(&self, head: &Head, mut edge: Edge) -> Result<(), DerivationError> {
        for waiting in head.unpublished() {
            let bytes = self.0.segments.read(&waiting.key, &waiting.version_id).await?;
            let segment = Segment::read(&waiting.key, &bytes);
            let segment = segment.map_err(|error| DerivationError::Segment { key: waiting.key.clone(), error })?;
            segment.leaves().for_each(|leaf| edge.append(leaf));
        }
        let agrees = (edge.size(), edge.root()) == (head.size(), head.root());
        if agrees { Ok(()) } else { Err(DerivationError::NotTheHeads { size: head.size() }) }
    }
}

/// A tree that grows segment by segment.
struct Derivation<'a> {
    segments: CommittedSegments<'a>,
    published: u64,
    edge: Edge,
    /// The partial tiles at its right edge.
    right: Vec<(Tile, Vec<u8>)>,
    /// The root that it must have at a size.
    expected: Option<(u64, Hash)>,
    is_done: bool,
}

impl<'a> Derivation<'a> {
    /// Begins at a log's first segment; where entries before it are pruned, with what kept tiles say of them.
    async fn begin(stores: &'a LedgerStores, log: &'a LogId, published: u64) -> Result<Self, DerivationError> {
        let mut segments = CommittedSegments::new(log, stores);
        let from = segments.begin().await?.filter(|from| *from <= published);
        let from = from.ok_or(DerivationError::SegmentMissing { first: 0 })?;
        let mut right = Vec::new();
        for tile in tiles_needed(from)? {
            right.push((tile, kept(stores, log, tile, from, published).await?));
        }
        let edge = edge_of_tiles(from, &right)?;
        Ok(Self { segments, published, edge, right, expected: None, is_done: false })
    }

    /// Asks for this root at this size.
    fn expect(&mut self, size: u64, root: Hash) -> Result<(), DerivationError> {
        self.expected = Some((size, root));
        // Of a tree whose signed part is pruned as a whole nothing could be compared any more.
        if size < self.edge.size() { Err(DerivationError::NotTheSigned { size }) } else { self.is_expected() }
    }

    fn is_expected(&self) -> Result<(), DerivationError> {
        match self.expected {
            Some((size, root)) if size == self.edge.size() && root != self.edge.root() => {
                Err(DerivationError::NotTheSigned { size })
            }
            _ => Ok(()),
        }
    }

    /// The full tiles that the next segment completes; at the end the partial ones; then nothing.
    async fn next(&mut self) -> Result<Option<Vec<(Tile, Vec<u8>)>>, DerivationError> {
        let size = self.edge.size();
        if size == self.published {
            let last = std::mem::take(&mut self.right);
            return Ok((!std::mem::replace(&mut self.is_done, true)).then_some(last));
        }
        let next = self.segments.beginning_at(size).await?;
        let (segment, version) = next.ok_or(DerivationError::SegmentMissing { first: size })?;
        let leaves: Vec<Hash> = segment.leaves().collect();
        if leaves.len() as u64 > self.published - size {
            return Err(DerivationError::BeyondPublished { key: version.key, published: self.published });
        }
        for leaf in &leaves {
            self.edge.append(*leaf);
            self.is_expected()?;
        }
        let plan = plan_publication(size, &self.right, &leaves, &self.edge.root())?;
        let (full, partial): (Vec<_>, Vec<_>) = plan.tiles.into_iter().partition(|(tile, _)| tile.is_full());
        // Higher up the right edge may be as it was.
        let edge = tiles_needed(plan.size)?;
        self.right.retain(|(tile, _)| edge.contains(tile));
        self.right.extend(partial);
        Ok(Some(full))
    }
}

/// The first hashes of a tile, from where they are kept: in the tile that the published tree has in its place.
async fn kept(
    stores: &LedgerStores,
    log: &LogId,
    tile: Tile,
    from: u64,
    published: u64,
) -> Result<Vec<u8>, DerivationError> {
    let is_there = |other: &Tile| (other.level(), other.index()) == (tile.level(), tile.index());
    let wide = tiles_needed(published)?.into_iter().find(is_there).unwrap_or(tile.full());
    let key = wide.key(log);
    // Of a full tile the oldest version is the evidence, whatever lies over it.
    let oldest = if wide.is_full() { stores.segments.oldest(&key).await? } else { None };
    let mut bytes = match oldest {
        Some(bytes) => bytes.to_vec(),
        None => stores.tiles.tile(&key).await?.unwrap_or_default().to_vec(),
    };
    if bytes.len() < tile.bytes() {
        return Err(DerivationError::Pruned { key, from });
    }
    bytes.truncate(tile.bytes());
    Ok(bytes)
}

/// Tiles under way at once, at most 8 KB each.
const PARALLEL: usize = 8;
/// Versions that the newest checkpoints of an archive have: one each, or some more that somebody laid over a delete marker.
const MAX_VERSIONS: usize = 16;
