//! Within what time a contact is to be answered: by media, or as `reference/queues.csv` says of a queue.
//!
//! Invariant: whatever the file says, the SQL is given whole numbers alone ([`Targets::distinct`]): it counts answers within
//! each of them, and [`Targets::of`] picks the counter of a row's own. A file that cannot be read whole is refused whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Targets in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// Of each media that has one of its own.
    pub by_media: BTreeMap<String, i64>,
    /// Of all other media.
    pub other: i64,
    /// Of queues that have one of their own: by queue, then by media.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_queue: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Why a file of targets cannot be used. Names lines, and repeats nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not its first line.
    #[error("the first line of reference/queues.csv is not {HEADER}: write it so")]
    Header,
    /// A line that does not read.
    #[error("line {line} of reference/queues.csv {problem}")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// Too many different ones.
    #[error("reference/queues.csv has more than {DISTINCT_MAX} different targets: round some of them")]
    TooMany,
}

impl Default for Targets {
    fn default() -> Self {
        let by_media = BY_MEDIA.iter().map(|(media, target_ms)| ((*media).to_owned(), *target_ms)).collect();
        Self { by_media, other: OTHER_MS, by_queue: BTreeMap::new() }
    }
}

impl Targets {
    /// The defaults, and what a file says of queues: lines of queue id, media and seconds, below a [`HEADER`]. A queue
    /// and media that stand twice are refused.
    ///
    /// # Errors
    /// The first that is wrong with it.
    pub fn read(csv: &str) -> Result<Self, TargetError> {
        let mut targets = Self::default();
        let mut lines = csv.trim_start_matches('\u{feff}').lines().enumerate();
        if lines.next().map(|(_, line)| line.trim_end()) != Some(HEADER) {
            return Err(TargetError::Header);
        }
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let bad = |problem| TargetError::Line { line: at + 1, problem };
            let mut cells = line.trim_end().split(',');
            let (Some(queue), Some(media), Some(seconds), None) =
                (cells.next(), cells.next(), cells.next(), cells.next())
            else {
                return Err(bad("has not three cells, of queue id, media and seconds: write them without quotes"));
            };
            if queue.is_empty() || queue.len() > QUEUE_BYTES || !queue.bytes().all(is_of_id) {
                return Err(bad(
                    "names no queue: write its id, of at most 64 letters, digits, dots, dashes, underscores",
                ));
            }
            if !BY_MEDIA.iter().any(|(known, _)| *known == media) {
                return Err(bad(
                    "has a media that is none of VOICE, CALLBACK, CHAT, MESSAGE, EMAIL: write one of them",
                ));
            }
            let seconds = seconds.parse::<i64>().ok().filter(|seconds| (1..=SECONDS_MAX).contains(seconds));
            let seconds =
                seconds.ok_or_else(|| bad("has no target from 1 to 2678400 seconds: write a whole number"))?;
            let of_queue = targets.by_queue.entry(queue.to_owned()).or_default();
            if of_queue.insert(media.to_owned(), seconds * 1_000).is_some() {
                return Err(bad("names a queue and media that an earlier line names: keep one of them"));
            }
        }
        if targets.distinct().len() > DISTINCT_MAX { Err(TargetError::TooMany) } else { Ok(targets) }
    }

    /// The target of a queue's media.
    pub fn of(&self, queue_id: Option<&str>, media: &str) -> i64 {
        let of_queue = queue_id.and_then(|queue| self.by_queue.get(queue)?.get(media));
        of_queue.or_else(|| self.by_media.get(media)).copied().unwrap_or(self.other)
    }

    /// All targets there are, ascending.
    pub fn distinct(&self) -> Vec<i64> {
        let of_queues = self.by_queue.values().flat_map(BTreeMap::values);
        let all: BTreeSet<i64> = self.by_media.values().chain(of_queues).chain([&self.other]).copied().collect();
        all.into_iter().collect()
    }
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// The first line of a file of targets.
pub const HEADER: &str = "queue_id,media,target_seconds";
/// Genesys' own defaults are of this order: 20 s for what is spoken or typed at once, a day for e-mail.
const BY_MEDIA: [(&str, i64); 5] =
    [("CALLBACK", 20_000), ("CHAT", 20_000), ("EMAIL", 86_400_000), ("MESSAGE", 20_000), ("VOICE", 20_000)];
/// One sum of the SQL for each; Athena's texts end at 262,144 bytes, and one takes some 150.
const DISTINCT_MAX: usize = 32;
const OTHER_MS: i64 = 20_000;
const QUEUE_BYTES: usize = 64;
/// A month.
const SECONDS_MAX: i64 = 2_678_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_its_own_target_for_one_media_and_the_default_for_the_others() {
        let targets = Targets::read("queue_id,media,target_seconds\r\nq-1,VOICE,60\n\nq-1,EMAIL,3600\n").unwrap();
        assert_eq!(targets.of(Some("q-1"), "VOICE"), 60_000);
        assert_eq!(targets.of(Some("q-1"), "CHAT"), 20_000);
        assert_eq!(targets.of(Some("q-2"), "VOICE"), 20_000);
        assert_eq!((targets.of(None, "EMAIL"), targets.of(None, "UNKNOWN")), (86_400_000, 20_000));
        assert_eq!(targets.distinct(), [20_000, 60_000, 3_600_000, 86_400_000]);
        assert_eq!(Targets::default().distinct(), [20_000, 86_400_000]);
    }

    #[test]
    fn a_file_that_is_wrong_anywhere_is_refused_and_the_line_named() {
        assert_eq!(Targets::read(""), Err(TargetError::Header));
        assert_eq!(Targets::read("queue,media,seconds\n"), Err(TargetError::Header));
        for line in [
            "q,VOICE",
            "q,VOICE,20,x",
            ",VOICE,20",
            "q';--,VOICE,20",
            "q,FAX,20",
            "q,VOICE,0",
            "q,VOICE,-1",
            "q,VOICE,1e3",
            "q,VOICE,99999999",
            "a,VOICE,20",
        ] {
            let error = Targets::read(&format!("{HEADER}\na,VOICE,20\n{line}\n")).unwrap_err();
            assert!(matches!(error, TargetError::Line { line: 3, .. }), "{line}: {error}");
        }
        let many: String = (1..=40).map(|seconds| format!("q{seconds},VOICE,{seconds}\n")).collect();
        assert_eq!(Targets::read(&format!("{HEADER}\n{many}")), Err(TargetError::TooMany));
    }
}
