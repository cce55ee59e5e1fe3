//! Verifies the ledger on a schedule: what is new each hour, everything once a day.
//!
//! Invariant: a run either says that the evidence holds, or names what does not, or fails; it never writes to the
//! evidence. A log's memory moves on only past what was found good ([`ledgerline_custody::watch`]).

pub mod config;

use std::sync::Arc;

use ledgerline_custody::watch::{self, Growth, WatchLogs, Watched};
use ledgerline_ledger::checkpoint::origin;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::ports::{ListLogs, Sign};
use ledgerline_ledger::signing::{KeyError, KeyKind, VerifyingKey};
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::verify::{
    Evidence, EvidenceFault, Finding, FindingKind, LockRule, LogReport, Options, Report, Trust, verify,
};
use serde::{Deserialize, Serialize};

pub use config::{Config, Rules};

/// What a run looks at. The schedules' input; anything else in it is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Request {
    /// How much.
    pub look: Look,
}

/// How much a run looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Look {
    /// Each log from its last verified checkpoint on; neither locks nor postings.
    #[default]
    New,
    /// Every version, every entry, every lock, every posting.
    Everything,
}

/// What a run found; ids and counts only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether nothing contradicts anything.
    pub holds: bool,
    /// Contradictions.
    pub findings: usize,
    /// Logs.
    pub logs: usize,
    /// Entries read and hashed.
    pub entries: u64,
    /// Entries that came since the last good run.
    pub delivered: u64,
    /// Logs to which nothing came for longer than they may be silent.
    pub quiet: usize,
}

/// What the function may read, and the one row per log that it may write.
#[derive(Debug)]
pub struct Ports<E, C, W, S> {
    /// The evidence without its locks and postings, which cost a call each.
    pub entries: Arc<E>,
    /// The evidence, whole.
    pub everything: Arc<E>,
    /// The names of the logs.
    pub logs: C,
    /// What the last good run left.
    pub watch: W,
    /// The signing key's public half.
    pub signer: S,
}

/// Why a run could not tell. The invocation fails, and its alarm says so.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A store did not answer.
    #[error("the ledger could not be verified: {0}")]
    Store(#[from] StoreError),
    /// The evidence could not be read.
    #[error("the ledger could not be verified: {0}")]
    Evidence(#[from] EvidenceFault),
    /// The signing key is none.
    #[error("the signing key cannot be used: {0}; set SIGNING_KEY_ID to an ECC_NIST_EDWARDS25519 key")]
    Key(#[from] KeyError),
    /// Some logs could not be looked at; the others were, and what was found in them is told and remembered.
    #[error("{0} logs could not be verified; the log lines say which and why")]
    Unchecked(usize),
    /// The verification itself broke.
    #[error("verification ended early; its log line says where")]
    Broken,
}

/// Verifies, reports, remembers.
///
/// # Errors
/// Whatever kept it from telling; findings are no error.
pub async fn handle<E, C, W, S>(
    ports: &Ports<E, C, W, S>,
    rules: &Rules,
    now_ms: i64,
    request: Request,
) -> Result<Summary, VerifyError>
where
    E: Evidence + Send + 'static,
    C: ListLogs,
    W: WatchLogs,
    S: Sign,
{
    let logs = ports.logs.logs().await?;
    let mut watched = Vec::with_capacity(logs.len());
    for log in logs {
        let before = ports.watch.watched(&log).await?;
        watched.push((log, before));
    }
    let trust = trust(rules, &ports.signer.public_key().await?, &watched)?;
    let evidence = match request.look {
        Look::New => Arc::clone(&ports.entries),
        Look::Everything => Arc::clone(&ports.everything),
    };
    let options = options(rules, now_ms, request.look);
    // Verification reads by blocking calls, from threads that are not the runtime's own.
    let run = tokio::task::spawn_blocking(move || verify(evidence.as_ref(), &trust, &options, &mut |_| ()));
    let report = run.await.map_err(|_| VerifyError::Broken)??;
    let mut summary = Summary {
        holds: report.holds(),
        findings: report.findings.len(),
        logs: report.logs.len(),
        entries: report.logs.iter().map(|log| log.entries).sum(),
        ..Summary::default()
    };
    report.findings.iter().for_each(tell_finding);
    for (log, before) in &watched {
        let Some(seen) = report.logs.iter().find(|seen| seen.log == log.as_str()) else { continue };
        let growth = tell_growth(log, before.as_ref(), seen, now_ms, rules);
        match growth {
            Growth::Delivered { entries } => summary.delivered += entries,
            Growth::Quiet { .. } => summary.quiet += 1,
            Growth::Nothing { .. } => {}
            Growth::Shrunk { .. } => {
                summary.findings += 1;
                summary.holds = false;
            }
        }
        if is_good(&report, log) && !matches!(growth, Growth::Shrunk { .. }) {
            let now = watch::after(before.as_ref(), &seen.into(), now_ms);
            match ports.watch.remember(log, before.as_ref(), &now).await {
                // Another run has moved it; both were good.
                Ok(()) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    for log in &report.unchecked {
        tracing::error!(log = log.log, fault = %log.fault, "not verified");
    }
    // The template's metrics are read from this line.
    let Summary { findings, logs, entries, delivered, quiet, .. } = summary;
    tracing::info!(look = ?request.look, findings, logs, entries, delivered, quiet, "verified");
    match report.unchecked.len() {
        0 => Ok(summary),
        unchecked => Err(VerifyError::Unchecked(unchecked)),
    }
}

/// Of a log that is remembered, the keys that counted for it then: others count once an entry under these announces them,
/// and not because they are deployed. Of a log that is not, the deployment's current key.
fn trust(rules: &Rules, public_key: &[u8; 32], watched: &[(LogId, Option<Watched>)]) -> Result<Trust, KeyError> {
    let mut keys = Vec::new();
    for (log, before) in watched {
        match before {
            Some(before) => keys.extend(before.keys.iter().cloned()),
            None => {
                keys.push(VerifyingKey::new(&origin(&rules.deployment, log), KeyKind::Log, public_key)?.vkey());
            }
        }
    }
    Ok(Trust {
        keys,
        checkpoints: watched.iter().filter_map(|(_, before)| before.as_ref()?.checkpoint.clone()).collect(),
        ..Trust::default()
    })
}

fn options(rules: &Rules, now_ms: i64, look: Look) -> Options {
    Options {
        logs: Vec::new(),
        threads: THREADS,
        now_ms: u64::try_from(now_ms).unwrap_or_default(),
        locks: match look {
            Look::New => LockRule::Ignore,
            Look::Everything => LockRule::AtLeast { mode: rules.lock_mode, days: rules.retention_days },
        },
        incremental: look == Look::New,
    }
}

/// The template's alarm looks for these words. A finding holds keys, indexes and digests, no content.
fn tell_finding(finding: &Finding) {
    let Finding { kind, key, entry, detail } = finding;
    tracing::error!(kind = kind.code(), key, entry, detail, remedy = kind.remedy(), "evidence broken");
}

fn tell_growth(log: &LogId, before: Option<&Watched>, seen: &LogReport, now_ms: i64, rules: &Rules) -> Growth {
    let growth = watch::growth(before, seen.size, now_ms, rules.quiet_after_ms);
    match growth {
        Growth::Delivered { .. } => {}
        Growth::Nothing { for_ms } => {
            tracing::info!(%log, minutes = for_ms / MINUTE_MS, size = seen.size, root = seen.root, "nothing was delivered");
        }
        Growth::Quiet { for_ms } => {
            tracing::error!(%log, minutes = for_ms / MINUTE_MS, size = seen.size, root = seen.root, "fallen silent");
        }
        Growth::Shrunk { by } => tell_finding(&Finding {
            kind: FindingKind::LogShrunk,
            key: log.to_string(),
            entry: Some(seen.size),
            detail: format!("{by} entries that were verified before are not in the log any more"),
        }),
    }
    growth
}

/// Whether no finding is about this log. One that names no log's object is about all of them.
fn is_good(report: &Report, log: &LogId) -> bool {
    let names = |finding: &Finding, log: &str| finding.key.contains(&format!("{log}/")) || finding.key.ends_with(log);
    report
        .findings
        .iter()
        .all(|finding| !names(finding, log.as_str()) && report.logs.iter().any(|other| names(finding, &other.log)))
}

/// As many as the function has processors at its memory size.
const THREADS: usize = 2;
const MINUTE_MS: i64 = 60_000;
