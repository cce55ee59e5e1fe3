//! Silver as analysts see it: the rows of one organisation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::org::Org;

/// One row: the columns that hold something. Times are RFC 3339.
pub type Row = BTreeMap<String, Value>;

/// The organisation's rows, of every day and bronze object.
pub fn rows(org: &Org<'_>) -> Vec<Row> {
    let objects = org.objects();
    let is_ours = |key: &String| objects.iter().any(|object| key.ends_with(&format!("/{object}.parquet")));
    let mut rows = Vec::new();
    for key in org.stack.keys("LakeBucket", "silver/events/").into_iter().filter(is_ours) {
        let bytes = org.stack.object("LakeBucket", &key).0;
        let read = ledgerline_traffic::silver::rows(bytes, &key).unwrap_or_else(|fault| panic!("{fault}"));
        rows.extend(read.into_iter().map(Row::from_iter).filter(|row| row["org"] == org.name));
    }
    rows
}
