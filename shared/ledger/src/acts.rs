//! The types of the ledger's own entries: what it did itself, with no source event behind it.
//!
//! Invariant: a type that begins with a capital is the ledger's own. No adapter gives one to a source event, and audit-write takes
//! them from the plans of acts alone, so that what a source sent can be told from what the ledger says of itself by an entry's
//! type alone. That holds of types that are yet to come, too: a reader must not take a later version's act for an event.

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
/// A person's data, or their erasure, was asked for.
pub const REQUEST_RECEIVED: &str = "REQUEST_RECEIVED";
/// The identity of whoever made a request was checked.
pub const REQUEST_VERIFIED: &str = "REQUEST_VERIFIED";
/// A second person approved a request.
pub const REQUEST_APPROVED: &str = "REQUEST_APPROVED";
/// A request was turned down.
pub const REQUEST_REFUSED: &str = "REQUEST_REFUSED";
/// A request was withdrawn.
pub const REQUEST_CANCELLED: &str = "REQUEST_CANCELLED";
/// A request was given a later deadline.
pub const REQUEST_EXTENDED: &str = "REQUEST_EXTENDED";
/// What a request asked for is done.
pub const REQUEST_DONE: &str = "REQUEST_DONE";
/// A question about a person was answered.
pub const ACCESS_ANSWERED: &str = "ACCESS_ANSWERED";

/// Of a record what was a person's is erased, and these keys are destroyed.
pub const DATA_DELETION: &str = "DATA_DELETION";
/// An erasure is certified: the digest of what its certificate says.
pub const ERASURE_CERTIFIED: &str = "ERASURE_CERTIFIED";

/// Those that this version writes.
pub const TYPES: [&str; 16] = [
    INTERACTION_SEALED,
    HOLD_PLACED,
    HOLD_LIFTED,
    RETENTION_EXTENDED,
    LOG_PRUNED,
    SIGNING_KEY_ADDED,
    REQUEST_RECEIVED,
    REQUEST_VERIFIED,
    REQUEST_APPROVED,
    REQUEST_REFUSED,
    REQUEST_CANCELLED,
    REQUEST_EXTENDED,
    REQUEST_DONE,
    ACCESS_ANSWERED,
    DATA_DELETION,
    ERASURE_CERTIFIED,
];

/// Whether an entry of this type is the ledger's own, whichever version wrote it.
pub fn is_act(event_type: &str) -> bool {
    event_type.starts_with(|first: char| first.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_an_acts_by_its_first_letter() {
        assert!(TYPES.into_iter().all(is_act));
        assert!(is_act("DATA_DELETION") && is_act("Hold.Placed"));
        for event_type in ["", "customer.end", "hOLD_PLACED", " HOLD_PLACED", "1HOLD", "_HOLD", "\u{c4}RGER"] {
            assert!(!is_act(event_type), "{event_type}");
        }
    }
}
