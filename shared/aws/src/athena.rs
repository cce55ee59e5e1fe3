//! A workgroup of Athena over one database.
//!
//! Invariant: where results go and what may be scanned is the workgroup's setting, so that a caller chooses neither; what Athena quotes of
//! data in a failure goes no further.

use async_trait::async_trait;
use aws_sdk_athena::Client;
use aws_sdk_athena::types::{QueryExecution, QueryExecutionContext, QueryExecutionState, ResultSet};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::athena::{Athena, Page, State, Statement};

use crate::config::store_error;

/// A workgroup by its name.
#[derive(Clone, Debug)]
pub struct Workgroup {
    client: Client,
    workgroup: String,
    database: String,
}

impl Workgroup {
    /// The workgroup of this name, asking this database.
    pub fn new(client: Client, workgroup: impl Into<String>, database: impl Into<String>) -> Self {
        Self { client, workgroup: workgroup.into(), database: database.into() }
    }
}

#[async_trait]
impl Athena for Workgroup {
    async fn start(&self, what: &str, statement: &Statement) -> Result<String, StoreError> {
        let context = QueryExecutionContext::builder().database(&self.database).build();
        let start = self.client.start_query_execution().query_string(&statement.sql).work_group(&self.workgroup);
        let start = start.client_request_token(&statement.token).query_execution_context(context);
        let started = start.send().await.map_err(|error| store_error(what, error))?;
        started.query_execution_id.ok_or_else(|| incomplete(what))
    }

    async fn state(&self, what: &str, execution: &str) -> Result<State, StoreError> {
        let asked = self.client.get_query_execution().query_execution_id(execution).send().await;
        let execution = asked.map_err(|error| store_error(what, error))?.query_execution;
        state_of(execution.as_ref()).ok_or_else(|| incomplete(what))
    }

    async fn page(&self, what: &str, execution: &str, next: Option<&str>) -> Result<Page, StoreError> {
        let read = self.client.get_query_results().query_execution_id(execution).max_results(PAGE_ROWS);
        let sent = read.set_next_token(next.map(str::to_owned)).send().await;
        let answer = match sent.map_err(|error| store_error(what, error)) {
            // Of an execution that is done, the one thing that Athena refuses so is an answer whose objects are gone.
            Err(StoreError::Denied(failure)) if is_invalid(&failure) => return Err(StoreError::NotFound(failure)),
            other => other?,
        };
        let page = read_page(answer.result_set.as_ref(), next.is_none()).ok_or_else(|| incomplete(what))?;
        Ok(Page { next: answer.next_token, ..page })
    }
}

fn is_invalid(failure: &Failure) -> bool {
    let source = failure.source.as_deref().and_then(std::error::Error::source);
    source.is_some_and(|error| error.to_string().contains("InvalidRequestException"))
}

fn state_of(execution: Option<&QueryExecution>) -> Option<State> {
    let status = execution?.status.as_ref()?;
    match status.state.as_ref()? {
        QueryExecutionState::Succeeded => {
            let scanned = execution?.statistics.as_ref().and_then(|all| all.data_scanned_in_bytes);
            Some(State::Done { scanned_bytes: scanned.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default() })
        }
        state @ (QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
            let reason = status.state_change_reason.as_deref().map(code_of).filter(|code| !code.is_empty());
            Some(State::Failed { code: reason.unwrap_or_else(|| state.as_str().to_owned()) })
        }
        // Queued, running, and whatever Athena may name besides: it ends.
        _ => Some(State::Waiting),
    }
}

/// `SYNTAX_ERROR` of `SYNTAX_ERROR: line 1:8: …`: what comes behind may quote data.
fn code_of(reason: &str) -> String {
    let is_of_code = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
    reason.chars().take_while(is_of_code).take(CODE_CHARS).collect()
}

/// Athena repeats the columns' names as the first row of the first page.
fn read_page(results: Option<&ResultSet>, is_first: bool) -> Option<Page> {
    let results = results?;
    let columns = results.result_set_metadata.as_ref()?.column_info.as_ref()?.iter();
    let columns: Vec<String> = columns.map(|column| column.name.clone()).collect();
    let rows = results.rows.iter().flatten();
    let cells = |row: &aws_sdk_athena::types::Row| {
        row.data.iter().flatten().map(|datum| datum.var_char_value.clone()).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<Option<String>>> = rows.map(cells).collect();
    let is_header = |row: &Vec<Option<String>>| row.iter().map(Option::as_ref).eq(columns.iter().map(Some));
    if is_first && rows.first().is_some_and(is_header) {
        rows.remove(0);
    }
    Some(Page { columns, rows, next: None })
}

fn incomplete(what: &str) -> StoreError {
    StoreError::Corrupt(Failure::new(format!("{what}: the answer lacks a part")))
}

/// Athena's largest page.
const PAGE_ROWS: i32 = 1_000;
/// The longest of Athena's codes has some forty.
const CODE_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_athena::types::{
        ColumnInfo, Datum, QueryExecutionStatistics, QueryExecutionStatus, ResultSetMetadata, Row,
    };

    fn execution(state: QueryExecutionState, reason: &str) -> QueryExecution {
        let status = QueryExecutionStatus::builder().state(state).state_change_reason(reason).build();
        let statistics = QueryExecutionStatistics::builder().data_scanned_in_bytes(7).build();
        QueryExecution::builder().status(status).statistics(statistics).build()
    }

    #[test]
    fn a_state_is_waiting_done_or_failed_with_a_code_that_quotes_nothing() {
        let state = |state, reason| state_of(Some(&execution(state, reason)));
        assert_eq!(state(QueryExecutionState::Queued, ""), Some(State::Waiting));
        assert_eq!(state(QueryExecutionState::from("PREPARING"), ""), Some(State::Waiting));
        assert_eq!(state(QueryExecutionState::Succeeded, ""), Some(State::Done { scanned_bytes: 7 }));
        let failed = |code: &str| Some(State::Failed { code: code.to_owned() });
        let reason = "HIVE_BAD_DATA: Error parsing field value 'x' for field 1";
        assert_eq!(state(QueryExecutionState::Failed, reason), failed("HIVE_BAD_DATA"));
        assert_eq!(state(QueryExecutionState::Cancelled, ""), failed("CANCELLED"));
        assert_eq!(state_of(Some(&QueryExecution::builder().build())), None);
    }

    #[test]
    fn the_first_row_of_the_first_page_is_no_row_and_a_missing_text_is_null() {
        let cell = |text: Option<&str>| Datum::builder().set_var_char_value(text.map(str::to_owned)).build();
        let row = |cells: [Option<&str>; 2]| Row::builder().set_data(Some(cells.map(cell).into())).build();
        let column = |name: &str| ColumnInfo::builder().name(name).r#type("varchar").build().unwrap();
        let columns = ResultSetMetadata::builder().column_info(column("org")).column_info(column("queue_id")).build();
        let rows = [[Some("org"), Some("queue_id")], [Some("acme"), None]].map(row);
        let results = ResultSet::builder().result_set_metadata(columns).set_rows(Some(rows.into())).build();
        let acme = vec![Some("acme".to_owned()), None];
        assert_eq!(read_page(Some(&results), true).unwrap().rows, vec![acme]);
        assert_eq!(read_page(Some(&results), false).unwrap().rows.len(), 2);
        assert_eq!(read_page(Some(&results), true).unwrap().columns, ["org", "queue_id"]);
        assert!(read_page(None, true).is_none());
    }
}
