//! Evidence, opened: a folder, a deployment or a bucket, and the keys that it brings along.
//!
//! Invariant: keys that come with the evidence are never taken for keys that the caller trusts; who uses them says so.

use std::collections::BTreeSet;
use std::path::Path;

#[cfg(feature = "aws")]
use ledgerline_aws::evidence::StoredEvidence;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::verify::folder::Folder;
use ledgerline_ledger::verify::{Evidence, EvidenceFault};

use crate::args::Place;
#[cfg(feature = "aws")]
use crate::cloud::{Cloud, Lone};
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
                let id = cloud.operator.deployment.id().map_err(|error| crate::cloud::store_fault(&error))?;
                let key = cloud.public_key(&cloud.signing_key_id()?)?;
                let keys = logs.iter().map(|log| ledgerline_ledger::signing::vkey(&format!("{id}/{log}"), &key));
                Ok((keys.collect(), "the keys are the account's own, as KMS gives them"))
            }
            #[cfg(feature = "aws")]
            Held::Bucket(_) => Ok((Vec::new(), "no key came with the bucket")),
        }
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
            use ledgerline_custody::access::ReadPostings as _;
            let table = cloud.operator.table("IndexTable").map_err(|error| crate::cloud::store_fault(&error))?;
            let index = ledgerline_aws::reads::IndexReader::new(cloud.operator.dynamodb.clone(), table);
            // Heads first: what they do not name as unindexed has its rows by then.
            let heads = self.evidence.heads().map_err(|error| evidence_fault(&error))?.unwrap_or_default();
            let mut segments = BTreeSet::new();
            let orgs: BTreeSet<&str> = inventory.logs.keys().map(LogId::org).collect();
            for org in orgs {
                let rows = cloud.ask(index.postings(&format!("{org}/{record}")))?;
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
            "name it as in the bucket: <org>/<interaction|entity>/<generation>/<shard>, such as acme/interaction/1/0",
        )
    })
}

/// Reads all logs' names.
pub(crate) fn logs_of(texts: &[String]) -> Result<Vec<LogId>, Fault> {
    texts.iter().map(|text| log_of(text)).collect()
}

/// Verification keys as given: each a vkey, or a file that holds some.
pub(crate) fn vkeys(given: &[String]) -> Result<Vec<String>, Fault> {
    let mut keys = Vec::new();
    for given in given {
        let path = Path::new(given);
        if !path.is_file() {
            keys.push(given.trim().to_owned());
            continue;
        }
        let text = read_text(path, "name a file that holds a vkey, or the vkey itself")?;
        keys.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    for key in &keys {
        ledgerline_ledger::signing::check_vkey(key).map_err(|error| {
            Fault::caused_by(
                format!("{key:?} is neither a verification key nor a file that holds one"),
                &error,
                "a verification key reads <name>+<8 hex digits>+<base64>; an export has them in keys/*.vkey",
            )
        })?;
    }
    Ok(keys)
}

/// A file's text.
pub(crate) fn read_text(path: &Path, remedy: &str) -> Result<String, Fault> {
    std::fs::read_to_string(path)
        .map_err(|error| Fault::caused_by(format!("cannot read {}", path.display()), &error, remedy))
}

/// Why evidence could not be read.
pub(crate) fn evidence_fault(error: &EvidenceFault) -> Fault {
    let remedy = match error {
        EvidenceFault::Missing(_) => "run `ledgerline verify`: it says what else is missing",
        EvidenceFault::Malformed(_) => "export the ledger anew, or fetch the folder again from where it came",
        EvidenceFault::Unavailable(..) => "see that the place can be read, then run it again",
    };
    Fault::caused_by("cannot read the evidence", error, remedy)
}

fn folder_fault(folder: &Path, error: &EvidenceFault) -> Fault {
    let remedy = "name a folder that `ledgerline export` made; its versions.jsonl lists what belongs to it";
    Fault::caused_by(format!("{} is no exported ledger", folder.display()), error, remedy)
}
