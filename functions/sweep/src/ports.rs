//! What sweep may do, capability by capability; its role in the template reads alike.

use ledgerline_custody::access::ReadPostings;
use ledgerline_custody::acts::{NoteAct, Random};
use ledgerline_custody::planned::KeepPlanned;
use ledgerline_custody::publication;
use ledgerline_custody::reconciliation::{ListActs, ListBronze, NotifyBronze, PointerBacklog, SweepRows};
use ledgerline_custody::retention::{DeleteExpired, ForgetPostings, InspectVersion, LengthenLock};
use ledgerline_custody::sealing::{FindCommitted, ListSegments};
use ledgerline_custody::state::KeepState;
use ledgerline_lake::object_row::ObjectRows;
use ledgerline_lake::ports::{PlanStore, SendPointers};
use ledgerline_ledger::ports::{
    Checkpoints, FinishSegments, ListLogs, ReadHead, ReadSegment, Sign, SigningTurns, Tiles, WritePostings,
};

/// The stores, beyond what publication needs.
pub trait Ports: publication::Ports {
    /// The control table's list of logs.
    type Logs: ListLogs + Sync;
    /// The control table's row of how far bronze is planned.
    type Planned: KeepPlanned + Sync;
    /// The control table's rows of bronze objects and acts.
    type Rows: ObjectRows + NoteAct + ListActs + SweepRows + Sync;
    /// The ledger's bucket, beyond publication: what lies in it, what protects it, what may go.
    type Evidence: ListSegments + InspectVersion + LengthenLock + DeleteExpired + Sync;
    /// The index table's postings, to read and to remove.
    type Entries: ReadPostings + FindCommitted + ForgetPostings + Sync;
    /// Plans, to write acts and to send pointers again.
    type Plans: PlanStore + Sync;
    /// This function's own state.
    type States: KeepState + Sync;
    /// The bronze bucket, to list.
    type Bronze: ListBronze + Sync;
    /// transform's queue.
    type Notices: NotifyBronze + Sync;
    /// audit-write's queue.
    type Pointers: SendPointers + PointerBacklog + Sync;

    /// Names of logs.
    fn logs(&self) -> &Self::Logs;
    /// How far bronze is planned.
    fn planned(&self) -> &Self::Planned;
    /// Rows of objects.
    fn rows(&self) -> &Self::Rows;
    /// Segments' versions.
    fn evidence(&self) -> &Self::Evidence;
    /// Postings.
    fn entries(&self) -> &Self::Entries;
    /// Plans.
    fn plans(&self) -> &Self::Plans;
    /// State from run to run.
    fn states(&self) -> &Self::States;
    /// Bronze objects.
    fn bronze(&self) -> &Self::Bronze;
    /// Notifications.
    fn notices(&self) -> &Self::Notices;
    /// Pointers.
    fn pointers(&self) -> &Self::Pointers;
    /// Salts.
    fn random(&self) -> Random<'_>;
}

/// A source of random bytes that its holder owns.
pub type OwnedRandom = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// The stores as `main` or a test wires them up.
pub struct Wired<Control, Rows, Ledger, Evidence, Index, Entries, Plans, States, Bronze, Notices, Pointers, Signer> {
    /// Heads, the list of logs, and how far bronze is planned.
    pub control: Control,
    /// Rows of objects.
    pub rows: Rows,
    /// Segments, tiles, checkpoints.
    pub ledger: Ledger,
    /// Segments' versions and locks.
    pub evidence: Evidence,
    /// Postings, to write.
    pub index: Index,
    /// Postings, to read and to remove.
    pub entries: Entries,
    /// Plans.
    pub plans: Plans,
    /// State from run to run.
    pub states: States,
    /// Bronze.
    pub bronze: Bronze,
    /// transform's queue.
    pub notices: Notices,
    /// audit-write's queue.
    pub pointers: Pointers,
    /// The signing key.
    pub signer: Signer,
    /// The source of random bytes.
    pub random: OwnedRandom,
}

impl<C, R, L, V, I, E, P, S, B, N, Q, K> publication::Ports for Wired<C, R, L, V, I, E, P, S, B, N, Q, K>
where
    C: ReadHead + FinishSegments + SigningTurns + Sync,
    L: ReadSegment + Tiles + Checkpoints + Sync,
    I: WritePostings + Sync,
    K: Sign + Sync,
    Self: Sync,
{
    type Control = C;
    type Ledger = L;
    type Index = I;
    type Signer = K;

    fn control(&self) -> &C {
        &self.control
    }

    fn ledger(&self) -> &L {
        &self.ledger
    }

    fn index(&self) -> &I {
        &self.index
    }

    fn signer(&self) -> &K {
        &self.signer
    }
}

impl<C, R, L, V, I, E, P, S, B, N, Q, K> Ports for Wired<C, R, L, V, I, E, P, S, B, N, Q, K>
where
    C: ReadHead + FinishSegments + SigningTurns + ListLogs + KeepPlanned + Sync,
    R: ObjectRows + NoteAct + ListActs + SweepRows + Sync,
    L: ReadSegment + Tiles + Checkpoints + Sync,
    V: ListSegments + InspectVersion + LengthenLock + DeleteExpired + Sync,
    I: WritePostings + Sync,
    E: ReadPostings + FindCommitted + ForgetPostings + Sync,
    P: PlanStore + Sync,
    S: KeepState + Sync,
    B: ListBronze + Sync,
    N: NotifyBronze + Sync,
    Q: SendPointers + PointerBacklog + Sync,
    K: Sign + Sync,
{
    type Logs = C;
    type Planned = C;
    type Rows = R;
    type Evidence = V;
    type Entries = E;
    type Plans = P;
    type States = S;
    type Bronze = B;
    type Notices = N;
    type Pointers = Q;

    fn logs(&self) -> &C {
        &self.control
    }

    fn planned(&self) -> &C {
        &self.control
    }

    fn rows(&self) -> &R {
        &self.rows
    }

    fn evidence(&self) -> &V {
        &self.evidence
    }

    fn entries(&self) -> &E {
        &self.entries
    }

    fn plans(&self) -> &P {
        &self.plans
    }

    fn states(&self) -> &S {
        &self.states
    }

    fn bronze(&self) -> &B {
        &self.bronze
    }

    fn notices(&self) -> &N {
        &self.notices
    }

    fn pointers(&self) -> &Q {
        &self.pointers
    }

    fn random(&self) -> Random<'_> {
        &*self.random
    }
}
