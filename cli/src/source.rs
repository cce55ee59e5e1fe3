//! Evidence, opened: a folder, a deployment or a bucket, and the keys that it brings along.
//!
//! Invariant: keys that come with the evidence are never taken for keys that the caller trusts; who uses them says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

#[cfg(feature = "aws")]
use ledgerline_aws::evidence::StoredEvidence;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::retention::LockPolicy;
use ledgerline_ledger::signing::{KeyKind, VerifyingKey, VerifyingKeys};
use ledgerline_ledger::verify::folder::Folder;
use ledgerline_ledger::verify::{Evidence, EvidenceFault};
#[cfg(feature = "aws")]
use ledgerline_store::gone::Gone;

use crate::args::Place;
#[cfg(feature = "aws")]
use crate::cloud::{Cloud, Lone, told};
use crate::fault::Fault;
use crate::reading::{Found, Inventory};

/// Evidence to read.
pub(crate) struct Source {
    /// What can be read.
    pub(crate) evidence: Box<dyn Evidence + Send>,
    /// How it is called.
    pub(crate) name: String,
    held: Held,
    #[cfg(feature = "aws")]
    stored: Option<StoredEvidence>,
}

/// Whether a list of versions must tell their locks: in a bucket that is a call per version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locks {
    /// Each version's.
    Listed,
    /// Those of what is found, asked with [`Source::look_at`].
    OnDemand,
}

/// What must stay open while evidence is read.
enum Held {
    Folder(Folder),
    #[cfg(feature = "aws")]
    Stack(Box<Cloud>),
    #[cfg(feature = "aws")]
    Bucket(#[expect(dead_code, reason = "its runtime answers for the evidence")] Box<Lone>),
}

impl Source {
    /// Opens what was named; with `only`, no more of it than one log.
    #[cfg_attr(not(feature = "aws"), expect(unused_variables, reason = "a folder is listed whole"))]
    pub(crate) fn open(place: &Place, only: Option<&LogId>, locks: Locks) -> Result<Self, Fault> {
        match place {
            Place::Folder(folder) => {
                let name = folder.display().to_string();
                let folder = Folder::open(folder).map_err(|error| folder_fault(folder, &error))?;
                Ok(Self {
                    evidence: Box::new(folder.clone()),
                    name,
                    held: Held::Folder(folder),
                    #[cfg(feature = "aws")]
                    stored: None,
                })
            }
            #[cfg(feature = "aws")]
            Place::Stack(stack) => {
                let cloud = Cloud::open(stack)?;
                let evidence = narrowed(cloud.evidence()?, only, locks);
                let name = stack.display().to_string();
                let stored = Some(evidence.clone());
                Ok(Self { evidence: Box::new(evidence), name, held: Held::Stack(Box::new(cloud)), stored })
            }
            #[cfg(feature = "aws")]
            Place::Bucket(bucket) => {
                let lone = Lone::open()?;
                let evidence = narrowed(lone.evidence(bucket), only, locks);
                let (stored, name) = (Some(evidence.clone()), bucket.clone());
                Ok(Self { evidence: Box::new(evidence), name, held: Held::Bucket(Box::new(lone)), stored })
            }
        }
    }

    /// The keys that come with the evidence, for these logs, and a word on where they are from.
    #[cfg_attr(not(feature = "aws"), expect(unused_variables, reason = "a folder has its keys as they are"))]
    pub(crate) fn own_keys(&self, logs: &[LogId]) -> Result<(Vec<String>, &'static str), Fault> {
        match &self.held {
            Held::Folder(folder) => {
                let keys = folder.keys().map_err(|error| evidence_fault(&error))?;
                Ok((keys, "the keys are the folder's own: whoever made the folder made them, too"))
            }
            #[cfg(feature = "aws")]
            Held::Stack(cloud) => {
                let keys = cloud.keys_of(logs)?;
                Ok((keys, "the keys are the account's own, as its verification remembers them or KMS gives them"))
            }
            #[cfg(feature = "aws")]
            Held::Bucket(_) => Ok((Vec::new(), "no key came with the bucket")),
        }
    }

    /// What file managers left in a folder: no part of the evidence, and not looked at.
    pub(crate) fn passed_over(&self) -> Result<Vec<String>, Fault> {
        match &self.held {
            Held::Folder(folder) => folder.passed_over().map_err(|error| evidence_fault(&error)),
            #[cfg(feature = "aws")]
            Held::Stack(_) | Held::Bucket(_) => Ok(Vec::new()),
        }
    }

    /// The evidence's own keys for these logs, to say of what is shown whether it is signed; those that can be had.
    pub(crate) fn showing_keys(&self, logs: &[LogId]) -> VerifyingKeys {
        let keys = self.own_keys(logs).map(|(keys, _)| keys).unwrap_or_default();
        let keys = keys.iter().filter_map(|key| VerifyingKey::parse(key).ok());
        VerifyingKeys::new(keys.filter(|key| key.kind() == KeyKind::Log)).unwrap_or_default()
    }

    /// The locks of what was found, where the list did not tell them.
    pub(crate) fn look_at(&self, found: &mut [Found]) -> Result<(), Fault> {
        #[cfg(feature = "aws")]
        if let Some(stored) = &self.stored {
            for one in found {
                one.version = stored.looked_at(one.version.clone()).map_err(|error| evidence_fault(&error))?;
            }
        }
        #[cfg(not(feature = "aws"))]
        let _ = found;
        Ok(())
    }

    /// The segments that may hold entries of a record, by the index: `None` if the evidence has to be read through.
    ///
    /// What the index does not know yet is added from the heads. An index that knows nothing of the record is not believed.
    #[cfg_attr(
        not(feature = "aws"),
        expect(clippy::unused_self, unused_variables, clippy::unnecessary_wraps, reason = "a folder is read through")
    )]
    pub(crate) fn segments_of(&self, record: &str, inventory: &Inventory) -> Result<Option<BTreeSet<String>>, Fault> {
        #[cfg(feature = "aws")]
        if let Some(cloud) = self.cloud() {
            let postings = cloud.ledger()?.postings;
            // Heads first: what they do not name as unindexed has its rows by then.
            let heads = self.evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
            let mut segments = BTreeSet::new();
            let orgs: BTreeSet<&str> = inventory.logs.keys().map(LogId::org).collect();
            for org in orgs {
                let rows = cloud.ask(postings.of(&format!("{org}/{record}")))?;
                segments.extend(rows.into_iter().map(|row| row.segment));
            }
            if segments.is_empty() {
                return Ok(None);
            }
            segments.extend(heads.into_iter().flat_map(|head| head.segments).map(|(key, _)| key));
            return Ok(Some(segments));
        }
        Ok(None)
    }

    /// Which of these keys were destroyed; `None` where there is no deployment that says so.
    #[cfg(feature = "aws")]
    pub(crate) fn destroyed(&self, key_ids: &BTreeSet<String>) -> Result<Option<BTreeSet<String>>, Fault> {
        let Some(cloud) = self.cloud() else { return Ok(None) };
        let gone = Gone::new(told(cloud.operator.rows_of("ControlTable"))?);
        let destroyed = cloud.ask(gone.among(key_ids.iter().map(String::as_str)))?;
        Ok(Some(destroyed.into_iter().map(str::to_owned).collect()))
    }

    /// A folder does not say whose keys were destroyed.
    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a deployment may say so")]
    pub(crate) fn destroyed(&self, _: &BTreeSet<String>) -> Result<Option<BTreeSet<String>>, Fault> {
        Ok(None)
    }

    /// How the deployment behind the evidence locks it; `None` where there is no deployment that says so.
    #[cfg(feature = "aws")]
    pub(crate) fn lock_policy(&self) -> Result<Option<LockPolicy>, Fault> {
        self.cloud().map(Cloud::lock_policy).transpose()
    }

    /// A folder does not say how it was to be locked.
    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a deployment may say so")]
    pub(crate) fn lock_policy(&self) -> Result<Option<LockPolicy>, Fault> {
        Ok(None)
    }

    /// The deployment behind the evidence, if it is one.
    #[cfg(feature = "aws")]
    pub(crate) fn cloud(&self) -> Option<&Cloud> {
        match &self.held {
            Held::Stack(cloud) => Some(cloud),
            Held::Folder(_) | Held::Bucket(_) => None,
        }
    }
}

#[cfg(feature = "aws")]
fn narrowed(evidence: StoredEvidence, only: Option<&LogId>, locks: Locks) -> StoredEvidence {
    let evidence = match only {
        Some(log) => evidence.only(log.clone()),
        None => evidence,
    };
    if locks == Locks::OnDemand { evidence.without_locks() } else { evidence }
}

/// Reads a log's name.
pub(crate) fn log_of(text: &str) -> Result<LogId, Fault> {
    LogId::parse(text).map_err(|error| {
        Fault::caused_by(
            format!("{text:?} names no log"),
            &error,
            "name it as in the bucket: <org>/<interaction|entity|request>/<generation>/<shard>, such as acme/interaction/1/0",
        )
    })
}

/// Reads all logs' names.
pub(crate) fn logs_of(texts: &[String]) -> Result<Vec<LogId>, Fault> {
    texts.iter().map(|text| log_of(text)).collect()
}

/// The log that an origin, and so a key's name, is of: its last four parts.
pub(crate) fn log_of_origin(origin: &str) -> Option<LogId> {
    let (at, _) = origin.rmatch_indices('/').nth(3).filter(|(at, _)| *at > 0)?;
    LogId::parse(&origin[at + 1..]).ok()
}

/// Logs' verification keys as given: each a vkey, or a file that holds some.
pub(crate) fn vkeys(given: &[String]) -> Result<Vec<String>, Fault> {
    let keys = keys_of(given, KeyKind::Log)?;
    let nobodys = keys.iter().find(|key| key.split('+').next().and_then(log_of_origin).is_none());
    nobodys.map_or(Ok(keys.clone()), |key| {
        Err(Fault::new(
            format!("the key {} is no log's", brief(key)),
            "name a log's key: its name is the log's origin, <deployment>/<org>/<class>/<generation>/<shard>",
        ))
    })
}

/// Witnesses' verification keys as given, and how many witnesses must have cosigned: all, unless told.
pub(crate) fn witnesses(given: &[String], quorum: Option<u16>) -> Result<(Vec<String>, usize), Fault> {
    let keys = keys_of(given, KeyKind::Witness)?;
    // Two keys of one witness are one witness.
    let names: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('+').next()).collect();
    let quorum = quorum.map_or(names.len(), usize::from);
    if quorum > names.len() {
        return Err(Fault::new(
            format!("{quorum} witnesses must have cosigned, and {} are named", names.len()),
            "name more of them with --witness, or a smaller --quorum; two keys of one name are one witness",
        ));
    }
    Ok((keys, quorum))
}

fn keys_of(given: &[String], kind: KeyKind) -> Result<Vec<String>, Fault> {
    let mut keys: Vec<String> = Vec::new();
    for given in given {
        let path = Path::new(given);
        let text = if path.exists() && !path.is_dir() {
            read_text(path, "name a file that holds a vkey, or the vkey itself")?
        } else {
            given.clone()
        };
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return Err(Fault::new(format!("there is no key in {given:?}"), "name a vkey, or a file that holds one"));
        }
        for line in lines {
            let key = VerifyingKey::parse(line).map_err(|error| {
                Fault::caused_by(
                    format!("{} is neither a verification key nor a file that holds one", brief(line)),
                    &error,
                    "a verification key reads <name>+<8 hex digits>+<base64>; an export has them in keys/*.vkey",
                )
            })?;
            if key.kind() != kind {
                let (what, option) = match kind {
                    KeyKind::Log => ("a witness's", "--witness"),
                    KeyKind::Witness => ("a log's", "--key"),
                };
                let remedy = format!("hand it over with {option}: a key is believed for what it was made for");
                return Err(Fault::new(format!("the key {} is {what}", brief(line)), remedy));
            }
            if !keys.iter().any(|known| known == line) {
                keys.push(line.to_owned());
            }
        }
    }
    Ok(keys)
}

/// A text that may be anything, quoted, no longer than a key.
fn brief(text: &str) -> String {
    let some: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if some.len() == text.len() { format!("{text:?}") } else { format!("{some:?}…") }
}

/// A file's text, of a size that keys and checkpoints have.
pub(crate) fn read_text(path: &Path, remedy: &str) -> Result<String, Fault> {
    String::from_utf8(read_file(path, remedy)?)
        .map_err(|error| Fault::caused_by(format!("{} holds no text", path.display()), &error, remedy))
}

/// A file's bytes, if it has the size of keys, checkpoints and proofs: whatever was named is not read for ever.
pub(crate) fn read_file(path: &Path, remedy: &str) -> Result<Vec<u8>, Fault> {
    read_file_of(path, MAX_FILE_BYTES, remedy)
}

/// A file of at most so many bytes.
pub(crate) fn read_file_of(path: &Path, most_bytes: u64, remedy: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most_bytes + 1).read_to_end(&mut bytes));
    read.map_err(|error| Fault::caused_by(format!("cannot read {}", path.display()), &error, remedy))?;
    if bytes.len() as u64 > most_bytes {
        let what = format!("{} has more than {most_bytes} bytes, as no such file has", path.display());
        return Err(Fault::new(what, remedy));
    }
    Ok(bytes)
}

/// Some thousand keys, or the largest proof that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// A vkey has some 100 characters.
const MAX_SHOWN_CHARS: usize = 160;

/// Why evidence could not be read.
pub(crate) fn evidence_fault(error: &EvidenceFault) -> Fault {
    let remedy = match error {
        EvidenceFault::Missing(_) => "run `ledgerline verify`: it says what else is missing",
        EvidenceFault::Malformed(_) => "export the ledger again, or fetch the folder again from where it came",
        EvidenceFault::Unavailable(..) => "see that the place can be read, then run it again",
    };
    Fault::caused_by("cannot read the evidence", error, remedy)
}

fn folder_fault(folder: &Path, error: &EvidenceFault) -> Fault {
    let remedy = "name a folder that `ledgerline export` made; its versions.jsonl lists what belongs to it";
    Fault::caused_by(format!("{} is no exported ledger", folder.display()), error, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::signing::LocalSigner;

    fn key(name: &str, seed: u8, kind: KeyKind) -> String {
        LocalSigner::from_seed(name, &[seed; 32]).unwrap().verifying_key(kind).vkey()
    }

    #[test]
    fn a_key_counts_only_as_what_it_is() {
        let log = key("dep-1/acme/interaction/1/0", 1, KeyKind::Log);
        let witness = key("witness.example/w1", 2, KeyKind::Witness);
        assert_eq!(vkeys(&[log.clone(), log.clone()]).unwrap(), [log.as_str()]);
        assert!(vkeys(std::slice::from_ref(&witness)).unwrap_err().to_string().contains("--witness"));
        assert!(witnesses(&[log], None).unwrap_err().to_string().contains("--key"));
        assert!(vkeys(&[key("somebody", 1, KeyKind::Log)]).is_err(), "no log is called that");
        assert!(vkeys(&["".to_owned()]).is_err());
        let fault = vkeys(&["x".repeat(100_000)]).unwrap_err().to_string();
        assert!(fault.len() < 1_000, "{}", fault.len());
    }

    #[test]
    fn a_quorum_that_nobody_can_reach_is_refused() {
        let [one, again, other] =
            [("w1", 2), ("w1", 3), ("w2", 4)].map(|(name, seed)| key(name, seed, KeyKind::Witness));
        assert_eq!(witnesses(&[one.clone(), one.clone()], None).unwrap().1, 1);
        assert_eq!(witnesses(&[one.clone(), again.clone(), other], None).unwrap().1, 2);
        assert!(witnesses(&[one, again], Some(2)).is_err());
    }

    #[test]
    fn an_origin_is_a_deployment_and_a_log() {
        assert_eq!(log_of_origin("dep-1/acme/entity/1/0").unwrap().as_str(), "acme/entity/1/0");
        assert_eq!(log_of_origin("a/b/acme/entity/1/0").unwrap().as_str(), "acme/entity/1/0");
        assert!(log_of_origin("acme/entity/1/0").is_none() && log_of_origin("/acme/entity/1/0").is_none());
    }
}
