//! Object Lock, as the ledger asks for it: a mode and an end.

/// How an object is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// A principal with a special permission can lift it: for trials.
    Governance,
    /// Nobody can lift it before its time.
    Compliance,
}

/// A lock: its mode and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// The mode.
    pub mode: LockMode,
    /// Its end, in epoch seconds.
    pub retain_until_s: u64,
}

impl Lock {
    /// Whether this lock binds at least as strongly and as long as `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.mode >= other.mode && self.retain_until_s >= other.retain_until_s
    }

    /// The weakest lock that covers both.
    pub fn stronger(&self, other: &Self) -> Self {
        Self { mode: self.mode.max(other.mode), retain_until_s: self.retain_until_s.max(other.retain_until_s) }
    }
}
