//! A ledger of several logs in memory, written as the product writes it, and open to every change that somebody with all
//! permissions could make: versions, locks, heads and postings included.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use ledgerline_ledger::checkpoint::{self, CheckpointBody};
use ledgerline_ledger::entry::{BLOCK_CHARS, Block, Field, Party, PendingEntry, Record, Sealed, Source};
use ledgerline_ledger::lock::{Lock, LockMode};
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::member;
use ledgerline_ledger::posting::{Posting, postings};
use ledgerline_ledger::publish::{plan_publication, tiles_needed};
use ledgerline_ledger::segment::{Segment, SegmentName};
use ledgerline_ledger::signing::{KeyKind, LocalSigner};
use ledgerline_ledger::tile::Tile;
use ledgerline_ledger::tree::{Edge, Hash, leaf_hash};
use ledgerline_ledger::verify::folder::{
    HEADS_FILE, POSTINGS_FILE, VERSIONS_FILE, head_line, object_path, posting_line,
};
use ledgerline_ledger::verify::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};

pub(crate) const DEPLOYMENT: &str = "dep-1";
/// When the first segment was written.
pub(crate) const EPOCH_MS: u64 = 1_800_000_000_000;
/// Between two appends.
const STEP_MS: u64 = 60_000;
const DAYS: u64 = 365;

/// One version and its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) version: ObjectVersion,
    pub(crate) bytes: Vec<u8>,
}

/// A whole ledger.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    /// Versions by key, the oldest first.
    pub(crate) objects: BTreeMap<String, Vec<Stored>>,
    pub(crate) heads: Vec<HeadRow>,
    pub(crate) postings: Vec<Posting>,
    pub(crate) now_ms: u64,
    states: HashMap<LogId, State>,
    next_version: u64,
}

#[derive(Clone)]
struct State {
    edge: Edge,
    tiles: HashMap<Tile, Vec<u8>>,
    deployment: String,
    seed: u8,
}

pub(crate) fn log(name: &str) -> LogId {
    LogId::parse(name).unwrap()
}

pub(crate) fn signer(deployment: &str, log: &LogId, seed: u8) -> LocalSigner {
    LocalSigner::from_seed(&checkpoint::origin(deployment, log), &[seed; 32]).unwrap()
}

pub(crate) fn vkey(deployment: &str, log: &LogId, seed: u8) -> String {
    signer(deployment, log, seed).verifying_key(KeyKind::Log).vkey()
}

/// The line of an event. `seq` makes it unlike any other line, as salts do.
pub(crate) fn line(log: &LogId, seq: u64) -> String {
    entry(log, seq).to_line().unwrap().into_text()
}

pub(crate) fn entry(log: &LogId, seq: u64) -> PendingEntry {
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    salt[8..].copy_from_slice(&leaf_hash(log.as_str().as_bytes()).0[..8]);
    let id = leaf_hash(&salt).hex();
    PendingEntry {
        event_id: id[..32].to_owned(),
        org: log.org().to_owned(),
        event_type: "customer.start".to_owned(),
        activity: "Customer connected".to_owned(),
        record: Record::Interaction(format!("0d3f1c5e-7a3f-4a53-9a38-{:012}", seq / 16)),
        occurred_at: format!("2026-03-02T{:02}:{:02}:{:02}.350Z", seq / 3600 % 24, seq / 60 % 60, seq % 60),
        time_from_envelope: false,
        zone_assumed: false,
        late: false,
        fields: BTreeMap::from([
            ("conversationId".to_owned(), Field::Text(format!("0d3f1c5e-7a3f-4a53-9a38-{:012}", seq / 16))),
            ("direction".to_owned(), Field::Text("INBOUND".to_owned())),
            ("durationMs".to_owned(), Field::Int((seq % 7_919) as i64)),
            ("media".to_owned(), Field::Text("VOICE".to_owned())),
            ("queueId".to_owned(), Field::Text(format!("queue-{}", seq % 40))),
        ]),
        masked: vec!["ani".to_owned(), "externalContactId".to_owned()],
        sealed: sealed(seq),
        lineage_token: format!("{}-7a3f-5a53-9a38-{}", &id[..8], &id[8..20]),
        schema_version: "genesys/1".to_owned(),
        policy_version: "2026-11-01/1".to_owned(),
        source: Source { object: id[32..].to_owned(), line: seq % 10_000 },
        salt,
    }
}

/// What is sealed of it: noise, as it is to every reader of a ledger. Each third has no agent.
fn sealed(seq: u64) -> Sealed {
    let noise = |what: &str, of: u64| leaf_hash(format!("{what} {of}").as_bytes()).hex();
    let parties = if seq.is_multiple_of(3) { &[Party::Customer][..] } else { &[Party::Customer, Party::Agent] };
    // Hex digits are base64url, too.
    let mut keyed: Vec<(String, Party)> =
        parties.iter().map(|party| (format!("{}A", &noise(party.as_str(), seq / 16)[..42]), *party)).collect();
    keyed.sort();
    let place = |party: Party| keyed.iter().position(|(_, of)| *of == party).unwrap();
    let block =
        |p: Party| Block { b: noise(p.as_str(), seq).repeat(5)[..BLOCK_CHARS[0] - 1].to_owned() + "A", k: place(p), p };
    Sealed {
        blocks: parties.iter().map(|party| block(*party)).collect(),
        key_ids: keyed.into_iter().map(|(id, _)| id).collect(),
    }
}

/// An entry of the ledger's own about its log.
pub(crate) fn act_line(log: &LogId, kind: &str, name: &str, value: Field) -> String {
    let mut act = entry(log, 1 << 40);
    act.event_type = kind.to_owned();
    act.activity = kind.to_owned();
    act.record = Record::Entity { kind: "log".to_owned(), id: log.as_str().replace('/', ":") };
    act.fields = BTreeMap::from([(name.to_owned(), value)]);
    act.sealed = Sealed::default();
    act.to_line().unwrap().into_text()
}

/// A segment's bytes: members of at most 256 lines.
pub(crate) fn pack(lines: &[String]) -> Vec<u8> {
    let text = |lines: &[String]| lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
    lines.chunks(member::MAX_LINES).flat_map(|chunk| member::pack(text(chunk).as_bytes())).collect()
}

impl Ledger {
    /// Opens a log of this deployment, signed by the key of this seed.
    pub(crate) fn open(&mut self, log: &LogId, deployment: &str, seed: u8) {
        let state = State { edge: Edge::empty(), tiles: HashMap::new(), deployment: deployment.to_owned(), seed };
        self.states.insert(log.clone(), state);
    }

    /// Signs with another key from now on.
    pub(crate) fn rotate(&mut self, log: &LogId, seed: u8) {
        self.states.get_mut(log).unwrap().seed = seed;
    }

    /// One append, published and signed.
    pub(crate) fn append(&mut self, log: &LogId, lines: &[String]) -> String {
        let key = self.commit(log, lines);
        self.publish(log);
        key
    }

    /// Segment, head and postings.
    pub(crate) fn commit(&mut self, log: &LogId, lines: &[String]) -> String {
        self.now_ms = self.now_ms.max(EPOCH_MS) + STEP_MS;
        let bytes = pack(lines);
        let state = self.states.get_mut(log).unwrap();
        let first = state.edge.size();
        lines.iter().for_each(|line| state.edge.append(leaf_hash(line.as_bytes())));
        let (size, edge) = (state.edge.size(), state.edge.clone());
        let key = SegmentName::of(log, first, lines.len() as u64, &bytes).key();
        let version_id = self.put(&key, bytes.clone(), true);
        self.postings.extend(postings(&Segment::read(&key, &bytes).unwrap(), &version_id).unwrap());
        let segments = vec![(key.clone(), version_id)];
        self.heads.retain(|head| head.log != *log);
        self.heads.push(HeadRow {
            log: log.clone(),
            size,
            root: edge.root(),
            edge: edge.roots().to_vec(),
            indexed: size,
            segments,
        });
        key
    }

    /// Tiles and a checkpoint of what is committed.
    pub(crate) fn publish(&mut self, log: &LogId) {
        let state = self.states[log].clone();
        let published = self.published(log);
        let partial: Vec<(Tile, Vec<u8>)> =
            tiles_needed(published).unwrap().into_iter().map(|tile| (tile, state.tiles[&tile].clone())).collect();
        let leaves: Vec<Hash> = self.leaves_from(log, published);
        let plan = plan_publication(published, &partial, &leaves, &state.edge.root()).unwrap();
        for (tile, bytes) in plan.tiles {
            self.put(&tile.key(log), bytes.clone(), tile.is_full());
            self.states.get_mut(log).unwrap().tiles.insert(tile, bytes);
        }
        let note = note(&state.deployment, log, state.seed, state.edge.size(), state.edge.root());
        self.put(&checkpoint::archive_key(log, state.edge.size()), note.clone(), true);
        self.put(&checkpoint::live_key(log), note, false);
    }

    fn published(&self, log: &LogId) -> u64 {
        let folder = checkpoint::archive_folder(log);
        let archived = self.objects.range(folder.clone()..).take_while(|(key, _)| key.starts_with(&folder));
        archived.last().and_then(|(key, _)| checkpoint::archived_size(log, key)).unwrap_or(0)
    }

    fn leaves_from(&self, log: &LogId, from: u64) -> Vec<Hash> {
        let names = self.segments(log).into_iter().filter(|name| name.first >= from);
        names.flat_map(|name| self.lines_of(&name.key())).map(|line| leaf_hash(line.as_bytes())).collect()
    }

    /// The names of a log's segments, in order.
    pub(crate) fn segments(&self, log: &LogId) -> Vec<SegmentName> {
        self.objects.keys().filter_map(|key| SegmentName::parse(key)).filter(|name| name.log == *log).collect()
    }

    /// The key of a log's n-th segment.
    pub(crate) fn segment(&self, log: &LogId, n: usize) -> String {
        self.segments(log)[n].key()
    }

    pub(crate) fn lines_of(&self, key: &str) -> Vec<String> {
        Segment::read(key, &self.objects[key][0].bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// Writes a version over whatever is there.
    pub(crate) fn put(&mut self, key: &str, bytes: Vec<u8>, locked: bool) -> String {
        self.next_version += 1;
        let now_ms = self.now_ms.max(EPOCH_MS);
        let lock = Lock { mode: LockMode::Compliance, retain_until_s: now_ms / 1000 + DAYS * 86_400 };
        let version = ObjectVersion {
            key: key.to_owned(),
            version_id: format!("v{}", self.next_version),
            is_latest: true,
            is_delete_marker: false,
            bytes: bytes.len() as u64,
            lock: locked.then_some(lock),
            legal_hold: false,
            last_modified_ms: now_ms,
        };
        let id = version.version_id.clone();
        let versions = self.objects.entry(key.to_owned()).or_default();
        versions.iter_mut().for_each(|stored| stored.version.is_latest = false);
        versions.push(Stored { version, bytes });
        id
    }

    /// Replaces an object as if nothing else had ever been there.
    pub(crate) fn replace(&mut self, key: &str, bytes: Vec<u8>) {
        let stored = self.objects.get_mut(key).unwrap().last_mut().unwrap();
        stored.version.bytes = bytes.len() as u64;
        stored.bytes = bytes;
    }

    /// Changes an object's bytes in place.
    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes(key);
        change(&mut bytes);
        self.replace(key, bytes);
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        self.objects[key].last().unwrap().bytes.clone()
    }

    /// Puts other bytes where a segment was, under the name that fits them, with the old version's lock and times.
    pub(crate) fn swap_segment(&mut self, key: &str, first: u64, count: u64, bytes: Vec<u8>) -> String {
        let mut versions = self.objects.remove(key).unwrap();
        let name = SegmentName::of(&SegmentName::parse(key).unwrap().log, first, count, &bytes).key();
        for stored in &mut versions {
            stored.version.key = name.clone();
            stored.version.bytes = bytes.len() as u64;
            stored.bytes = bytes.clone();
        }
        self.objects.insert(name.clone(), versions);
        let named = self.heads.iter_mut().flat_map(|head| &mut head.segments).filter(|(named, _)| named == key);
        named.for_each(|(named, _)| name.clone_into(named));
        name
    }

    /// Rewrites a segment with other lines, keeping its place and count; the new name fits. The index is rebuilt, too.
    pub(crate) fn rewrite(&mut self, key: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
        let name = SegmentName::parse(key).unwrap();
        let mut lines = self.lines_of(key);
        change(&mut lines);
        let renamed = self.swap_segment(key, name.first, lines.len() as u64, pack(&lines));
        self.rebuild_postings();
        renamed
    }

    /// The postings that follow from the segments as they are now.
    pub(crate) fn rebuild_postings(&mut self) {
        let segments = self.objects.iter().filter(|(key, _)| SegmentName::parse(key).is_some());
        self.postings = segments
            .filter_map(|(key, versions)| {
                let read = Segment::read(key, &versions[0].bytes).ok()?;
                postings(&read, &versions[0].version.version_id).ok()
            })
            .flatten()
            .collect();
    }

    pub(crate) fn head(&mut self, log: &LogId) -> &mut HeadRow {
        self.heads.iter_mut().find(|head| head.log == *log).unwrap()
    }

    /// Sets the head back to an earlier size, in every part.
    pub(crate) fn roll_back_head(&mut self, log: &LogId, size: u64) {
        let lines: Vec<String> = self.segments(log).iter().flat_map(|name| self.lines_of(&name.key())).collect();
        let mut edge = Edge::empty();
        lines.iter().take(size as usize).for_each(|line| edge.append(leaf_hash(line.as_bytes())));
        let head = self.head(log);
        (head.size, head.root, head.edge) = (size, edge.root(), edge.roots().to_vec());
        head.indexed = size;
        head.segments.clear();
    }

    /// Writes tiles, heads and checkpoints again from the segments as they are now, signed by the key of this seed: all
    /// that an attacker with every permission and that key can do. Checkpoints keep their sizes.
    pub(crate) fn rewrite_derived(&mut self, log: &LogId, sign_as: Option<u8>) {
        let leaves = self.leaves_from(log, 0);
        let mut edge = Edge::empty();
        let mut roots = vec![edge.root()];
        for leaf in &leaves {
            edge.append(*leaf);
            roots.push(edge.root());
        }
        let plan = plan_publication(0, &[], &leaves, &edge.root()).unwrap();
        for (tile, bytes) in plan.tiles {
            if self.objects.contains_key(&tile.key(log)) {
                self.replace(&tile.key(log), bytes);
            }
        }
        // Partial tiles of earlier sizes are beginnings of what came later.
        let folder = ledgerline_ledger::tile::folder(log);
        let old: Vec<Tile> = self
            .objects
            .keys()
            .filter(|key| key.starts_with(&folder))
            .filter_map(|key| Tile::parse_key(key))
            .map(|(_, tile)| tile)
            .filter(|tile| !tile.is_full())
            .collect();
        for tile in old {
            let wider = |key: &String| Tile::parse_key(key).map(|(_, wider)| wider);
            let widest = self.objects.keys().filter_map(wider).filter(|wider| {
                (wider.level(), wider.index()) == (tile.level(), tile.index()) && wider.width() > tile.width()
            });
            if let Some(widest) = widest.max_by_key(Tile::width) {
                let bytes = self.bytes(&widest.key(log))[..tile.bytes()].to_vec();
                self.replace(&tile.key(log), bytes);
            }
        }
        let row = self.head(log);
        (row.size, row.root, row.edge) = (edge.size(), edge.root(), edge.roots().to_vec());
        let Some(seed) = sign_as else { return };
        let state = self.states[log].clone();
        let folder = checkpoint::archive_folder(log);
        let keys: Vec<String> = self.objects.keys().filter(|key| key.starts_with(&folder)).cloned().collect();
        for key in keys {
            let size = checkpoint::archived_size(log, &key).unwrap();
            let bytes = note(&state.deployment, log, seed, size, roots[size as usize]);
            self.replace(&key, bytes);
        }
        let live = checkpoint::live_key(log);
        self.objects.get_mut(&live).unwrap().drain(..).for_each(drop);
        let newest = note(&state.deployment, log, seed, edge.size(), edge.root());
        self.put(&live, newest, false);
    }

    /// Writes the whole ledger as an exported folder.
    pub(crate) fn export(&self, root: &Path) {
        let mut lines = String::new();
        for stored in self.objects.values().flatten() {
            lines += &(stored.version.to_json() + "\n");
            if stored.version.is_delete_marker {
                continue;
            }
            let path = root.join(object_path(&stored.version).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &stored.bytes).unwrap();
        }
        fs::write(root.join(VERSIONS_FILE), lines).unwrap();
        let heads: String = self.heads.iter().map(|head| head_line(head) + "\n").collect();
        fs::write(root.join(HEADS_FILE), heads).unwrap();
        let rows: String = self.postings.iter().map(|posting| posting_line(posting) + "\n").collect();
        fs::write(root.join(POSTINGS_FILE), rows).unwrap();
    }
}

/// A signed checkpoint.
pub(crate) fn note(deployment: &str, log: &LogId, seed: u8, size: u64, root: Hash) -> Vec<u8> {
    let signer = signer(deployment, log, seed);
    let body = CheckpointBody::new(signer.name(), size, root).unwrap();
    let signature = signer.sign_now(body.text().as_bytes());
    body.signed(&signer.verifying_key(KeyKind::Log), &signature).unwrap().note()
}

impl Evidence for Ledger {
    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        // As a bucket lists them: by key, the newest first.
        for versions in self.objects.values() {
            versions.iter().rev().for_each(|stored| each(stored.version.clone()));
        }
        Ok(())
    }

    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        let versions = self.objects.get(&version.key).map(Vec::as_slice).unwrap_or_default();
        let found = versions.iter().find(|stored| stored.version.version_id == version.version_id);
        found
            .filter(|stored| stored.bytes != GONE)
            .map(|stored| stored.bytes.clone())
            .ok_or_else(|| EvidenceFault::Missing(version.key.clone()))
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        Ok(Some(self.heads.clone()))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        self.postings.iter().rev().cloned().for_each(each);
        Ok(Given::All)
    }
}

/// Bytes of a version that is listed and not there.
pub(crate) const GONE: &[u8] = b"gone";
