//! Bronze against the rows: which objects were forgotten, and what brings them back.
//!
//! A notification or a pointer can be lost for good only in ways that nobody saw; this finds what is left of it. Each
//! bronze object is looked at once, half an hour after it was written; one that is not through by then stays on a list
//! and is looked at again every half hour, until it is through or leaves the window.
//!
//! Invariant: what is sent is what was or should have been sent before: a notification of the object, or pointers of its
//! plan. Sending it once too often changes nothing, so the turns below only keep it cheap. Left out: objects that are gone. A
//! duplicate whose owning object vanished before it was planned cannot be found from here, since claims name objects and
//! not the other way round; transform keeps such an object as poison, which is alarmed.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::BRONZE;
use ledgerline_ledger::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An object that is younger, or was taken up or swept more recently, is left alone: its message may still be under
/// way. As long as a failed notification stays invisible.
pub const PATIENCE_MS: i64 = 30 * 60 * 1000;
/// Objects older than this are not looked for: events are at most 48 hours late in their partitions, and what failed for
/// four days is in a dead-letter queue.
pub const WINDOW_MS: i64 = 4 * DAY_MS;
/// Messages in a queue from which on nothing is added to it: what is missing is most likely among them.
pub const BACKLOG_MAX: u64 = 1_000;
/// The pause before an object's next turn doubles from [`PATIENCE_MS`] up to 16 hours: what no retry helps gets
/// eleven of them within the window, not 192.
const DOUBLINGS_MAX: u32 = 5;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const VERSION: u32 = 1;
/// The partitions' families; `late` is by day of arrival.
const FAMILIES: [&str; 3] = ["interaction", "entity", "late"];

/// An object in bronze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BronzeObject {
    /// Its key.
    pub key: String,
    /// When it was written, epoch milliseconds.
    pub written_at_ms: i64,
}

/// Lists bronze (BronzeBucket: ListBucket).
pub trait ListBronze {
    /// Up to a page of objects under the prefix, behind the key `after`, in the order of their keys. Fewer than
    /// [`PAGE`] are the last.
    fn page(&self, prefix: &str, after: &str) -> impl Future<Output = Result<Vec<BronzeObject>, StoreError>> + Send;
}

/// Objects in one page: S3's most.
pub const PAGE: usize = 1_000;

/// An object's row, as far as it says whether the object is through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// When it was first taken up, epoch milliseconds.
    pub started_at_ms: Option<i64>,
    /// When it was planned, if it is.
    pub planned_at_ms: Option<i64>,
    /// Entries planned.
    pub planned: u64,
    /// Entries committed.
    pub committed: u64,
    /// Ordinals of committed chunks.
    pub done: BTreeSet<u32>,
    /// The last turn that was taken for it.
    pub swept_at_ms: Option<i64>,
    /// How many turns were taken.
    pub turns: u32,
}

/// Reads rows and takes turns (ControlTable: BatchGetItem, UpdateItem on `OBJ#`).
pub trait SweepRows {
    /// The rows of these objects, in their order, read consistently.
    fn progress(&self, objects: &[ObjectId]) -> impl Future<Output = Result<Vec<Option<Progress>>, StoreError>> + Send;

    /// Takes the object's next turn: notes `now_ms` and one turn more, if the row's last turn is still `before`'s.
    /// `false`: somebody else took it.
    fn take_turn(
        &self,
        object: ObjectId,
        key: &str,
        before: Option<i64>,
        now_ms: i64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Tells transform of an object as S3 does (BronzeQueue: SendMessage, GetQueueAttributes).
pub trait NotifyBronze {
    /// Messages that wait or are worked on.
    fn backlog(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Sends the [`notification`] that the object was created.
    fn notify(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Asks how many pointers wait (LedgerQueue: GetQueueAttributes).
pub trait PointerBacklog {
    /// Messages that wait or are worked on.
    fn backlog(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The message that S3 would have sent when the object was created, as far as anybody reads it: the key is encoded as HTML
/// forms are, a space as `+`.
pub fn notification(bucket: &str, key: &str) -> String {
    let mut encoded = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": { "s3SchemaVersion": "1.0", "configurationId": "sweep", "bucket": { "name": bucket }, "object": { "key": encoded } },
    });
    json!({ "Records": [record] }).to_string()
}

/// What an object needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing any more: all of its events are accounted for.
    Through,
    /// Time.
    Wait,
    /// A notification: nobody planned it.
    Notify,
    /// The pointers of chunks that are not committed.
    Resend,
}

/// What an object needs that was written long enough ago.
pub fn judge(row: Option<&Progress>, now_ms: i64) -> Verdict {
    let Some(row) = row else { return Verdict::Notify };
    let recently = |at_ms: Option<i64>, pause_ms: i64| at_ms.is_some_and(|at_ms| now_ms - at_ms < pause_ms);
    let pause_ms = PATIENCE_MS << row.turns.saturating_sub(1).min(DOUBLINGS_MAX);
    let verdict = match row.planned_at_ms {
        Some(_) if row.committed >= row.planned => return Verdict::Through,
        Some(_) => Verdict::Resend,
        None => Verdict::Notify,
    };
    let newest_step = row.planned_at_ms.or(row.started_at_ms);
    if recently(newest_step, PATIENCE_MS) || recently(row.swept_at_ms, pause_ms) { Verdict::Wait } else { verdict }
}

/// How far bronze was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciling {
    v: u32,
    /// Objects written before were looked at.
    looked_to_ms: i64,
    /// When the newest pass began.
    pass_began_ms: i64,
    /// Where it stands: the prefix's number and the last key; `None` between two passes.
    at: Option<(usize, String)>,
    /// Objects that are not through: key → when written.
    open: BTreeMap<String, i64>,
}

impl Reconciling {
    /// Nothing looked at yet.
    pub fn from_nothing(now_ms: i64) -> Self {
        Self { v: VERSION, looked_to_ms: now_ms - WINDOW_MS, pass_began_ms: 0, at: None, open: BTreeMap::new() }
    }

    /// Reads what [`Reconciling::write`] wrote; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|state: &Self| state.v == VERSION)
    }

    /// The state as JSON.
    ///
    /// # Errors
    /// None that this type can cause; serde's own.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Begins a pass if it is time. Returns whether one begins, in which the open objects are to be looked at first.
    pub fn begin(&mut self, now_ms: i64) -> bool {
        let begins = self.at.is_none() && now_ms - self.pass_began_ms >= PATIENCE_MS;
        if begins {
            self.pass_began_ms = now_ms;
            self.at = Some((0, String::new()));
        }
        begins
    }

    /// The prefix and the key behind which the next page begins; `None` outside a pass.
    pub fn next_page(&self) -> Option<(String, &str)> {
        let (prefix, after) = self.at.as_ref()?;
        Some((prefixes(self.pass_began_ms).get(*prefix)?.clone(), after))
    }

    /// Notes a page: returns those of its objects that no pass looked at and that are old enough to be looked at.
    pub fn took_page(&mut self, page: &[BronzeObject]) -> Vec<BronzeObject> {
        let span = self.looked_to_ms..self.pass_began_ms - PATIENCE_MS;
        let due = page.iter().filter(|one| span.contains(&one.written_at_ms) && !self.open.contains_key(&one.key));
        let due = due.cloned().collect();
        if let Some((prefix, after)) = &mut self.at {
            match page.last().filter(|_| page.len() >= PAGE) {
                Some(last) => after.clone_from(&last.key),
                None => (*prefix, *after) = (*prefix + 1, String::new()),
            }
            if *prefix >= prefixes(self.pass_began_ms).len() {
                self.at = None;
                self.looked_to_ms = self.looked_to_ms.max(self.pass_began_ms - PATIENCE_MS);
            }
        }
        due
    }

    /// Objects that were not through when they were looked at last.
    pub fn open(&self) -> Vec<BronzeObject> {
        let object = |(key, at_ms): (&String, &i64)| BronzeObject { key: key.clone(), written_at_ms: *at_ms };
        self.open.iter().map(object).collect()
    }

    /// Notes what became of an object; `true` if it leaves the window and was never through.
    pub fn judged(&mut self, object: &BronzeObject, verdict: Verdict, now_ms: i64) -> bool {
        let given_up = verdict != Verdict::Through && now_ms - object.written_at_ms > WINDOW_MS;
        if verdict == Verdict::Through || given_up {
            self.open.remove(&object.key);
        } else {
            self.open.insert(object.key.clone(), object.written_at_ms);
        }
        given_up
    }
}

/// The prefixes that can hold objects of the window: each family's days, today's first.
fn prefixes(now_ms: i64) -> Vec<String> {
    let days = (0..=WINDOW_MS / DAY_MS).map(|days_ago| now_ms - days_ago * DAY_MS);
    let prefix = |(family, at_ms)| {
        let day = ledgerline_event::instant::to_rfc3339(at_ms);
        let (year, month, day) = (&day[..4], &day[5..7], &day[8..10]);
        format!("{BRONZE}event_type={family}/year={year}/month={month}/day={day}/")
    };
    days.flat_map(|at_ms| FAMILIES.map(|family| (family, at_ms))).map(prefix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_772_460_000_000;

    fn row() -> Progress {
        Progress { started_at_ms: Some(NOW_MS - WINDOW_MS), ..Progress::default() }
    }

    fn planned() -> Progress {
        Progress { planned_at_ms: Some(NOW_MS - PATIENCE_MS), planned: 3, committed: 2, ..row() }
    }

    #[test]
    fn what_an_object_needs_follows_from_its_row() {
        let cases = [
            (None, Verdict::Notify),
            (Some(row()), Verdict::Notify),
            (Some(Progress { started_at_ms: Some(NOW_MS - PATIENCE_MS + 1), ..row() }), Verdict::Wait),
            (Some(Progress { started_at_ms: None, ..row() }), Verdict::Notify),
            (Some(planned()), Verdict::Resend),
            (Some(Progress { planned_at_ms: Some(NOW_MS - 1), ..planned() }), Verdict::Wait),
            (Some(Progress { committed: 3, planned_at_ms: Some(NOW_MS), ..planned() }), Verdict::Through),
            (Some(Progress { planned: 0, committed: 0, ..planned() }), Verdict::Through),
            // audit-write came first, as it may: nothing is known of the plan yet.
            (Some(Progress { planned_at_ms: None, planned: 0, ..planned() }), Verdict::Notify),
        ];
        for (row, verdict) in cases {
            assert_eq!(judge(row.as_ref(), NOW_MS), verdict, "{row:?}");
        }
    }

    #[test]
    fn turns_are_never_closer_than_half_an_hour_and_get_rarer() {
        let mut at_ms = NOW_MS;
        let mut row = Progress::default();
        let mut pauses = Vec::new();
        for turns in 1..=8 {
            row = Progress { swept_at_ms: Some(at_ms), turns, ..row };
            let next =
                (1..).map(|minutes| at_ms + minutes * 60_000).find(|now| judge(Some(&row), *now) == Verdict::Notify);
            let next = next.unwrap();
            pauses.push((next - at_ms) / 60_000);
            at_ms = next;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 960, 960]);
    }

    #[test]
    fn every_day_of_the_window_is_looked_through_in_each_family() {
        let prefixes = prefixes(NOW_MS);
        assert_eq!(prefixes.len(), 15);
        assert_eq!(prefixes[0], "bronze/event_type=interaction/year=2026/month=03/day=02/");
        assert_eq!(prefixes[14], "bronze/event_type=late/year=2026/month=02/day=26/");
    }

    #[test]
    fn an_object_is_looked_at_once_and_again_only_while_it_is_open() {
        let mut state = Reconciling::from_nothing(NOW_MS - PATIENCE_MS);
        let object = BronzeObject { key: "bronze/a".to_owned(), written_at_ms: NOW_MS - PATIENCE_MS - 1 };
        let young = BronzeObject { key: "bronze/b".to_owned(), written_at_ms: NOW_MS - PATIENCE_MS };
        let pass = |state: &mut Reconciling, now_ms| {
            assert!(state.begin(now_ms) && !state.begin(now_ms));
            let mut due = Vec::new();
            while let Some((prefix, _)) = state.next_page() {
                let page = if prefix.contains("interaction/year=2026/month=03/day=02") {
                    vec![object.clone(), young.clone()]
                } else {
                    vec![]
                };
                due.extend(state.took_page(&page));
            }
            due
        };
        assert_eq!(pass(&mut state, NOW_MS), std::slice::from_ref(&object));
        assert!(!state.judged(&object, Verdict::Wait, NOW_MS));
        assert!(!state.begin(NOW_MS + PATIENCE_MS - 1), "a pass begins every half hour");
        let mut state = Reconciling::read(&state.write().unwrap()).unwrap();
        assert_eq!(state.open(), std::slice::from_ref(&object));
        assert_eq!(pass(&mut state, NOW_MS + PATIENCE_MS), std::slice::from_ref(&young));
        assert!(!state.judged(&object, Verdict::Through, NOW_MS));
        assert!(state.open().is_empty());
        assert!(state.judged(&young, Verdict::Notify, young.written_at_ms + WINDOW_MS + 1), "given up");
        assert!(state.open().is_empty());
    }

    #[test]
    fn a_full_page_goes_on_behind_its_last_key() {
        let mut state = Reconciling::from_nothing(NOW_MS);
        assert_eq!(state.next_page(), None);
        state.begin(NOW_MS);
        let object = |at: usize| BronzeObject { key: format!("bronze/{at:04}"), written_at_ms: 0 };
        let page: Vec<BronzeObject> = (0..PAGE).map(object).collect();
        let first = state.next_page().unwrap().0;
        assert!(state.took_page(&page).is_empty());
        assert_eq!(state.next_page(), Some((first.clone(), "bronze/0999")));
        state.took_page(&page[..1]);
        assert_ne!(state.next_page().unwrap().0, first);
    }

    #[test]
    fn state_of_another_version_is_no_state() {
        let bytes = Reconciling::from_nothing(0).write().unwrap();
        let other = String::from_utf8(bytes).unwrap().replace("\"v\":1", "\"v\":2");
        assert_eq!(Reconciling::read(other.as_bytes()), None);
        assert_eq!(Reconciling::read(b""), None);
    }
}
