//! The running chain, as the demo looks at it: objects, rows, heads.
//!
//! Invariant: it only reads. What it counts are the chain's own records: rows of the control table and quarantine
//! objects, never the generator's numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::MultiGzDecoder;
use ledgerline_ledger::log::LogId;
use ledgerline_store::head;
use ledgerline_store::object_row::Progress;
use ledgerline_store::table::Key;
use ledgerline_traffic::stack::{Clients, Stack, unread};
use xtask::fault::Fault;

use super::report::Tally;

/// A stack with its clients.
pub(super) struct Chain {
    /// The names.
    pub stack: Stack,
    /// The SDK.
    pub clients: Clients,
}

/// What was there at some moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    /// Rows of bronze objects, by their keys.
    pub rows: BTreeMap<Key, Tally>,
    /// Quarantine objects that ingest's answers became.
    pub quarantine: BTreeSet<String>,
    /// Silver objects.
    pub silver: BTreeSet<String>,
    /// Objects of the ledger.
    pub ledger: BTreeSet<String>,
}

impl Chain {
    /// The chain of a stack.
    pub(super) async fn new(stack: Stack) -> Self {
        let clients = stack.clients().await;
        Self { stack, clients }
    }

    /// What is there now.
    pub(super) async fn now(&self) -> Result<Moment, Fault> {
        let mut quarantine = self.keys("BronzeBucket", "quarantine/").await?;
        // What transform moved there is counted in its object's row.
        quarantine.retain(|key| !key.starts_with("quarantine/transform/"));
        Ok(Moment {
            rows: self.object_rows().await?,
            quarantine,
            silver: self.keys("LakeBucket", "silver/events/").await?,
            ledger: self.keys("LedgerBucket", "ledger/").await?,
        })
    }

    /// Keys under a prefix.
    pub(super) async fn keys(&self, bucket: &str, prefix: &str) -> Result<BTreeSet<String>, Fault> {
        let name = self.stack.bucket(bucket)?;
        let mut pages = self.clients.s3.list_objects_v2().bucket(name).prefix(prefix).into_paginator().send();
        let mut keys = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                self.stack.unreachable(format!("cannot list {prefix} in {name}"), error.into_source())
            })?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }

    /// An object's bytes.
    pub(super) async fn object(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Fault> {
        let name = self.stack.bucket(bucket)?;
        let answer = self.clients.s3.get_object().bucket(name).key(key).send().await;
        let answer =
            answer.map_err(|error| self.stack.unreachable(format!("cannot get {key}"), error.into_source()))?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| Fault::caused_by(format!("cannot read {key}"), error, "run this again"))?;
        Ok(body.to_vec())
    }

    /// The bronze objects' counts, by their rows' keys.
    pub(super) async fn object_rows(&self) -> Result<BTreeMap<Key, Tally>, Fault> {
        let tally = |row: Progress| Tally {
            r#in: row.counts.input,
            committed: row.committed,
            filtered: row.counts.filtered,
            duplicate: row.counts.duplicate,
            quarantined: row.counts.quarantined,
            in_flight: row.counts.planned.saturating_sub(row.committed),
        };
        let rows = self.stack.object_rows(&self.clients).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, tally(row))).collect())
    }

    /// What ingest set aside in objects that were not there `before`: it never reached a bronze object's row.
    pub(super) async fn set_aside(&self, now: &BTreeSet<String>, before: &BTreeSet<String>) -> Result<u64, Fault> {
        let mut lines = 0;
        for key in now.difference(before) {
            lines += line_count(&unpacked(self.object("BronzeBucket", key).await?, key)?);
        }
        Ok(lines)
    }

    /// The segments that a log has committed, by first entry: its markers name them, an orphan has none.
    pub(super) async fn committed_segments(&self, log: &LogId) -> Result<BTreeSet<String>, Fault> {
        let control = self.stack.rows_of(&self.clients, "ControlTable")?;
        let markers = head::markers(log);
        let rows = control.query(&format!("read the markers of {log}"), &markers).await.map_err(unread)?;
        let markers = rows.into_iter().filter_map(|(sk, row)| {
            let (_, chunk) = head::parse_marker_key(&Key::new(&markers.pk, sk))?;
            Some(head::read_marker(chunk, row).map(|marker| marker.segment))
        });
        markers.collect::<Result<_, _>>().map_err(unread)
    }
}

/// The sum of the rows that were not there `before`.
pub(super) fn tally_since(now: &BTreeMap<Key, Tally>, before: &BTreeMap<Key, Tally>) -> (Tally, u64) {
    let new = now.iter().filter(|(key, _)| !before.contains_key(*key));
    new.fold((Tally::default(), 0), |(sum, objects), (_, tally)| (sum.plus(*tally), objects + 1))
}

/// Gzip or not, as the object's first bytes say.
pub(super) fn unpacked(bytes: Vec<u8>, key: &str) -> Result<Vec<u8>, Fault> {
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text);
    read.map_err(|error| {
        Fault::caused_by(format!("{key} does not unpack"), error, "look at the object: it is damaged")
    })?;
    Ok(text)
}

fn line_count(text: &[u8]) -> u64 {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn only_new_rows_are_counted() {
        let row = |committed| Tally { r#in: 3, committed, in_flight: 3 - committed, ..Tally::default() };
        let (a, b) = (Key::new("a", ""), Key::new("b", ""));
        let before = BTreeMap::from([(a.clone(), row(1))]);
        let now = BTreeMap::from([(a, row(3)), (b, row(2))]);
        assert_eq!(tally_since(&now, &before), (row(2), 1));
    }

    #[test]
    fn objects_are_read_packed_or_not() {
        let mut packed = Vec::new();
        for member in ["one\n", "two\n"] {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(member.as_bytes()).unwrap();
            packed.extend(gzip.finish().unwrap());
        }
        assert_eq!(line_count(&unpacked(packed.clone(), "k").unwrap()), 2);
        assert_eq!(line_count(&unpacked(b"one\n\ntwo".to_vec(), "k").unwrap()), 2);
        packed.truncate(packed.len() - 4);
        assert!(unpacked(packed, "some/key").unwrap_err().to_string().contains("some/key does not unpack"));
    }
}
