//! Which log a finding is about, and what rows are called in findings.
//!
//! Invariant: a log is named by the whole of its name at its place in a key, never by a part of it: what is wrong with
//! `big-acme` says nothing about `acme`.

use super::findings::Finding;
use crate::log::LogId;
use crate::posting::Posting;

impl Finding {
    /// The log whose object, head or posting the finding names; `None` if it names nothing of any one log.
    pub fn log(&self) -> Option<LogId> {
        let key = self.key.as_str();
        if let Some(path) = key.strip_prefix("ledger/") {
            let end = path.match_indices('/').nth(PARTS - 1)?.0;
            return LogId::parse(&path[..end]).ok();
        }
        if let Some(row) = key.strip_prefix(HEADS) {
            return LogId::parse(row.rsplit_once('/')?.0).ok();
        }
        if key.starts_with(RECORDS) {
            // A record's key may hold anything; what follows the last mark is ours.
            let (log, _first) = key.rsplit_once(POSTINGS)?.1.rsplit_once('#')?;
            return LogId::parse(log).ok();
        }
        LogId::parse(key).ok()
    }

    /// Whether the finding is about another log than this one, and about one at all.
    pub fn spares(&self, log: &LogId) -> bool {
        self.log().is_some_and(|named| named != *log)
    }
}

/// What a log's head is called.
pub fn head_row(log: &LogId) -> String {
    format!("{HEADS}{log}/HEAD")
}

/// What a posting's row is called.
pub(crate) fn posting_row(posting: &Posting) -> String {
    let Posting { record_key, log, first, .. } = posting;
    format!("{RECORDS}{record_key}{POSTINGS}{log}#{first:020}")
}

// Findings are evidence of their own: their words do not follow the tables' layout, should that ever change.
const HEADS: &str = "LOG#";
const RECORDS: &str = "INT#";
const POSTINGS: &str = " POST#";
/// Of a log's name.
const PARTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{archive_key, live_key};
    use crate::segment::SegmentName;
    use crate::tile::Tile;
    use crate::verify::FindingKind;
    use proptest::prelude::*;

    fn at(key: String) -> Finding {
        Finding { kind: FindingKind::ObjectMissing, key, entry: None, detail: String::new() }
    }

    /// Every form of key that verification gives its findings.
    fn keys(log: &LogId, record: &str, number: u64) -> Vec<String> {
        let digest = "0011223344556677".to_owned();
        let tile = Tile::parse("tile/0/000").map(|tile| tile.key(log));
        let mut keys = vec![
            SegmentName { log: log.clone(), first: number, count: 3, digest }.key(),
            format!("ledger/{log}/segment/{number:020}"),
            live_key(log),
            archive_key(log, number),
            format!("ledger/{log}/no such name"),
            format!("LOG#{log}/HEAD"),
            format!("INT#{record} POST#{log}#{number:020}"),
            log.to_string(),
        ];
        keys.extend(tile);
        keys
    }

    /// Names that are parts of one another.
    fn log() -> impl Strategy<Value = LogId> {
        let name = ("[aA._-]{1,3}", "[a-c]{1,2}", 0..13_u8, 0..13_u8);
        name.prop_filter_map("no name", |(org, class, generation, shard)| {
            LogId::parse(&format!("{org}/{class}/{generation}/{shard}")).ok()
        })
    }

    proptest! {
        #[test]
        fn a_finding_is_about_the_log_of_its_key_and_no_other(
            logs in proptest::collection::vec(log(), 2..6),
            record in "[a/# POST]{0,12}",
            number in any::<u64>(),
        ) {
            for (place, blamed) in logs.iter().enumerate() {
                for key in keys(blamed, &format!("{record} POST#{}#1", logs[(place + 1) % logs.len()]), number) {
                    let finding = at(key.clone());
                    prop_assert_eq!(finding.log(), Some(blamed.clone()), "{}", key);
                    for log in &logs {
                        prop_assert_eq!(finding.spares(log), log != blamed, "{} and {}", key, log);
                    }
                }
            }
        }

        #[test]
        fn any_text_is_some_logs_key_or_none(key in "(ledger/|LOG#|INT#)?[a/#0-9 POST]{0,40}") {
            let finding = at(key.clone());
            if let Some(log) = finding.log() {
                prop_assert!(key.contains(log.as_str()));
            }
        }
    }

    #[test]
    fn a_name_inside_another_is_not_blamed() {
        let acme = LogId::parse("acme/interaction/1/0").unwrap();
        for other in
            ["big-acme/interaction/1/0", "acme/interaction/1/10", "acme/interaction/11/0", "acme.eu/interaction/1/0"]
        {
            let other = LogId::parse(other).unwrap();
            for key in keys(&other, "acme/interaction/1/0", 7) {
                assert!(at(key.clone()).spares(&acme), "{key}");
            }
        }
    }

    #[test]
    fn what_names_no_log_is_about_all() {
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        for key in ["ledger/stray.txt", "ledger/acme/interaction", "", "LOGS"] {
            assert!(!at(key.to_owned()).spares(&log), "{key}");
        }
    }
}
