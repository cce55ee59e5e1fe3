//! Into the stream; and where the stream refuses for good, into the spill, with a pointer for whoever puts it back.
//!
//! Invariant: `Ok` means that each record is in the stream, or lies in the spill and a dead letter names it by its lineage token and its
//! interaction. Anything else means that some may be: the caller sends again, and what was taken is a duplicate.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledgerline_ledger::store::StoreError;
use ledgerline_store::dead_letter::{Kind, Pointer};
use ledgerline_store::replay_mark::Place;
use ledgerline_store::spill::{self, SpillLine};
use ledgerline_store::stream::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX};

use crate::item::Taken;
use crate::problem::Problem;
use crate::stores::Stores;

/// Messages sent at once.
const PARALLEL: usize = 16;

/// What is done about what the stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The caller waits, and sends again.
    Later,
    /// Nobody knows what became of it: the caller sends again.
    Again,
    /// It is spilled: no attempt would have another outcome before an operator acts.
    Spill,
}

fn fate(error: &StoreError) -> Fate {
    match error {
        StoreError::Throttled(_) => Fate::Later,
        StoreError::Unknown(_) | StoreError::Conflict(_) => Fate::Again,
        StoreError::Denied(_) | StoreError::NotFound(_) | StoreError::Corrupt(_) => Fate::Spill,
    }
}

/// Puts all of them; whether each was spilled.
pub(crate) async fn deliver(stores: &Stores, taken: &[Taken], now_ms: i64) -> Result<Vec<bool>, Problem> {
    let (mut spilled, mut lines) = (vec![false; taken.len()], Vec::new());
    for batch in batches(taken) {
        let records: Vec<Bytes> = taken[batch.clone()].iter().map(|one| one.record.clone()).collect();
        let Err(error) = stores.stream.put(records).await else { continue };
        match fate(&error) {
            Fate::Later => return Err(Problem::throttled(&error)),
            Fate::Again => return Err(Problem::not_recorded(&error)),
            Fate::Spill => {
                // The template's alarm looks for these words.
                tracing::error!(records = batch.len(), kind = error.kind(), %error, "spilled: the stream refuses");
                spilled[batch.clone()].fill(true);
                lines.extend(batch.map(|at| (at, error.kind())));
            }
        }
    }
    if !lines.is_empty() {
        spill(stores, taken, &lines, now_ms).await.map_err(|error| Problem::not_recorded(&error))?;
    }
    Ok(spilled)
}

/// The object first: a pointer to nothing would be told as lost. A crash in between leaves an object that `replay spill` finds.
async fn spill(
    stores: &Stores,
    taken: &[Taken],
    refused: &[(usize, &'static str)],
    now_ms: i64,
) -> Result<(), StoreError> {
    let key = spill::key(now_ms, stores.draw());
    let line = |(at, reason): &(usize, &'static str)| SpillLine {
        received_at_ms: now_ms,
        reason: (*reason).to_owned(),
        record: taken[*at].record.to_vec(),
    };
    let lines: Vec<SpillLine> = refused.iter().map(line).collect();
    stores.spill.put(&key, &lines).await?;
    let pointers = (0..).zip(refused).map(|(line, (at, reason))| {
        let names = &taken[*at].names;
        let is_named = names.interaction_id.is_some() || names.lineage_token.is_some();
        let events = if is_named { vec![names.clone()] } else { Vec::new() };
        Pointer::new(Kind::Spilled, Place { object_key: key.clone(), line }, *reason, events)
    });
    stream::iter(pointers)
        .map(|pointer| async move { stores.dead_letters.send(&pointer).await })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

/// Within the service's limits, in their order.
fn batches(taken: &[Taken]) -> Vec<std::ops::Range<usize>> {
    let mut batches: Vec<std::ops::Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, one) in taken.iter().enumerate() {
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_RECORDS_MAX && bytes + one.record.len() <= BATCH_BYTES_MAX => {
                last.end = at + 1;
                bytes += one.record.len();
            }
            _ => {
                batches.push(at..at + 1);
                bytes = one.record.len();
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use ledgerline_event::names::Names;
    use ledgerline_ledger::store::Failure;
    use ledgerline_store::stream::RECORD_BYTES_MAX;
    use ledgerline_testkit::stream::Refusal;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_error_has_its_fate() {
        let errors: [(Refusal, Fate); 6] = [
            (StoreError::Throttled, Fate::Later),
            (StoreError::Unknown, Fate::Again),
            (StoreError::Conflict, Fate::Again),
            (StoreError::Denied, Fate::Spill),
            (StoreError::NotFound, Fate::Spill),
            (StoreError::Corrupt, Fate::Spill),
        ];
        for (error, expected) in errors {
            assert_eq!(fate(&error(Failure::new("put"))), expected);
        }
    }

    proptest! {
        #[test]
        fn batches_hold_each_record_once_within_the_limits(
            sizes in proptest::collection::vec(1usize..=RECORD_BYTES_MAX, 0..40), many in 0usize..1_200,
        ) {
            let of = |(index, bytes): (usize, usize)| Taken {
                index,
                record: Bytes::from(vec![b'x'; bytes]),
                names: Names { lineage_token: None, interaction_id: None },
            };
            let sizes = sizes.into_iter().chain(std::iter::repeat_n(2, many));
            let taken: Vec<Taken> = sizes.enumerate().map(of).collect();
            let batches = batches(&taken);
            prop_assert!(batches.iter().cloned().flatten().eq(0..taken.len()));
            for batch in batches {
                let bytes: usize = taken[batch.clone()].iter().map(|one| one.record.len()).sum();
                prop_assert!(!batch.is_empty() && batch.len() <= BATCH_RECORDS_MAX && bytes <= BATCH_BYTES_MAX);
            }
        }
    }
}
