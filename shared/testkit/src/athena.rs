//! A workgroup of Athena, strict: it holds tokens to their form and to their texts, lets nothing be read before it is done, and gives small
//! pages. It computes nothing: a test says what each statement is answered.
//!
//! An answer is made when the execution begins to run, and kept: what a token names is never asked a second time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::athena::{Athena, Page, State, Statement};

use crate::calls::Calls;
use crate::faults::Faults;

/// Rows on one page: fewer than any answer that matters.
const ROWS_PER_PAGE: usize = 3;
/// Athena's limits of a token's characters, and of a text's bytes.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 32..=128;
const TEXT_BYTES: usize = 262_144;

/// What a statement is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// These columns and rows.
    Rows(Vec<String>, Vec<Vec<Option<String>>>),
    /// It fails with this code, and stays so.
    Failed(&'static str),
}

/// Answers a text.
type Answer = Box<dyn FnMut(&str) -> Answered + Send>;

/// The workgroup; clones share it.
#[derive(Clone)]
pub struct FakeAthena {
    name: &'static str,
    state: Arc<Mutex<Executions>>,
    faults: Faults,
    calls: Calls,
}

struct Executions {
    answer: Answer,
    all: Vec<Execution>,
    by_token: BTreeMap<String, usize>,
}

struct Execution {
    statement: Statement,
    /// How often its state was asked for: queued, then running, then at its end.
    asked: usize,
    answered: Option<Answered>,
    expired: bool,
}

impl fmt::Debug for FakeAthena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeAthena({}, {} executions)", self.name, self.lock().all.len())
    }
}

impl FakeAthena {
    /// A workgroup that answers like this. `name` is the template's, for calls held against its roles.
    pub fn new(
        name: &'static str,
        faults: Faults,
        calls: Calls,
        answer: impl FnMut(&str) -> Answered + Send + 'static,
    ) -> Self {
        let state = Executions { answer: Box::new(answer), all: Vec::new(), by_token: BTreeMap::new() };
        Self { name, state: Arc::new(Mutex::new(state)), faults, calls }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Athena> {
        Arc::new(self.clone())
    }

    /// The same executions, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    /// Answers in another way from now on.
    pub fn set_answer(&self, answer: impl FnMut(&str) -> Answered + Send + 'static) {
        self.lock().answer = Box::new(answer);
    }

    /// The texts that were begun, one for each execution: each of them scans.
    pub fn scanned(&self) -> Vec<String> {
        self.lock().all.iter().map(|one| one.statement.sql.clone()).collect()
    }

    /// Makes all answers expire, as the results' lifecycle does.
    pub fn expire_all(&self) {
        self.lock().all.iter_mut().for_each(|one| one.expired = true);
    }

    async fn read<T>(
        &self,
        call: &'static str,
        ask: impl FnOnce(&mut Executions) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.calls.touch(call, self.name, String::new(), "");
        self.faults.read(call)?;
        ask(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Executions> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executions {
    fn begin(&mut self, statement: &Statement) -> Result<String, StoreError> {
        let Statement { sql, token } = statement;
        let is_token = TOKEN_CHARS.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(is_token, "Athena takes no such token: {} characters", token.len());
        assert!((1..=TEXT_BYTES).contains(&sql.len()), "a text of {} bytes", sql.len());
        let at = match self.by_token.get(token) {
            Some(&at) if self.all[at].statement == *statement => at,
            Some(_) => return Err(StoreError::Denied(Failure::new("the token was given with another text"))),
            None => {
                self.all.push(Execution { statement: statement.clone(), asked: 0, answered: None, expired: false });
                self.by_token.insert(token.clone(), self.all.len() - 1);
                self.all.len() - 1
            }
        };
        Ok(format!("execution-{at}"))
    }

    fn at(&mut self, execution: &str) -> Result<usize, StoreError> {
        let at = execution.strip_prefix("execution-").and_then(|at| at.parse::<usize>().ok());
        at.filter(|at| *at < self.all.len())
            .ok_or_else(|| StoreError::Denied(Failure::new("there is no such execution")))
    }
}

#[async_trait]
impl Athena for FakeAthena {
    async fn start(&self, _: &str, statement: &Statement) -> Result<String, StoreError> {
        const CALL: &str = "athena:StartQueryExecution";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.calls.touch(CALL, self.name, String::new(), "");
        self.faults.write(CALL, || self.lock().begin(statement))
    }

    async fn state(&self, _: &str, execution: &str) -> Result<State, StoreError> {
        self.read("athena:GetQueryExecution", |executions| {
            let at = executions.at(execution)?;
            let Executions { all, answer, .. } = executions;
            let one = &mut all[at];
            one.asked += 1;
            if one.asked == 2 {
                one.answered = Some(answer(&one.statement.sql));
            }
            Ok(match &one.answered {
                Some(_) if one.asked == 2 => State::Waiting,
                None => State::Waiting,
                Some(Answered::Rows(..)) => State::Done { scanned_bytes: one.statement.sql.len() as u64 },
                Some(Answered::Failed(code)) => State::Failed { code: (*code).to_owned() },
            })
        })
        .await
    }

    async fn page(&self, _: &str, execution: &str, next: Option<&str>) -> Result<Page, StoreError> {
        self.read("athena:GetQueryResults", |executions| {
            let at = executions.at(execution)?;
            let one = &executions.all[at];
            let Some(Answered::Rows(columns, rows)) = one.answered.as_ref().filter(|_| one.asked > 2) else {
                return Err(StoreError::Denied(Failure::new("the execution has no answer yet")));
            };
            if one.expired {
                return Err(StoreError::NotFound(Failure::new("the answer expired")));
            }
            let from = next.map_or(0, |next| next.parse::<usize>().expect("a token that a page gave"));
            let to = (from + ROWS_PER_PAGE).min(rows.len());
            let next = (to < rows.len()).then(|| to.to_string());
            Ok(Page { columns: columns.clone(), rows: rows[from..to].to_vec(), next })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    fn statement(sql: &str, token: char) -> Statement {
        Statement { sql: sql.to_owned(), token: token.to_string().repeat(32) }
    }

    fn rows(of: usize) -> Answered {
        Answered::Rows(vec!["n".to_owned()], (0..of).map(|n| vec![Some(n.to_string())]).collect())
    }

    #[tokio::test]
    async fn an_answer_is_read_page_by_page_once_it_is_done_and_a_token_scans_once() {
        let calls = Calls::default();
        let fake = FakeAthena::new("GoldWorkgroup", Faults::none(), calls.clone(), |_| rows(4));
        let port = fake.port();
        let id = port.start("", &statement("SELECT 1", 'a')).await.unwrap();
        assert_eq!(port.page("", &id, None).await.unwrap_err().kind(), "denied");
        assert_eq!(port.state("", &id).await.unwrap(), State::Waiting);
        assert_eq!(port.state("", &id).await.unwrap(), State::Waiting);
        assert_eq!(port.state("", &id).await.unwrap(), State::Done { scanned_bytes: 8 });
        assert_eq!(port.start("", &statement("SELECT 1", 'a')).await.unwrap(), id);
        assert_eq!(port.start("", &statement("SELECT 2", 'a')).await.unwrap_err().kind(), "denied");
        let page = port.page("", &id, None).await.unwrap();
        assert_eq!((page.rows.len(), page.next.as_deref()), (3, Some("3")));
        let last = port.page("", &id, page.next.as_deref()).await.unwrap();
        assert_eq!((last.rows, last.next), (vec![vec![Some("3".to_owned())]], None));
        assert_eq!(fake.scanned(), ["SELECT 1"]);
        fake.expire_all();
        assert_eq!(port.page("", &id, None).await.unwrap_err().kind(), "not_found");
        assert_eq!(calls.touched().len(), 3);
    }

    #[tokio::test]
    async fn a_failure_stays_with_its_token_and_a_start_that_errored_may_have_begun() {
        let faults = Faults::at(0, Fault::PersistedButErrored);
        let fake = FakeAthena::new("GoldWorkgroup", faults, Calls::default(), |_| Answered::Failed("SYNTAX_ERROR"));
        let port = fake.port();
        assert_eq!(port.start("", &statement("SELEC", 'a')).await.unwrap_err().kind(), "unknown");
        let id = port.start("", &statement("SELEC", 'a')).await.unwrap();
        for _ in 0..2 {
            port.state("", &id).await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(port.state("", &id).await.unwrap(), State::Failed { code: "SYNTAX_ERROR".to_owned() });
        }
        assert_eq!(fake.scanned().len(), 1);
    }

    #[tokio::test]
    #[should_panic(expected = "Athena takes no such token")]
    async fn a_token_that_athena_refuses_is_a_defect() {
        let fake = FakeAthena::new("GoldWorkgroup", Faults::none(), Calls::default(), |_| rows(0));
        drop(fake.port().start("", &Statement { sql: "SELECT 1".to_owned(), token: "short".to_owned() }).await);
    }
}
