//! What audit-write may do, capability by capability; its policy in the template reads the same.

use ledgerline_custody::publication;
use ledgerline_lake::ports::{KeepPoison, ReadChunk};
use ledgerline_ledger::ports::{
    Checkpoints, CommitAppend, FinishSegments, MarkPoison, ReadHead, ReadSegment, ReleaseMessages, Sign, SigningTurns,
    Tiles, WritePostings, WriteSegment,
};

/// The stores: those of publication, which here also take commits and segments, and those that pointers come from.
pub trait Ports: publication::Ports<Control: CommitAppend + MarkPoison, Ledger: WriteSegment> {
    /// The bucket of plans.
    type Plans: ReadChunk + Sync;
    /// Where messages are kept that no retry can help.
    type Poison: KeepPoison + Sync;
    /// The queue that failed messages return to.
    type Queue: ReleaseMessages + Sync;

    /// Chunks of plans.
    fn plans(&self) -> &Self::Plans;
    /// Keeps messages that no retry can help.
    fn poison(&self) -> &Self::Poison;
    /// Takes failed messages back.
    fn queue(&self) -> &Self::Queue;
}

/// The stores as `main` or a test wires them up.
#[derive(Debug, Clone)]
pub struct Wired<C, L, I, S, R, K, Q> {
    /// The control table: heads, markers and counts.
    pub control: C,
    /// The ledger's bucket.
    pub ledger: L,
    /// The index table's postings.
    pub index: I,
    /// The signing key.
    pub signer: S,
    /// Chunks of plans.
    pub plans: R,
    /// Messages that no retry can help.
    pub poison: K,
    /// The queue that failed messages return to.
    pub queue: Q,
}

impl<C, L, I, S, R, K, Q> publication::Ports for Wired<C, L, I, S, R, K, Q>
where
    C: ReadHead + FinishSegments + SigningTurns + Sync,
    L: ReadSegment + Tiles + Checkpoints + Sync,
    I: WritePostings + Sync,
    S: Sign + Sync,
    R: Sync,
    K: Sync,
    Q: Sync,
{
    type Control = C;
    type Ledger = L;
    type Index = I;
    type Signer = S;

    fn control(&self) -> &C {
        &self.control
    }

    fn ledger(&self) -> &L {
        &self.ledger
    }

    fn index(&self) -> &I {
        &self.index
    }

    fn signer(&self) -> &S {
        &self.signer
    }
}

impl<C, L, I, S, R, K, Q> Ports for Wired<C, L, I, S, R, K, Q>
where
    C: ReadHead + CommitAppend + FinishSegments + MarkPoison + SigningTurns + Sync,
    L: ReadSegment + WriteSegment + Tiles + Checkpoints + Sync,
    I: WritePostings + Sync,
    S: Sign + Sync,
    R: ReadChunk + Sync,
    K: KeepPoison + Sync,
    Q: ReleaseMessages + Sync,
{
    type Plans = R;
    type Poison = K;
    type Queue = Q;

    fn plans(&self) -> &R {
        &self.plans
    }

    fn poison(&self) -> &K {
        &self.poison
    }

    fn queue(&self) -> &Q {
        &self.queue
    }
}
