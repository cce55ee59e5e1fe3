//! What transform may do, capability by capability; its policy in the template reads the same.

use ledgerline_custody::claims::{ClaimEvents, NoteBronze, PinLogs};
use ledgerline_custody::own::{OwnLists, ReadOwn};
use ledgerline_custody::subjects::Subjects;
use ledgerline_lake::object_row::ObjectRows;
use ledgerline_lake::ports::{KeepPoison, PlanStore, Quarantine, ReadBronze, SendPointers, WriteSilver};

use crate::Random;

/// The stores, and randomness.
pub trait Ports: Sync {
    /// The bronze bucket.
    type Bronze: ReadBronze + Quarantine + Sync;
    /// The lake bucket.
    type Lake: WriteSilver + Sync;
    /// The bucket of plans and poison.
    type Staged: PlanStore + KeepPoison + Sync;
    /// The control table.
    type Rows: ObjectRows + Sync;
    /// The control table's lists of own numbers.
    type Own: ReadOwn + Sync;
    /// The index table.
    type Index: ClaimEvents + PinLogs + NoteBronze + Sync;
    /// The keys table.
    type Keys: Subjects + Sync;
    /// The FIFO queue.
    type Queue: SendPointers + Sync;

    /// Reads bronze objects, keeps their lines that are no events.
    fn bronze(&self) -> &Self::Bronze;
    /// Writes silver files.
    fn lake(&self) -> &Self::Lake;
    /// Writes plans once, keeps messages that no retry helps.
    fn staged(&self) -> &Self::Staged;
    /// Keeps bronze objects' rows.
    fn rows(&self) -> &Self::Rows;
    /// Reads the lists of own numbers, and keeps them for a while.
    fn own(&self) -> &OwnLists<Self::Own>;
    /// Keeps claims, log pins, bronze rows.
    fn index(&self) -> &Self::Index;
    /// Finds subjects, writes links.
    fn keys(&self) -> &Self::Keys;
    /// Sends pointers.
    fn queue(&self) -> &Self::Queue;
    /// Fills salts, new subjects' names, jitter.
    fn random(&self) -> Random<'_>;
}

/// A source of random bytes that its holder owns.
pub type OwnedRandom = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// The stores as `main` or a test wires them up.
pub struct Wired<Objects, Rows, Own, Index, Keys, Queue> {
    /// The bronze bucket.
    pub bronze: Objects,
    /// The lake bucket.
    pub lake: Objects,
    /// The bucket of plans and poison.
    pub staged: Objects,
    /// The control table's rows of bronze objects.
    pub rows: Rows,
    /// The control table's lists of own numbers.
    pub own: OwnLists<Own>,
    /// The index table.
    pub index: Index,
    /// The keys table.
    pub keys: Keys,
    /// The FIFO queue.
    pub queue: Queue,
    /// The source of random bytes.
    pub random: OwnedRandom,
}

impl<O, R, W, I, K, Q> Ports for Wired<O, R, W, I, K, Q>
where
    O: ReadBronze + Quarantine + WriteSilver + PlanStore + KeepPoison + Sync,
    R: ObjectRows + Sync,
    W: ReadOwn + Sync,
    I: ClaimEvents + PinLogs + NoteBronze + Sync,
    K: Subjects + Sync,
    Q: SendPointers + Sync,
{
    type Bronze = O;
    type Lake = O;
    type Staged = O;
    type Rows = R;
    type Own = W;
    type Index = I;
    type Keys = K;
    type Queue = Q;

    fn bronze(&self) -> &O {
        &self.bronze
    }

    fn lake(&self) -> &O {
        &self.lake
    }

    fn staged(&self) -> &O {
        &self.staged
    }

    fn rows(&self) -> &R {
        &self.rows
    }

    fn own(&self) -> &OwnLists<W> {
        &self.own
    }

    fn index(&self) -> &I {
        &self.index
    }

    fn keys(&self) -> &K {
        &self.keys
    }

    fn queue(&self) -> &Q {
        &self.queue
    }

    fn random(&self) -> Random<'_> {
        &*self.random
    }
}
