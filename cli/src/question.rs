//! A question to Athena, asked and waited for.
//!
//! Invariant: a question is begun anew each time that a person asks it, and its rows are handed over as Athena gives them.

use std::collections::BTreeMap;
use std::time::Duration;

use ledgerline_ledger::store::StoreError;
use ledgerline_store::athena::{State, Statement};

use crate::cloud::Cloud;
use crate::context::Context;
use crate::fault::Fault;

/// Rows by their columns' names.
pub(crate) type Cells = BTreeMap<String, Option<String>>;

/// Waits between two looks: short questions are answered in a second or two.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Athena's longest token; 32 random hex digits make one.
const TOKEN_BYTES: usize = 16;

/// Asks, waits, and gives all rows.
pub(crate) fn rows(cloud: &Cloud, context: &Context, what: &str, sql: &str) -> Result<Vec<Cells>, Fault> {
    let athena = cloud.workgroup()?;
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Fault::caused_by("there is no randomness for a question's name", &error, "run it again"))?;
    let token = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = cloud.ask(athena.start(what, &Statement { sql: sql.to_owned(), token }))?;
    let progress = context.progress("asking Athena", None);
    let mut wait = FIRST_WAIT;
    loop {
        match cloud.ask(athena.state(what, &id))? {
            State::Done { .. } => break,
            State::Waiting => cloud.pause(wait),
            State::Failed { code } => {
                let remedy = format!("look at execution {id} in Athena's console");
                return Err(Fault::new(format!("Athena failed with {code}"), remedy));
            }
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    progress.finish_and_clear();
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let page = match cloud.wait_for(athena.page(what, &id, next.as_deref())) {
            Err(StoreError::NotFound(_)) => return Err(Fault::new("the answer is gone already", "run it again")),
            other => other.map_err(|error| crate::cloud::store_fault(&error))?,
        };
        let names = &page.columns;
        rows.extend(page.rows.into_iter().map(|row| names.iter().cloned().zip(row).collect::<Cells>()));
        next = page.next;
        if next.is_none() {
            return Ok(rows);
        }
    }
}

/// A cell's text; an empty one says as much as none.
pub(crate) fn text<'c>(cells: &'c Cells, name: &str) -> Option<&'c str> {
    cells.get(name)?.as_deref().filter(|text| !text.is_empty())
}

/// A cell's whole number.
pub(crate) fn number(cells: &Cells, name: &str) -> Option<i64> {
    text(cells, name)?.parse().ok()
}
