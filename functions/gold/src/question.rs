//! One question to Athena: begun once for its text and its input, waited for, read page by page.
//!
//! Invariant: the token follows from the text and from what it reads, so that a run after one that died reads the same execution instead
//! of scanning again. An execution that failed stays so under its token: another one is begun, at most a few an hour.

use std::fmt::Write as _;
use std::time::Duration;

use ledgerline_lambda::clock::Clock;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::athena::{State, Statement};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Run;
use crate::error::GoldError;

/// An execution that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) scanned_bytes: u64,
}

/// Executions that are begun for one question in a run.
const ATTEMPTS: u32 = 3;
/// An answer takes some seconds: it is asked for after half a second, then more and more seldom.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl<C: Clock> Run<'_, C> {
    /// Asks, and hands each row to `each` with the columns' names. `input` names what the text reads.
    pub(crate) async fn ask(
        &self,
        what: &str,
        sql: &str,
        input: &str,
        mut each: impl FnMut(&[String], &[Option<String>]) -> Option<()> + Send,
    ) -> Result<Execution, GoldError> {
        let mut failed = None;
        for attempt in 0..ATTEMPTS {
            // The first is the same in every run; the others are the same for an hour, so that whoever mends what failed need not wait.
            let again = (attempt > 0).then(|| format!("{} {attempt}", self.clock.now_ms().div_euclid(HOUR_MS)));
            let token = hex(&[sql, input, &again.unwrap_or_default()]);
            let id = self.stores.athena.start(what, &Statement { sql: sql.to_owned(), token }).await?;
            match self.ended(what, &id).await? {
                State::Done { scanned_bytes } => match self.read(what, &id, &mut each).await {
                    // Somebody read it long ago, and it has expired since.
                    Err(GoldError::Store(StoreError::NotFound(_))) => failed = Some((EXPIRED.to_owned(), id)),
                    read => return read.map(|()| Execution { id, scanned_bytes }),
                },
                State::Failed { code } => failed = Some((code, id)),
                State::Waiting => return Err(GoldError::OutOfTime),
            }
        }
        let (code, execution) = failed.unwrap_or_default();
        Err(GoldError::Query { code, execution })
    }

    /// The execution's end, or that it still runs when this run's time is over.
    async fn ended(&self, what: &str, id: &str) -> Result<State, GoldError> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.stores.athena.state(what, id).await? {
                State::Waiting if self.has_time() => tokio::time::sleep(wait).await,
                state => return Ok(state),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn read(
        &self,
        what: &str,
        id: &str,
        each: &mut (impl FnMut(&[String], &[Option<String>]) -> Option<()> + Send),
    ) -> Result<(), GoldError> {
        let mut next = None;
        loop {
            let page = self.stores.athena.page(what, id, next.as_deref()).await?;
            for row in &page.rows {
                each(&page.columns, row).ok_or_else(|| GoldError::Answer { execution: id.to_owned() })?;
            }
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }
}

/// SHA-256 over texts, in hex: each with its length before it.
pub(crate) fn hex(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

const HOUR_MS: i64 = 3_600_000;
const EXPIRED: &str = "EXPIRED";
