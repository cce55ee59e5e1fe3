//! How far bronze is planned: one row of the control table, which sweep moves and access answers speak for.

use std::sync::Arc;

use ledgerline_event::instant;
use ledgerline_ledger::store::StoreError;

use crate::table::{Condition, Key, Returning, Row, Table, Value, Write, corrupt};

/// The key of the row.
pub fn key() -> Key {
    Key::new("BRONZE", "PLANNED")
}

/// The row.
#[derive(Clone, Debug)]
pub struct Planned {
    table: Arc<dyn Table>,
}

impl Planned {
    /// A row of the control table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table }
    }

    /// The moment before which every bronze object is planned, epoch milliseconds; `None` before the first listing.
    ///
    /// # Errors
    /// The table's; `Corrupt` if the row has no such moment.
    pub async fn through(&self) -> Result<Option<i64>, StoreError> {
        let row = self.table.get("read how far bronze is planned", &key()).await?;
        row.as_ref().map(read).transpose()
    }

    /// Replaces the moment `before`, as it was read.
    ///
    /// # Errors
    /// `Conflict`: another run wrote in between.
    pub async fn keep_through(&self, through_ms: i64, before: Option<i64>) -> Result<(), StoreError> {
        let write = Write::update(key()).set(THROUGH, instant::to_rfc3339(through_ms));
        let write = write.when(Condition::equals_or_lacks(THROUGH, before.map(instant::to_rfc3339)));
        self.table.write("note how far bronze is planned", write, Returning::Nothing).await.map(drop)
    }
}

fn read(row: &Row) -> Result<i64, StoreError> {
    let through = match row.get(THROUGH) {
        Some(Value::S(text)) => instant::parse(text),
        _ => None,
    };
    through
        .ok_or_else(|| corrupt("the row BRONZE, PLANNED has no readable through: delete it, and sweep writes it again"))
}

/// The moment, RFC 3339 with milliseconds.
const THROUGH: &str = "through";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::IntoValue;

    #[test]
    fn a_rows_moment_is_read_as_it_is_written_and_nothing_else_is() {
        let row = |text: &str| Row::from([("through".to_owned(), text.into_value())]);
        assert_eq!(read(&row(&instant::to_rfc3339(1_772_460_000_007))).unwrap(), 1_772_460_000_007);
        for row in [Row::new(), row(""), row("yesterday")] {
            assert!(matches!(read(&row), Err(StoreError::Corrupt(_))), "{row:?}");
        }
    }
}
