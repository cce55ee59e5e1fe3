//! What the function may do: read. Each port is one permission of its policy.

use ledgerline_custody::access::{FindSubjects, ReadLinks, ReadPins, ReadPostings, ReadPseudonymKeys};
use ledgerline_custody::own::{OwnLists, ReadOwn};
use ledgerline_custody::planned::ReadPlanned;
use ledgerline_ledger::ports::{ListLogs, ReadHead, ReadSegment};

/// The stores of an access request.
pub trait Ports: Sync {
    /// The wrapped pseudonym keys in the control table, and `kms:Decrypt`.
    type Keys: ReadPseudonymKeys + Sync;
    /// The keys table.
    type Subjects: FindSubjects + ReadLinks + Sync;
    /// The index table.
    type Postings: ReadPins + ReadPostings + Sync;
    /// The heads and the list of logs in the control table, and how far bronze is planned.
    type Heads: ReadHead + ListLogs + ReadPlanned + Sync;
    /// The lists of own numbers in the control table.
    type Own: ReadOwn + Sync;
    /// The ledger bucket.
    type Ledger: ReadSegment + Sync;

    /// The pseudonym keys.
    fn keys(&self) -> &Self::Keys;
    /// Identifiers, subjects, links.
    fn subjects(&self) -> &Self::Subjects;
    /// Log pins and postings.
    fn postings(&self) -> &Self::Postings;
    /// Heads, which logs there are, and how far bronze is planned.
    fn heads(&self) -> &Self::Heads;
    /// The lists of own numbers, kept for a while.
    fn own(&self) -> &OwnLists<Self::Own>;
    /// Segments.
    fn ledger(&self) -> &Self::Ledger;
}

/// One adapter for each port.
#[derive(Debug)]
pub struct Stores<K, S, I, H, O, L> {
    /// See [`Ports::Keys`].
    pub keys: K,
    /// See [`Ports::Subjects`].
    pub subjects: S,
    /// See [`Ports::Postings`].
    pub postings: I,
    /// See [`Ports::Heads`].
    pub heads: H,
    /// See [`Ports::Own`].
    pub own: OwnLists<O>,
    /// See [`Ports::Ledger`].
    pub ledger: L,
}

impl<K, S, I, H, O, L> Ports for Stores<K, S, I, H, O, L>
where
    K: ReadPseudonymKeys + Sync,
    S: FindSubjects + ReadLinks + Sync,
    I: ReadPins + ReadPostings + Sync,
    H: ReadHead + ListLogs + ReadPlanned + Sync,
    O: ReadOwn + Sync,
    L: ReadSegment + Sync,
{
    type Keys = K;
    type Subjects = S;
    type Postings = I;
    type Heads = H;
    type Own = O;
    type Ledger = L;

    fn keys(&self) -> &K {
        &self.keys
    }

    fn subjects(&self) -> &S {
        &self.subjects
    }

    fn postings(&self) -> &I {
        &self.postings
    }

    fn heads(&self) -> &H {
        &self.heads
    }

    fn own(&self) -> &OwnLists<O> {
        &self.own
    }

    fn ledger(&self) -> &L {
        &self.ledger
    }
}
