//! The port of Athena: one question at a time, its state, its answer page by page.
//!
//! Invariant: a statement that is started twice with one token is one execution, which scans once; an answer is read only of an
//! execution that is done.

use std::fmt;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// What names this question: 32 to 128 characters. The same token with another text is refused.
    pub token: String,
}

/// How far an execution is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Queued or running.
    Waiting,
    /// Its answer can be read.
    Done {
        /// What it read of the lake, and costs by.
        scanned_bytes: u64,
    },
    /// It ended without an answer, and stays so under its token.
    Failed {
        /// Athena's code for why, such as `SYNTAX_ERROR`, without what it quotes.
        code: String,
    },
}

/// Some rows of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The columns' names, of every page.
    pub columns: Vec<String>,
    /// Cells as texts; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Where it goes on.
    pub next: Option<String>,
}

/// One workgroup of Athena over one database. Errors name attempts by `what`.
#[async_trait]
pub trait Athena: fmt::Debug + Send + Sync {
    /// Begins to answer; the execution's id.
    async fn start(&self, what: &str, statement: &Statement) -> Result<String, StoreError>;

    /// How far an execution is.
    async fn state(&self, what: &str, execution: &str) -> Result<State, StoreError>;

    /// The answer of an execution that is done, from its start or from where a page ended. `NotFound`: it expired.
    async fn page(&self, what: &str, execution: &str, next: Option<&str>) -> Result<Page, StoreError>;
}
