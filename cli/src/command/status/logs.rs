//! How far each log's checkpoints are behind its entries, and since when.
//!
//! Invariant: the head's word is held against the archive's: a head knows when somebody last tried to sign, the archive
//! what was signed. The time since which entries are not covered is that at which the first of them was written.

use std::io;

use ledgerline_ledger::head::StoredHead;
use ledgerline_ledger::log::LogId;
use ledgerline_ledger::segment::SegmentName;
use ledgerline_store::ledger::LedgerStores;
use ledgerline_store::segment::SegmentVersion;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::context::{age, moment};
use crate::fault::Fault;
use crate::screen::{Screen, counted, grouped};

/// Longest that an entry may wait for a checkpoint: a log that grew is signed within ten seconds, or by the sweep, which
/// comes by every minute; twice that is late.
pub(super) const UNCOVERED_MAX_MS: u64 = 2 * 60 * 1000;
/// Archived checkpoints looked at from the head's on: one, or a few that were signed meanwhile.
const ARCHIVED_MAX: usize = 20;
/// Versions that may begin at one index: the committed segment and orphans beside it.
const VERSIONS_MAX: usize = 20;

/// A log that was ever appended to.
#[derive(Debug)]
pub(super) struct LogState {
    pub(super) log: LogId,
    /// `None`: the list of logs names it, and its head is gone.
    pub(super) head: Option<StoredHead>,
    /// Sizes of the archived checkpoints from the one on that the head names as its newest.
    pub(super) archived: Vec<u64>,
    /// When the first entry that no checkpoint covers was written, if its segment is there.
    pub(super) uncovered_since_ms: Option<u64>,
}

/// Looks at every log's head and at what the bucket says of it.
pub(super) fn look(cloud: &Cloud) -> Result<Vec<LogState>, Fault> {
    let LedgerStores { heads, checkpoints, segments, .. } = cloud.ledger()?;
    let mut states = Vec::new();
    for log in cloud.ask(heads.logs())? {
        let mut head = cloud.ask(heads.head(&log))?;
        let from = head.as_ref().map_or(0, |head| head.signed);
        let found = cloud.ask(checkpoints.archived(&log, from, ARCHIVED_MAX))?;
        let archived: Vec<u64> = found.into_iter().map(|one| one.size).collect();
        if head.as_ref().is_some_and(|head| archived.iter().any(|size| *size > head.size)) {
            // It may have grown and been signed meanwhile: what the head says after the list decides.
            head = cloud.ask(heads.head(&log))?;
        }
        let mut state = LogState { log, head, archived, uncovered_since_ms: None };
        if state.uncovered() > 0 {
            let first = state.covered();
            let versions = cloud.ask(segments.from(&state.log, first, VERSIONS_MAX))?;
            state.uncovered_since_ms = written_ms(&versions, first);
        }
        states.push(state);
    }
    Ok(states)
}

/// When the segment that begins there was written. Of several the newest: the others are orphans, from before its commit.
fn written_ms(versions: &[SegmentVersion], first: u64) -> Option<u64> {
    let begins = |version: &&SegmentVersion| SegmentName::parse(&version.key).is_some_and(|name| name.first == first);
    let newest = versions.iter().filter(begins).map(|version| version.written_at_ms).max()?;
    u64::try_from(newest).ok()
}

impl LogState {
    /// The size of the largest checkpoint of this very head or of one before it.
    fn covered(&self) -> u64 {
        let Some(head) = &self.head else { return 0 };
        self.archived.iter().copied().filter(|size| *size <= head.size).max().unwrap_or(head.signed)
    }

    /// Entries that no checkpoint covers yet.
    pub(super) fn uncovered(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.size.saturating_sub(self.covered()))
    }

    /// Whether an entry waits for a checkpoint for longer than any should. One whose segment is gone will not get any.
    pub(super) fn is_late(&self, now_ms: u64) -> bool {
        self.uncovered() > 0 && self.uncovered_since_ms.is_none_or(|since_ms| since_ms + UNCOVERED_MAX_MS < now_ms)
    }

    /// What of it needs a person, and what to do.
    pub(super) fn concerns(&self, now_ms: u64) -> Vec<Concern> {
        let log = &self.log;
        let restore = "put the control table back to a moment at which it had one (point-in-time recovery): until then \
                       the log takes no entries; `ledgerline verify --stack` says what its bucket holds";
        let Some(head) = &self.head else {
            return vec![Concern::new("no head", format!("the head of {log} is gone"), restore)];
        };
        let mut concerns = Vec::new();
        if let Some(size) = self.archived.iter().find(|size| **size > head.size) {
            let what = format!(
                "the head of {log} ends at {}, an archived checkpoint at {}",
                grouped(head.size),
                grouped(*size)
            );
            concerns.push(Concern::new("behind", what, restore));
        }
        if head.signed > 0 && !self.archived.contains(&head.signed) {
            let what = format!("the checkpoint of {log} at {} is not in its archive", grouped(head.signed));
            let remedy = "run `ledgerline verify --stack`: it says what else is gone; look for who deleted it";
            concerns.push(Concern::new("no copy", what, remedy));
        }
        if self.is_late(now_ms) {
            let since = self.uncovered_since_ms.map_or_else(
                || "their first segment is gone".to_owned(),
                |since_ms| format!("the first since {}", moment(since_ms / 1000)),
            );
            let entries = counted(self.uncovered(), "entry", "entries");
            let what = format!("no checkpoint covers {entries} of {log}, {since}");
            let remedy = "see the sweep's and audit-write's logs for `signing failed`, and run `ledgerline doctor`";
            concerns.push(Concern::new(LATE, what, remedy));
        }
        concerns
    }

    pub(super) fn json(&self, now_ms: u64) -> Value {
        let Some(head) = &self.head else { return json!({ "log": self.log.as_str(), "head": false }) };
        json!({
            "log": self.log.as_str(), "head": true, "size": head.size, "indexed": head.indexed,
            "published": head.published, "signed": head.signed, "signedAtMs": head.signed_at_ms,
            "unpublishedSegments": head.unpublished.len(), "newestCheckpoint": self.archived.iter().max(),
            "uncovered": self.uncovered(), "uncoveredSinceMs": self.uncovered_since_ms, "late": self.is_late(now_ms),
        })
    }

    /// The log's row on the screen, below [`HEADINGS`].
    fn row(&self, now_ms: u64) -> Vec<String> {
        let state = self.concerns(now_ms).first().map_or("ok", |concern| concern.state);
        let mut row = vec![self.log.to_string(), state.to_owned()];
        let Some(head) = &self.head else {
            row.resize(HEADINGS.len(), NONE.to_owned());
            return row;
        };
        let lag = |to: u64| Some(head.size.saturating_sub(to)).filter(|lag| *lag > 0).map_or(NONE.to_owned(), grouped);
        let unknown = if self.uncovered() > 0 { "?" } else { NONE };
        let waits =
            self.uncovered_since_ms.map_or_else(|| unknown.to_owned(), |since_ms| age(now_ms.saturating_sub(since_ms)));
        row.extend([grouped(head.size), lag(self.covered()), waits, lag(head.indexed), lag(head.published)]);
        row
    }

    /// What its row has no room for.
    fn draw_details(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.fact("log", self.log.as_str())?;
        let Some(head) = &self.head else { return screen.fact("  head", "gone") };
        let of = |to: u64| format!("{} of {} entries", grouped(to), grouped(head.size));
        screen.fact("  checkpoint at", &of(self.covered()))?;
        let tried = Some(head.signed_at_ms).filter(|tried_ms| *tried_ms > 0);
        let tried = tried.map_or_else(|| "never".to_owned(), |tried_ms| moment(tried_ms / 1000));
        screen.fact("  last tried", &tried)?;
        if let Some(since_ms) = self.uncovered_since_ms {
            screen.fact("  unsigned since", &moment(since_ms / 1000))?;
        }
        screen.fact("  indexed", &of(head.indexed))?;
        screen.fact("  published", &of(head.published))
    }
}

/// Draws a row for each log: what is wrong first, then what is late, then the rest, each by name.
pub(super) fn draw(logs: &[LogState], now_ms: u64, verbose: bool, screen: &mut Screen<'_>) -> io::Result<()> {
    if logs.is_empty() {
        return screen.say("No log has an entry yet.");
    }
    let mut logs: Vec<&LogState> = logs.iter().collect();
    logs.sort_by_cached_key(|log| {
        let rank = match log.concerns(now_ms).first().map(|concern| concern.state) {
            Some(LATE) => 1,
            Some(_) => 0,
            None => 2,
        };
        (rank, log.log.clone())
    });
    let rows: Vec<Vec<String>> = logs.iter().map(|log| log.row(now_ms)).collect();
    screen.log_table(&HEADINGS, &rows)?;
    if verbose || logs.len() == 1 {
        for log in logs {
            screen.gap()?;
            log.draw_details(screen)?;
        }
    }
    Ok(())
}

/// Something that needs a person.
#[derive(Debug)]
pub(super) struct Concern {
    /// In a word, for the log's row.
    state: &'static str,
    /// What was seen.
    pub(super) what: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Concern {
    fn new(state: &'static str, what: String, remedy: &str) -> Self {
        Self { state, what, remedy: remedy.to_owned() }
    }
}

/// The state of a log whose entries wait for a checkpoint for too long.
const LATE: &str = "late";
/// Instead of a number: none, or not known.
const NONE: &str = "–";
/// The table's headings.
const HEADINGS: [&str; 7] = ["log", "state", "entries", "unsigned", "waits", "to index", "to publish"];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ledgerline_ledger::tree::Edge;

    pub(in crate::command::status) const NOW_MS: u64 = 1_772_460_000_000;

    /// A log of five entries whose head says that the first three are signed, and that somebody tried just now.
    pub(in crate::command::status) fn state() -> LogState {
        let head = StoredHead {
            size: 5,
            root: Edge::empty().root(),
            edge: Vec::new(),
            unpublished: Vec::new(),
            indexed: 5,
            published: 5,
            signed: 3,
            signed_at_ms: NOW_MS,
            signing_keys: vec![],
        };
        LogState {
            log: LogId::parse("acme/interaction/1/0").unwrap(),
            head: Some(head),
            archived: vec![3],
            uncovered_since_ms: Some(NOW_MS - UNCOVERED_MAX_MS),
        }
    }

    fn only_concern(state: &LogState) -> String {
        let concerns = state.concerns(NOW_MS);
        assert_eq!(concerns.len(), 1, "{concerns:?}");
        concerns[0].what.clone()
    }

    #[test]
    fn entries_wait_for_a_checkpoint_for_two_minutes_whoever_tried_meanwhile() {
        let mut state = state();
        assert!(state.concerns(NOW_MS).is_empty());
        state.uncovered_since_ms = Some(NOW_MS - UNCOVERED_MAX_MS - 1);
        assert!(only_concern(&state).contains("covers 2 entries of acme/interaction/1/0, the first since 2026-03-02"));
        assert_eq!(state.json(NOW_MS)["late"], true);
        // A crash between the archive and the head leaves a checkpoint that the head does not know of: it covers.
        state.archived.push(5);
        assert_eq!((state.uncovered(), state.concerns(NOW_MS).len()), (0, 0));
    }

    #[test]
    fn a_log_without_a_head_a_checkpoint_or_a_segment_is_named() {
        let gone = LogState { head: None, ..state() };
        assert!(only_concern(&gone).contains("the head of acme/interaction/1/0 is gone"));
        assert_eq!(gone.json(NOW_MS)["head"], false);
        assert_eq!(gone.row(NOW_MS).len(), HEADINGS.len());
        let unarchived = LogState { archived: Vec::new(), ..state() };
        assert!(only_concern(&unarchived).contains("is not in its archive"));
        let rolled_back = LogState { archived: vec![3, 9], ..state() };
        assert!(only_concern(&rolled_back).contains("ends at 5, an archived checkpoint at 9"));
        let missing = LogState { uncovered_since_ms: None, ..state() };
        assert!(only_concern(&missing).contains("their first segment is gone"));
    }

    #[test]
    fn of_several_versions_at_a_place_the_newest_is_the_committed_one() {
        let log = state().log;
        let version = |first, written_at_ms: i64| SegmentVersion {
            key: SegmentName::of(&log, first, 2, &written_at_ms.to_string().into_bytes()).key(),
            version_id: "v".to_owned(),
            written_at_ms,
        };
        assert_eq!(written_ms(&[version(3, 10), version(3, 20), version(5, 30)], 3), Some(20));
        assert_eq!(written_ms(&[version(5, 30)], 3), None);
    }

    fn drawn(width: usize, verbose: bool, logs: &[LogState]) -> String {
        let mut out = Vec::new();
        draw(logs, NOW_MS, verbose, &mut Screen::new(&mut out, width, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn named(name: &str, state: LogState) -> LogState {
        LogState { log: LogId::parse(name).unwrap(), ..state }
    }

    #[test]
    fn what_is_wrong_comes_first_then_what_is_late_then_the_rest_by_name() {
        let late = LogState { uncovered_since_ms: Some(NOW_MS - 3 * UNCOVERED_MAX_MS), ..state() };
        let gone = LogState { head: None, ..state() };
        let logs = [
            named("acme/interaction/1/0", LogState { archived: vec![5], uncovered_since_ms: None, ..state() }),
            named("beta/interaction/1/0", late),
            named("zeta/interaction/1/0", gone),
        ];
        let told = "
  log                    state     entries   unsigned   waits   to index   to publish
  acme/interaction/1/0   no copy         5          –   –              –            –
  zeta/interaction/1/0   no head         –          –   –              –            –
  beta/interaction/1/0   late            5          2   6m             –            –
";
        assert_eq!(drawn(100, false, &logs), told[1..]);
    }

    #[test]
    fn one_log_has_its_details_and_verbose_shows_those_of_all() {
        let told = "
  log                    state   entries   unsigned   waits   to index   to publish
  acme/interaction/1/0   ok            5          2   2m             –            –

  log                 acme/interaction/1/0
    checkpoint at     3 of 5 entries
    last tried        2026-03-02T14:00:00Z
    unsigned since    2026-03-02T13:58:00Z
    indexed           5 of 5 entries
    published         5 of 5 entries
";
        let one = drawn(100, false, &[state()]);
        assert_eq!(one, told[1..]);
        let both = [state(), named("beta/interaction/1/0", state())];
        assert!(!drawn(100, false, &both).contains("indexed  "));
        assert_eq!(drawn(100, true, &both).matches("    indexed  ").count(), 2);
    }

    #[test]
    fn thirty_logs_and_a_long_name_are_a_line_each_at_80_columns() {
        let long = format!("{}/interaction/1/0", "long".repeat(16));
        let mut logs: Vec<LogState> =
            (0..29).map(|org| named(&format!("org-{org:02}/interaction/1/0"), state())).collect();
        logs.push(named(&long, state()));
        for width in [80, 100] {
            let told = drawn(width, false, &logs);
            assert_eq!(told.lines().count(), 1 + 30 + 1, "{told}");
            assert!(told.lines().all(|line| line.chars().count() <= width), "{told}");
            assert!(told.contains("…") && told.contains("/1/0 ") && !told.contains(&long), "{told}");
        }
        assert!(drawn(80, true, &logs).contains(&long));
    }
}
