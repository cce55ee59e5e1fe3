//! The types of the ledger's own entries: what it did itself, with no source event behind it.
//!
//! Invariant: no adapter gives one of these types to a source event, and audit-write takes them from the plans of acts alone, so
//! that what a source sent can be told from what the ledger says of itself by an entry's type alone.

/// An interaction is complete.
pub const INTERACTION_SEALED: &str = "INTERACTION_SEALED";
/// A legal hold was placed.
pub const HOLD_PLACED: &str = "HOLD_PLACED";
/// A legal hold was lifted.
pub const HOLD_LIFTED: &str = "HOLD_LIFTED";
/// Evidence is locked for longer.
pub const RETENTION_EXTENDED: &str = "RETENTION_EXTENDED";
/// Expired evidence below an index is deleted.
pub const LOG_PRUNED: &str = "LOG_PRUNED";
/// A key whose signatures count from here on.
pub const SIGNING_KEY_ADDED: &str = "SIGNING_KEY_ADDED";

/// All of them.
pub const TYPES: [&str; 6] =
    [INTERACTION_SEALED, HOLD_PLACED, HOLD_LIFTED, RETENTION_EXTENDED, LOG_PRUNED, SIGNING_KEY_ADDED];

/// Whether an entry of this type is the ledger's own.
pub fn is_act(event_type: &str) -> bool {
    TYPES.contains(&event_type)
}
