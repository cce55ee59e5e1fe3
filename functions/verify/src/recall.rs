//! What a run begins with: each log's head, its memory, and the keys that count for it therefore.
//!
//! Invariant: of a log that is remembered only the keys count that counted then; others count once an entry under these
//! announces them, and not because they are deployed. Of a log that is not, the deployment's current key counts. A memory
//! that is not this log's is no memory.

use std::sync::Arc;

use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::signing::{KeyError, KeyKind, VerifyingKey};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::verify::HeadRow;
use ledgerline_store::head::Heads;
use ledgerline_store::signer::Sign;
use ledgerline_store::watch::{Watch, Watched, key};

/// A log as the run begins with it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) log: LogId,
    /// Its head, if it has one: read before anything that is listed.
    pub(crate) head: Option<HeadRow>,
    /// What the last good run left.
    pub(crate) before: Option<Watched>,
    /// The keys that count.
    pub(crate) keys: Vec<String>,
}

/// Why a run cannot begin with a log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecallError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the signing key cannot be used: {0}; set SIGNING_KEY_ID to an ECC_NIST_EDWARDS25519 key")]
    Key(#[from] KeyError),
    #[error(
        "the row {} of the control table holds {what} that is not this log's; find out who wrote it, and delete \
         it after `ledgerline verify` has found the log good",
        key(.log).pk
    )]
    Foreign { log: LogId, what: &'static str },
}

/// Reads a log's head and memory.
pub(crate) async fn recall(
    heads: &Heads,
    watch: &Watch,
    signers: [&Arc<dyn Sign>; 2],
    deployment: &str,
    log: &LogId,
) -> Result<Known, RecallError> {
    let head = heads.head(log).await?.map(|head| HeadRow::of(log, &head));
    let before = watch.watched(log).await?;
    let origin = origin(deployment, log);
    let keys = match &before {
        Some(before) => {
            let foreign = |what| RecallError::Foreign { log: log.clone(), what };
            let is_ours = |key: &String| {
                VerifyingKey::parse(key).is_ok_and(|key| key.kind() == KeyKind::Log && key.name() == origin)
            };
            if !before.keys.iter().all(is_ours) {
                return Err(foreign("a key"));
            }
            if before.checkpoint.as_ref().is_some_and(|note| note.lines().next() != Some(origin.as_str())) {
                return Err(foreign("a checkpoint"));
            }
            before.keys.clone()
        }
        // A log may have been born under the first key and be seen for the first time under the present one. Once that has
        // signed, the first one counts for nothing larger.
        None => {
            let mut keys = Vec::new();
            for signer in signers {
                keys.push(VerifyingKey::new(&origin, KeyKind::Log, &signer.public_key().await?)?.vkey());
            }
            keys.dedup();
            keys
        }
    };
    Ok(Known { log: log.clone(), head, before, keys })
}
