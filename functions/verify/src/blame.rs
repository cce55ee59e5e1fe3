//! Which log a finding is about.
//!
//! Invariant: a log is named by the whole of its name at its place in a key, never by a part of it: what is wrong with
//! `big-acme` says nothing about `acme`.

use ledgerline_ledger::log::LogId;
use ledgerline_ledger::verify::Finding;

/// The log whose object, head or posting a finding names; `None` if it names nothing of any one log.
pub(crate) fn log_of(finding: &Finding) -> Option<LogId> {
    let key = finding.key.as_str();
    if let Some(path) = key.strip_prefix("ledger/") {
        let end = path.match_indices('/').nth(PARTS - 1)?.0;
        return LogId::parse(&path[..end]).ok();
    }
    if let Some(row) = key.strip_prefix("LOG#") {
        return LogId::parse(row.rsplit_once('/')?.0).ok();
    }
    if key.starts_with("INT#") {
        // A record's key may hold anything; what follows the last mark is ours.
        let (log, _first) = key.rsplit_once(" POST#")?.1.rsplit_once('#')?;
        return LogId::parse(log).ok();
    }
    LogId::parse(key).ok()
}

/// Whether no finding is about this log, nor about none in particular.
pub(crate) fn is_good(findings: &[Finding], log: &LogId) -> bool {
    findings.iter().all(|finding| log_of(finding).is_some_and(|blamed| blamed != *log))
}

/// Of a log's name.
const PARTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_ledger::checkpoint::{archive_key, live_key};
    use ledgerline_ledger::segment::SegmentName;
    use ledgerline_ledger::tile::Tile;
    use ledgerline_ledger::verify::FindingKind;
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
                    let findings = [at(key.clone())];
                    prop_assert_eq!(log_of(&findings[0]), Some(blamed.clone()), "{}", key);
                    for log in &logs {
                        prop_assert_eq!(is_good(&findings, log), log != blamed, "{} and {}", key, log);
                    }
                }
            }
        }

        #[test]
        fn any_text_is_some_logs_key_or_none(key in "(ledger/|LOG#|INT#)?[a/#0-9 POST]{0,40}") {
            let finding = at(key.clone());
            if let Some(log) = log_of(&finding) {
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
                assert!(is_good(&[at(key.clone())], &acme), "{key}");
            }
        }
    }

    #[test]
    fn what_names_no_log_is_about_all() {
        let log = LogId::parse("acme/interaction/1/0").unwrap();
        for key in ["ledger/stray.txt", "ledger/acme/interaction", "", "LOGS"] {
            assert!(!is_good(&[at(key.to_owned())], &log), "{key}");
        }
        assert!(is_good(&[], &log));
    }
}
