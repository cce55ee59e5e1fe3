//! Verifies the ledger on a schedule: what is new each hour, everything once a day.
//!
//! Invariant: a run either says that the evidence holds, or names what does not, or fails; it never writes to the
//! evidence. A log's memory moves on only past what was found good ([`ledgerline_custody::watch`]). What is wrong with one log,
//! or keeps it from being read, stops no other; of each log that was not verified the run says so, and why.

pub mod config;
pub mod patience;
mod recall;
mod telling;
mod within;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ledgerline_custody::watch::{self, Growth, Seen};
use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::store::StoreError;
use ledgerline_ledger::verify::{Evidence, EvidenceFault, LockRule, LogReport, Options, Report, Trust, verify};
use ledgerline_store::head::Heads;
use ledgerline_store::signer::Sign;
use ledgerline_store::watch::{Watch, Watched};
use serde::{Deserialize, Serialize};

pub use config::{Config, Rules};
pub use patience::Patience;
use recall::{Known, recall};
use within::{OutOfTime, Within};

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
    /// Logs that were verified.
    pub logs: usize,
    /// Logs that were not.
    pub unchecked: usize,
    /// Logs that were verified and could not be remembered.
    pub forgotten: usize,
    /// Entries read and hashed.
    pub entries: u64,
    /// Entries of sources that came since the last good run; the ledger's own acts are none.
    pub delivered: u64,
    /// Logs to which no source's entry came for longer than they may be silent.
    pub quiet: usize,
}

/// What the function may read, and the one row per log that it may write.
#[derive(Debug)]
pub struct Stores<E> {
    /// The evidence without its locks and postings, which cost a call each.
    pub entries: Arc<E>,
    /// The evidence, whole.
    pub everything: Arc<E>,
    /// The names of the logs, and their heads.
    pub heads: Heads,
    /// What the last good run left.
    pub watch: Watch,
    /// The signing key's public half.
    pub signer: Arc<dyn Sign>,
    /// That of the deployment's first signing key; mostly the same.
    pub first_signer: Arc<dyn Sign>,
}

/// Why a run could not tell, or not of every log. The invocation fails, and its alarm says so.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The names of the logs could not be read.
    #[error("nothing could be verified: {0}")]
    Store(#[from] StoreError),
    /// The evidence could not be read, none of it.
    #[error("nothing could be verified: {0}")]
    Evidence(#[from] EvidenceFault),
    /// Some logs were not verified, or not remembered; all that was found of the others is told and remembered.
    #[error("{unchecked} logs were not verified, {forgotten} could not be remembered; the log lines say which and why")]
    Partly {
        /// Not verified.
        unchecked: usize,
        /// Not remembered.
        forgotten: usize,
    },
    /// The verification itself broke.
    #[error("verification ended early; its log line says where")]
    Broken,
}

/// Verifies, reports, remembers; until shortly before `deadline_ms`, in epoch milliseconds.
///
/// # Errors
/// Whatever kept it from telling, of one log or of all; findings are no error.
pub async fn handle<E, K>(
    stores: &Stores<E>,
    rules: &Rules,
    clock: &K,
    deadline_ms: i64,
    request: Request,
) -> Result<Summary, VerifyError>
where
    E: Evidence + Send + 'static,
    K: Clock + Clone + 'static,
{
    let now_ms = clock.now_ms();
    let mut run = Run { look: request.look, now_ms, events: HashMap::new(), summary: Summary::default() };
    let (mut known, mut left_out) = (Vec::new(), HashSet::new());
    for log in stores.heads.logs().await? {
        match recall(&stores.heads, &stores.watch, [&stores.first_signer, &stores.signer], &rules.deployment, &log)
            .await
        {
            Ok(remembered) => known.push(remembered),
            Err(fault) => {
                run.not_verified(log.as_str(), &fault);
                left_out.insert(log);
            }
        }
    }
    let known = watch::order(known, |known| known.before.as_ref(), run.is_whole(), now_ms);
    let evidence = match request.look {
        Look::New => Arc::clone(&stores.entries),
        Look::Everything => Arc::clone(&stores.everything),
    };
    let heads = known.iter().filter_map(|known| known.head.clone()).collect();
    let within = Within { evidence, clock: clock.clone(), until_ms: deadline_ms - RESERVE_MS, heads, left_out };
    let report = match run.look_at(within, rules, &known, deadline_ms - LAST_WORD_MS - now_ms).await {
        Ok(report) => report,
        Err(VerifyError::Evidence(fault)) => {
            known.iter().for_each(|known| run.not_verified(known.log.as_str(), &fault));
            return Err(fault.into());
        }
        Err(error) => return Err(error),
    };
    run.conclude(&stores.watch, rules, &known, &report).await;
    run.summary.holds = run.summary.findings == 0 && run.summary.unchecked == 0;
    let Summary { unchecked, forgotten, .. } = run.summary;
    telling::verified(request.look, &run.summary);
    if unchecked + forgotten > 0 { Err(VerifyError::Partly { unchecked, forgotten }) } else { Ok(run.summary) }
}

/// One run.
struct Run {
    look: Look,
    now_ms: i64,
    /// Entries of sources that came since each log was last good.
    events: HashMap<LogId, u64>,
    summary: Summary,
}

impl Run {
    fn is_whole(&self) -> bool {
        self.look == Look::Everything
    }

    fn not_verified(&mut self, log: &str, fault: &dyn std::error::Error) {
        telling::not_verified(log, fault);
        self.summary.unchecked += 1;
    }

    /// Verification reads by blocking calls, from threads that are not the runtime's own. One that hangs in such a call, or
    /// in a listing that has no end, is waited for no longer than `patience_ms`.
    async fn look_at<E, K>(
        &mut self,
        evidence: Within<E, K>,
        rules: &Rules,
        known: &[Known],
        patience_ms: i64,
    ) -> Result<Report, VerifyError>
    where
        E: Evidence + Send + 'static,
        K: Clock + 'static,
    {
        let trust = Trust {
            keys: known.iter().flat_map(|known| known.keys.iter().cloned()).collect(),
            checkpoints: known.iter().filter_map(|known| known.before.as_ref()?.checkpoint.clone()).collect(),
            ..Trust::default()
        };
        let options = self.options(rules, known);
        let sizes: HashMap<LogId, u64> = known
            .iter()
            .map(|known| (known.log.clone(), known.before.as_ref().map_or(0, |before| before.size)))
            .collect();
        let verified = tokio::task::spawn_blocking(move || {
            let mut counts: HashMap<LogId, (u64, u64)> = HashMap::new();
            let report = verify(&evidence, &trust, &options, &mut |progress| {
                let (old, all) = counts.entry(progress.log.clone()).or_default();
                *all = progress.events;
                // A run may read a little of what was read before.
                if sizes.get(progress.log).is_some_and(|size| progress.done <= *size) {
                    *old = progress.events;
                }
            });
            (report, counts)
        });
        let patience = Duration::from_millis(u64::try_from(patience_ms).unwrap_or_default());
        let ended = tokio::time::timeout(patience, verified).await.map_err(|_| OutOfTime::fault())?;
        let (report, counts) = ended.map_err(|_| VerifyError::Broken)?;
        self.events = counts.into_iter().map(|(log, (old, all))| (log, all - old)).collect();
        Ok(report?)
    }

    fn options(&self, rules: &Rules, known: &[Known]) -> Options {
        Options {
            logs: Vec::new(),
            first: known.iter().map(|known| known.log.clone()).collect(),
            threads: THREADS,
            now_ms: u64::try_from(self.now_ms).unwrap_or_default(),
            locks: match self.look {
                Look::New => LockRule::Ignore,
                Look::Everything => LockRule::AtLeast(rules.locks.clone()),
            },
            incremental: self.look == Look::New,
        }
    }

    /// Tells what was found, and remembers each log by itself.
    async fn conclude(&mut self, memories: &Watch, rules: &Rules, known: &[Known], report: &Report) {
        self.summary.findings = report.findings.len();
        self.summary.logs = report.logs.len();
        self.summary.entries = report.logs.iter().map(|log| log.entries).sum();
        report.findings.iter().for_each(telling::broken);
        for log in &report.unchecked {
            self.not_verified(&log.log, &log.fault);
        }
        // Logs are read one after the other: the first that ended for want of time was begun, the others were not.
        let cut = report.unchecked.iter().find(|log| OutOfTime::is(&log.fault)).map(|log| log.log.as_str());
        for Known { log, before, .. } in known {
            let seen = report.logs.iter().find(|seen| seen.log == log.as_str());
            let good = seen.and_then(|seen| {
                let growth = self.tell_growth(log, before.as_ref(), seen, rules);
                let is_spared = report.findings.iter().all(|finding| finding.spares(log));
                let is_good = is_spared && !matches!(growth, Growth::Shrunk { .. });
                is_good.then(|| watch::after(before.as_ref(), &Seen::of(seen, self.is_whole()), self.now_ms))
            });
            let now = match (good, before) {
                (Some(good), _) => good,
                (None, Some(before)) if seen.is_some() || cut == Some(log.as_str()) => {
                    Watched { tried_at_ms: Some(self.now_ms), ..before.clone() }
                }
                (None, Some(before)) if watch::is_gone(before, log, report) => {
                    telling::shrunk(log, 0, before.size);
                    self.summary.findings += 1;
                    continue;
                }
                _ => continue,
            };
            match memories.remember(log, before.as_ref(), &now).await {
                // Another run has moved it, by what it found itself.
                Ok(()) | Err(StoreError::Conflict(_)) => {}
                Err(fault) => {
                    telling::not_remembered(log, &fault);
                    self.summary.forgotten += 1;
                }
            }
        }
    }

    fn tell_growth(&mut self, log: &LogId, before: Option<&Watched>, report: &LogReport, rules: &Rules) -> Growth {
        let seen = Seen::of(report, self.is_whole());
        let growth = watch::growth(before, &seen, self.now_ms, rules.patience.of_ms(log));
        let acts = before.map_or(seen.size, |before| seen.size.saturating_sub(before.size));
        match growth {
            Growth::Delivered => self.summary.delivered += self.events.get(log).copied().unwrap_or_default(),
            Growth::Nothing { for_ms } => telling::nothing(for_ms, acts, report),
            Growth::Quiet { for_ms } => {
                telling::silent(for_ms, acts, report);
                self.summary.quiet += 1;
            }
            Growth::Shrunk { by } => {
                telling::shrunk(log, seen.size, by);
                self.summary.findings += 1;
            }
        }
        growth
    }
}

/// At its memory size the function has some 1.7 processors.
const THREADS: usize = 2;
/// Nothing is read any more this close to the deadline. What is under way then, a segment of at most 64 MiB on each thread,
/// takes some 5 s; a row for each of some hundred logs takes 2 s.
const RESERVE_MS: i64 = 30_000;
/// What is left to say which logs were not verified when even that did not end.
const LAST_WORD_MS: i64 = 10_000;
