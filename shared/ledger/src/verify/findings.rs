//! What verification can say: a closed list of kinds, each with a stable code and words for a person.
//!
//! Invariant: a kind's code never changes its meaning; programs read it. The words may be improved at any time.

use serde::{Serialize, Serializer};

/// One contradiction in the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of contradiction.
    pub kind: FindingKind,
    /// The object's key, or the row's name where it is about a row.
    pub key: String,
    /// The index of the first entry that it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// What was found in this case.
    pub detail: String,
}

macro_rules! finding_kinds {
    ($($(#[doc = $doc:literal])+ $name:ident, $code:literal, $means:literal, $remedy:literal;)+) => {
        /// The kinds of contradiction.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code, in snake case.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $means,)+ }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

finding_kinds! {
    /// A listed version has no bytes.
    ObjectMissing, "object_missing",
        "An object that the evidence lists is not there.",
        "Fetch the version named again from the bucket; if it is gone there, too, find out who could delete it.";
    /// A delete marker lies over an object.
    DeleteMarker, "delete_marker",
        "Somebody deleted an object of the ledger; the locked version below the delete marker is still there.",
        "Find the DeleteObject call in CloudTrail, then remove the delete marker.";
    /// A locked key has more than one version.
    ExtraVersion, "extra_version",
        "A key that is written once has a second version.",
        "Compare both versions; evidence is the older one. Find the PutObject call of the newer one.";
    /// A key that the ledger does not write.
    ForeignObject, "foreign_object",
        "An object lies in the ledger that the ledger does not write.",
        "Find out who wrote it; nothing but audit-write may write there.";
    /// A version that must be locked is not.
    LockMissing, "lock_missing",
        "A piece of evidence has no retention lock, so that it can be deleted.",
        "Find out how the lock went; `ledgerline retention --extend` locks the version for its full time.";
    /// A lock of a weaker mode than required.
    LockTooWeak, "lock_too_weak",
        "A lock has a weaker mode than the retention rule demands.",
        "Find out who changed or chose the weaker one; `ledgerline retention --extend` locks the version in the demanded mode.";
    /// A lock that ends too early.
    LockTooShort, "lock_too_short",
        "A lock ends earlier than the retention rule demands.",
        "If the policy was raised, run `ledgerline retention --extend`; if not, find out who shortened or chose it first.";
    /// A segment's bytes are not those that its name digests.
    SegmentAltered, "segment_altered",
        "A segment's bytes are not the ones that its name was made from.",
        "Restore the segment's original version; its name tells it by digest.";
    /// A segment cannot be unpacked into lines.
    SegmentUnreadable, "segment_unreadable",
        "A segment cannot be unpacked into whole lines.",
        "Restore the segment's original version.";
    /// A segment has another number of lines than its name says.
    SegmentWrongCount, "segment_wrong_count",
        "A segment has more or fewer entries than its name says.",
        "Restore the segment's original version; entries were dropped or added.";
    /// A segment's members were not packed by the writer.
    SegmentRepacked, "segment_repacked",
        "A segment was packed by something else than the ledger's writer.",
        "Compare its entries with a copy, and find out who wrote it.";
    /// A segment was taken from another log.
    SegmentOfAnotherLog, "segment_of_another_log",
        "A segment holds what belongs to another log.",
        "Remove it from where it lies and look for the segment whose place it took.";
    /// The same segment stands at two places.
    SegmentDuplicated, "segment_duplicated",
        "The same segment stands at two places of the log.",
        "Look for the segment whose place the copy took.";
    /// Two segments begin at the same entry, and not because of a harmless crash.
    SegmentFork, "segment_fork",
        "Two segments claim the same place in the log with different entries: the log was forked.",
        "Treat both as evidence; compare them with copies outside and find out which writer made the second.";
    /// A segment reaches into another.
    SegmentOverlap, "segment_overlap",
        "A segment claims places of the log that another segment fills with other entries.",
        "Treat both as evidence and find out which writer made the second.";
    /// A segment outside the log whose entries are not committed.
    OrphanUncommitted, "orphan_uncommitted",
        "A segment stands outside the log, and at least one of its entries was committed nowhere.",
        "An orphan of a crash holds only entries that are committed elsewhere: look for a rolled-back head or a lost commit.";
    /// Entries are in no segment.
    EntriesMissing, "entries_missing",
        "Entries of the log are in no segment.",
        "Look for the missing segment among deleted versions and in copies; its leaf hashes may still stand in the tiles.";
    /// Entries were pruned without a signed record of it.
    PrunedWithoutRecord, "pruned_without_record",
        "The first segments are gone, and no signed entry says that they were pruned.",
        "Look for who deleted them; only the sweep prunes, and it writes an entry first.";
    /// A line is no canonical entry.
    EntryMalformed, "entry_malformed",
        "A line is not a canonical entry.",
        "Compare it with the original segment; the writer refuses such lines.";
    /// An entry names another org than its log.
    EntryOfAnotherOrg, "entry_of_another_org",
        "An entry belongs to another organisation than the log that it stands in.",
        "Find the log that it was taken from; the writer refuses such entries.";
    /// An entry's hash is not the committed one.
    EntryAltered, "entry_altered",
        "An entry is not the one that was committed at its place.",
        "Compare the line with a copy; the tile still holds the committed leaf hash.";
    /// Entries stand in another order than committed.
    EntryReordered, "entry_reordered",
        "Entries stand in another order than they were committed in.",
        "Restore the segment's original version.";
    /// An entry stands twice.
    EntryDuplicated, "entry_duplicated",
        "An entry was repeated where another one was committed.",
        "Restore the segment's original version.";
    /// An entry was left out.
    EntryDropped, "entry_dropped",
        "An entry that was committed here was left out, and later ones moved up.",
        "Restore the segment's original version.";
    /// An entry was put in.
    EntryInserted, "entry_inserted",
        "An entry was put in that was never committed here, and later ones moved down.",
        "Restore the segment's original version.";
    /// A tile that a reader needs is not there.
    TileMissing, "tile_missing",
        "A hash tile that the checkpoint implies is not there, so proofs from tiles fail.",
        "Run `ledgerline rebuild-tiles --write`: tiles follow from the segments.";
    /// A tile does not hold the hashes that the entries give.
    TileAltered, "tile_altered",
        "A hash tile does not hold the hashes that the entries give.",
        "Compare it with a copy. `ledgerline rebuild-tiles` derives it from the segments; of an altered full tile, which is evidence, it writes \
         nothing.";
    /// A tile beyond the log's end.
    TileExtra, "tile_extra",
        "A hash tile covers entries that the log does not have.",
        "Look for entries that were cut off from the log's end.";
    /// A checkpoint is no signed note of a tree head.
    CheckpointMalformed, "checkpoint_malformed",
        "A checkpoint cannot be read as a signed note.",
        "Restore it from its archived copy or from a witness.";
    /// A checkpoint names another log or deployment.
    CheckpointOfAnotherLog, "checkpoint_of_another_log",
        "A checkpoint was made for another log or another deployment.",
        "Find the log that it names; it proves nothing about this one.";
    /// An archived checkpoint lies under a name with another size.
    CheckpointMisnamed, "checkpoint_misnamed",
        "An archived checkpoint is for another size than its name says.",
        "Find out who renamed or replaced it.";
    /// No acceptable key signed a checkpoint.
    CheckpointUnsigned, "checkpoint_unsigned",
        "A checkpoint carries no signature of a key that is trusted for this log.",
        "If the key was rotated, the new key must stand in an entry under the old one; otherwise somebody else signed this.";
    /// A key that a later one has replaced signed a checkpoint after that.
    CheckpointRetiredKey, "checkpoint_retired_key",
        "A checkpoint is signed under a retired key alone: a later key had signed a smaller one before.",
        "Keep it as evidence and disable the old key: whoever can use it signed this. If you named several keys, name the oldest first.";
    /// A trusted key's signature does not fit the checkpoint.
    CheckpointBadSignature, "checkpoint_bad_signature",
        "A checkpoint's text or signature was changed after it was signed.",
        "Restore it from its archived copy or from a witness.";
    /// Entries add more keys than any log has.
    TooManyKeys, "too_many_keys",
        "Entries of the log add more signing keys than a log can have; those beyond that do not count.",
        "Find out who wrote these entries: whoever could made the log announce keys that nobody deployed.";
    /// What the caller relies on cannot be compared with the log.
    CheckpointUnverifiable, "checkpoint_unverifiable",
        "A checkpoint that was handed over cannot be compared with the log: entries and tiles up to its size are gone.",
        "Restore the tiles that are named as missing or altered from a copy, then verify again; until then nothing tells whether the \
         log is still the one that this checkpoint saw.";
    /// Two signed checkpoints contradict each other.
    CheckpointForked, "checkpoint_forked",
        "A checkpoint with a good signature contradicts the log: the log was shown in two versions.",
        "Keep both as evidence: whoever holds the signing key has signed two histories.";
    /// The entries do not give the root that was signed.
    RootMismatch, "root_mismatch",
        "The entries do not give the root that was signed: some entry at or after the one named was changed.",
        "Compare the segments from there on with a copy; every checkpoint before still holds.";
    /// The live checkpoint is older than the newest archived one.
    CheckpointRolledBack, "checkpoint_rolled_back",
        "The live checkpoint is older than an archived one.",
        "Publish the log again, and find out who put the old checkpoint back.";
    /// The live checkpoint or its archived copy is not there.
    CheckpointMissing, "checkpoint_missing",
        "A checkpoint that must be there is not.",
        "Look for who deleted it; a checkpoint is archived before it is published.";
    /// Entries are not covered by a signature.
    EntriesUnsigned, "entries_unsigned",
        "Entries have been committed for longer than an hour and no checkpoint covers them.",
        "Look for a signing outage; run the sweep when the key can be used again.";
    /// The log does not reach to what is known to have been in it.
    LogShrunk, "log_shrunk",
        "The log is shorter than a checkpoint that was seen before.",
        "Keep both: the end of the log was cut off.";
    /// The log contradicts what is known to have been in it.
    LogForked, "log_forked",
        "The log has another history than a checkpoint that was seen before.",
        "Keep both: the log's past was rewritten.";
    /// A head is not there.
    HeadMissing, "head_missing",
        "A log has segments and no head.",
        "Restore the control table; nothing may be appended meanwhile.";
    /// A head contradicts itself.
    HeadInconsistent, "head_inconsistent",
        "A log's head contradicts itself.",
        "Restore the row from a backup; nothing may be appended meanwhile.";
    /// A head is behind what was signed.
    HeadRolledBack, "head_rolled_back",
        "A log's head is behind a checkpoint that was signed, as after restoring the table.",
        "Rebuild the head from the segments before anything is appended.";
    /// A head's root is not the entries'.
    HeadForked, "head_forked",
        "A log's head has another root than its entries give.",
        "Do not append: find out who changed the row or the segments.";
    /// A posting is not stored.
    PostingMissing, "posting_missing",
        "The index does not name entries that the log has, so an access request would miss them.",
        "Rebuild the postings from the segments.";
    /// A stored posting follows from no entry.
    PostingExtra, "posting_extra",
        "The index names entries that the log does not have.",
        "Rebuild the postings from the segments.";
    /// A stored posting differs from the derived one.
    PostingAltered, "posting_altered",
        "The index points to other entries than a record has.",
        "Rebuild the postings from the segments.";
    /// Too few witnesses have cosigned.
    WitnessMissing, "witness_missing",
        "No checkpoint of this log carries enough good cosignatures of the named witnesses.",
        "Run the witness, or hand over the checkpoints that it cosigned.";
    /// Enough witnesses have cosigned, and too long ago.
    WitnessStale, "witness_stale",
        "The newest checkpoint that enough witnesses cosigned is older than was asked for.",
        "Run the witnesses: since then nobody outside has vouched for the log. If they did run, compare their clocks with yours.";
}

impl FindingKind {
    /// At `key`, about `entry` if there is one.
    pub(crate) fn at(self, key: impl Into<String>, entry: Option<u64>, detail: impl Into<String>) -> Finding {
        Finding { kind: self, key: key.into(), entry, detail: detail.into() }
    }
}

impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_snake_case_and_differ() {
        let codes: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), FindingKind::ALL.len());
        for kind in FindingKind::ALL {
            assert!(kind.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{kind:?}");
            assert!(kind.meaning().ends_with('.') && kind.remedy().ends_with('.'), "{kind:?}");
        }
    }
}
