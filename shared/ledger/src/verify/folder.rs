//! An exported folder: the same keys as below the bucket, with lists beside them.
//!
//! `ledger/<log>/…` holds the version of each key that is in force, `versions/<key>@<version id>` all others,
//! `versions.jsonl` every version and delete marker, `heads.jsonl` and `postings.jsonl` the rows, where they were
//! exported. Invariant: a file below `ledger/` or `versions/` that the list leaves out is reported as an unlocked
//! version, never passed over, unless it is a file manager's own, which no object of a ledger can be; no line of a
//! list can make a reader leave the folder; and nothing in the folder, which may be made by an attacker, makes a
//! reader follow a link, wait, or take more memory than an object, a line or a few keys need.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, EvidenceFault, Given, HeadRow, ObjectVersion};
pub use super::file_managers::is_file_managers;
use super::file_managers::is_left_by_one;
use crate::checkpoint::MAX_NOTE_BYTES;
use crate::log::LogId;
use crate::posting::{Posting, PostingMember};
use crate::segment;
use crate::tile::Tile;
use crate::tree::Hash;

/// The list of versions.
pub const VERSIONS_FILE: &str = "versions.jsonl";
/// The list of heads.
pub const HEADS_FILE: &str = "heads.jsonl";
/// The list of postings.
pub const POSTINGS_FILE: &str = "postings.jsonl";
/// The folder of verification keys, `<origin with / as _>.vkey`.
pub const KEYS_FOLDER: &str = "keys";

/// A folder that `ledgerline export` made.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens a folder; `Malformed` if it has no list of versions.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, EvidenceFault> {
        let root = root.into();
        if !root.join(VERSIONS_FILE).is_file() {
            let what = format!(
                "{} has no {VERSIONS_FILE}: it is no exported ledger, or one whose export did not end",
                root.display()
            );
            return Err(EvidenceFault::Malformed(what));
        }
        Ok(Self { root })
    }

    /// The keys that travel with the folder. Whoever made the folder made them, too: they are worth no more than it is.
    pub fn keys(&self) -> Result<Vec<String>, EvidenceFault> {
        let mut keys = Vec::new();
        let mut room = MAX_KEYS_BYTES;
        files_below(&self.root, KEYS_FOLDER, &mut |Below { path, is_left, .. }| {
            if !is_left && path.extension().is_some_and(|extension| extension == "vkey") {
                let bytes = read_at_most(&self.root, path, room).map_err(|error| fault(path, error))?;
                room = room.checked_sub(bytes.len()).ok_or_else(|| {
                    EvidenceFault::Malformed(format!("{KEYS_FOLDER}/ holds more than {MAX_KEYS_BYTES} bytes of keys"))
                })?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    EvidenceFault::Malformed(format!("{} holds no text, and so no key", path.display()))
                })?;
                // In the order of the files' lines: of several keys of one log the oldest stands first.
                for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    if !keys.iter().any(|key| key == line) {
                        keys.push(line.to_owned());
                    }
                }
            }
            Ok(())
        })?;
        Ok(keys)
    }

    /// What file managers left in the folder: paths of files, and of whole folders that lie beside `ledger/`, in
    /// order. They are no part of the evidence, and what is in them was not looked at. A file that the list of
    /// versions names is none.
    ///
    /// # Errors
    /// If the folder or its list cannot be read.
    pub fn passed_over(&self) -> Result<Vec<String>, EvidenceFault> {
        let mut left = Vec::new();
        for top in [KEYS_FOLDER, LEDGER, OTHER_VERSIONS] {
            files_below(&self.root, top, &mut |Below { relative, is_left, .. }| {
                if is_left {
                    left.push(relative.to_owned());
                }
                Ok(())
            })?;
        }
        if !left.is_empty() {
            let mut listed = HashSet::new();
            self.lines(VERSIONS_FILE, &mut |line| {
                let path = object_path(&ObjectVersion::from_json(line)?)?;
                listed.extend(is_left_by_one(&path).then_some(path));
                Some(())
            })?;
            left.retain(|path| !listed.contains(path));
        }
        for entry in fs::read_dir(&self.root).map_err(|error| fault(&self.root, error))? {
            let name = entry.map_err(|error| fault(&self.root, error))?.file_name();
            left.extend(Some(name.to_string_lossy().into_owned()).filter(|name| is_file_managers(name)));
        }
        left.sort_unstable();
        Ok(left)
    }

    /// Calls `each` for every line of a list; `false` if there is no such file.
    fn lines(&self, name: &str, each: &mut dyn FnMut(&str) -> Option<()>) -> Result<bool, EvidenceFault> {
        let path = self.root.join(name);
        let file = match open_file(&self.root, &path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(fault(&path, error)),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            // One byte more than any line has tells a longer one, and no more of it is taken.
            let some = reader.by_ref().take(MAX_LIST_LINE_BYTES + 1).read_until(b'\n', &mut line);
            if some.map_err(|error| fault(&path, error))? == 0 {
                break;
            }
            let text = Some(line.strip_suffix(b"\n").unwrap_or(&line))
                .filter(|text| text.len() as u64 <= MAX_LIST_LINE_BYTES)
                .and_then(|text| std::str::from_utf8(text).ok());
            if text.and_then(&mut *each).is_none() {
                return Err(EvidenceFault::Malformed(format!(
                    "{name}, line {number}, is not in the form of an export"
                )));
            }
        }
        Ok(true)
    }

    /// Files that the list leaves out, as versions without a lock.
    fn unlisted(&self, listed: &HashSet<u64>, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        for top in [LEDGER, OTHER_VERSIONS] {
            files_below(&self.root, top, &mut |Below { path, relative, is_left }| {
                if is_left || listed.contains(&path_key(relative)) {
                    return Ok(());
                }
                let other = relative.strip_prefix(OTHER_VERSIONS).and_then(|text| text[1..].rsplit_once('@'));
                let (key, version_id) = other.unwrap_or((relative, UNLISTED));
                each(ObjectVersion {
                    key: key.to_owned(),
                    version_id: version_id.to_owned(),
                    is_latest: other.is_none(),
                    is_delete_marker: false,
                    // Of the link, if it is one: it may lead nowhere.
                    bytes: fs::symlink_metadata(path).map_err(|error| fault(path, error))?.len(),
                    lock: None,
                    legal_hold: false,
                    last_modified_ms: u64::MAX,
                });
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Evidence for Folder {
    fn is_live(&self) -> bool {
        false
    }

    fn versions(&self, each: &mut dyn FnMut(ObjectVersion)) -> Result<(), EvidenceFault> {
        let mut listed = HashSet::new();
        self.lines(VERSIONS_FILE, &mut |line| {
            let version = ObjectVersion::from_json(line)?;
            let path = object_path(&version)?;
            if !version.is_delete_marker {
                listed.insert(path_key(&path));
            }
            each(version);
            Some(())
        })?;
        self.unlisted(&listed, each)
    }

    /// Of a file that is larger than any object of its kind, a little more than the largest: enough to be refused.
    fn read(&self, version: &ObjectVersion) -> Result<Vec<u8>, EvidenceFault> {
        let Some(relative) = object_path(version) else {
            return Err(EvidenceFault::Malformed(format!("{:?} is not a key", version.key)));
        };
        let path = self.root.join(&relative);
        read_at_most(&self.root, &path, most_bytes(&version.key)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EvidenceFault::Missing(relative),
            _ => fault(&path, error),
        })
    }

    fn heads(&self) -> Result<Option<Vec<HeadRow>>, EvidenceFault> {
        let mut heads = Vec::new();
        let given = self.lines(HEADS_FILE, &mut |line| {
            heads.push(serde_json::from_str::<HeadLine>(line).ok()?.row()?);
            Some(())
        })?;
        Ok(given.then_some(heads))
    }

    fn postings(&self, each: &mut dyn FnMut(Posting)) -> Result<Given, EvidenceFault> {
        let given = self.lines(POSTINGS_FILE, &mut |line| {
            each(serde_json::from_str::<PostingLine>(line).ok()?.posting()?);
            Some(())
        })?;
        Ok(if given { Given::All } else { Given::NotPartOfIt })
    }
}

/// Where a version's bytes lie below the folder; `None` for a key that no bucket of ours has.
pub fn object_path(version: &ObjectVersion) -> Option<String> {
    let safe =
        |text: &str| text.split('/').all(|part| !matches!(part, "" | "." | "..")) && !text.contains(['\\', '\0']);
    let id = &version.version_id;
    let known = version.key.starts_with("ledger/") && safe(&version.key) && !id.contains('/') && safe(id);
    let path = if version.is_latest { version.key.clone() } else { format!("{OTHER_VERSIONS}/{}@{id}", version.key) };
    known.then_some(path)
}

/// A head's line in `heads.jsonl`, without a newline.
pub fn head_line(row: &HeadRow) -> String {
    let line = HeadLine {
        log: row.log.as_str().to_owned(),
        size: row.size,
        root: row.root.hex(),
        edge: row.edge.iter().map(Hash::hex).collect(),
        indexed: row.indexed,
        segments: row.segments.clone(),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// A posting's line in `postings.jsonl`, without a newline.
pub fn posting_line(posting: &Posting) -> String {
    let members = posting.members.iter();
    let line = PostingLine {
        record: posting.record_key.clone(),
        log: posting.log.as_str().to_owned(),
        first: posting.first,
        segment: posting.segment.clone(),
        version_id: posting.version_id.clone(),
        from: posting.from.clone(),
        to: posting.to.clone(),
        members: members.map(|member| (member.offset, member.length, member.first, member.at.clone())).collect(),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
struct HeadLine {
    log: String,
    size: u64,
    root: String,
    edge: Vec<String>,
    indexed: u64,
    segments: Vec<(String, String)>,
}

impl HeadLine {
    fn row(self) -> Option<HeadRow> {
        Some(HeadRow {
            log: LogId::parse(&self.log).ok()?,
            size: self.size,
            root: hash(&self.root)?,
            edge: self.edge.iter().map(|text| hash(text)).collect::<Option<_>>()?,
            indexed: self.indexed,
            segments: self.segments,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostingLine {
    record: String,
    log: String,
    first: u64,
    segment: String,
    version_id: String,
    from: String,
    to: String,
    /// Offset, length, first index and line numbers of each member.
    members: Vec<(u64, u64, u64, Vec<u32>)>,
}

impl PostingLine {
    fn posting(self) -> Option<Posting> {
        let members = self.members.into_iter();
        Some(Posting {
            record_key: self.record,
            log: LogId::parse(&self.log).ok()?,
            first: self.first,
            segment: self.segment,
            version_id: self.version_id,
            from: self.from,
            to: self.to,
            members: members.map(|(offset, length, first, at)| PostingMember { offset, length, first, at }).collect(),
        })
    }
}

/// 64 hex digits.
fn hash(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(Hash(bytes))
}

/// A file below the folder.
struct Below<'a> {
    path: &'a Path,
    /// Its path below the root with slashes, as keys have them.
    relative: &'a str,
    /// A file manager left it.
    is_left: bool,
}

/// Calls `each` for all files below a folder of the root, which need not exist. Links are files, not ways into other
/// folders.
fn files_below(
    root: &Path,
    top: &str,
    each: &mut dyn FnMut(Below<'_>) -> Result<(), EvidenceFault>,
) -> Result<(), EvidenceFault> {
    let mut visit = |path: &Path| {
        let relative = relative_text(root, path).unwrap_or_default();
        let is_left = is_left_by_one(&relative);
        each(Below { path, relative: &relative, is_left })
    };
    let mut open = vec![root.join(top)];
    while let Some(folder) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // A disk's trash may be closed to all but its owner.
            Err(_) if relative_text(root, &folder).is_some_and(|folder| is_left_by_one(&folder)) => {
                visit(&folder)?;
                continue;
            }
            Err(error) => return Err(fault(&folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| fault(&folder, error))?;
            let kind = entry.file_type().map_err(|error| fault(&folder, error))?;
            if kind.is_dir() {
                open.push(entry.path());
            } else {
                visit(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Opens a file of bytes. A pipe or a device is none: whoever opens one may wait for ever, or read without end. Nor is a
/// link one, on any part of the way below the root: it leads to what is no part of the folder.
fn open_file(root: &Path, path: &Path) -> io::Result<File> {
    let mut part = root.to_owned();
    for name in path.strip_prefix(root).unwrap_or(path).components() {
        part.push(name);
        if fs::symlink_metadata(&part)?.is_symlink() {
            return Err(io::Error::other(format!("{} is a symbolic link; put the file itself there", part.display())));
        }
    }
    let kind = fs::metadata(path)?.file_type();
    // Reading a folder fails at once, and says so.
    if kind.is_file() || kind.is_dir() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, "it is no file of bytes"))
    }
}

/// A file's bytes; of a larger file one byte more than `most`.
fn read_at_most(root: &Path, path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = open_file(root, path)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The size of the largest object of a key's kind, as its readers accept it.
fn most_bytes(key: &str) -> usize {
    match key.splitn(6, '/').nth(5) {
        Some(path) if path.starts_with("tile/") => Tile::MAX_BYTES,
        Some(path) if path.starts_with("checkpoint") => MAX_NOTE_BYTES,
        _ => segment::MAX_BYTES,
    }
}

/// A path below the root with slashes, as keys have them.
fn relative_text(root: &Path, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(root).ok()?.components();
    Some(parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
}

/// Eight bytes per listed path instead of its text: a list has as many lines as the bucket has versions.
fn path_key(path: &str) -> u64 {
    let digest = Hash::of_object(path.as_bytes()).0;
    digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

fn fault(path: &Path, error: io::Error) -> EvidenceFault {
    EvidenceFault::Unavailable(format!("read {}", path.display()), Box::new(error))
}

const LEDGER: &str = "ledger";
const OTHER_VERSIONS: &str = "versions";
/// The version id of a file that the list leaves out.
const UNLISTED: &str = "unlisted";
/// A posting's row has at most 400 KB in the table, a head's row, too; as JSON it is not ten times that.
const MAX_LIST_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// Some ten thousand keys, rotated ones included.
const MAX_KEYS_BYTES: usize = 1024 * 1024;
