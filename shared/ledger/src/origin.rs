//! Where an entry comes from: what its plan is of, and the id that follows from its place there.
//!
//! Invariant: an event's id follows from its object and its line, and from nothing that the event says. The ids of plans of both
//! kinds look alike, so that whatever is keyed by one names the kind, too: nothing of a bronze object can stand in an act's place.

use sha2::{Digest as _, Sha256};

/// What a plan is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanOf {
    /// A bronze object: transform's plans.
    Bronze,
    /// Acts of the ledger's own: sweep's and the operator's.
    Acts,
}

impl PlanOf {
    /// The id of the event in a line of the object, counted from 0, or of an act in a line of its plan: the first 16 bytes, in
    /// hex, of SHA-256(`ledgerline event`, of acts `ledgerline act` ‖ the object id's 32 hex digits ‖ the line in decimal). No key,
    /// and nothing to guess: it says where the event lies, as the entry does beside it.
    pub fn event_id(self, object: &str, line: u64) -> String {
        let label = match self {
            Self::Bronze => "ledgerline event",
            Self::Acts => "ledgerline act",
        };
        let hash = Sha256::new().chain_update(label).chain_update(object).chain_update(line.to_string()).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        format!("{:032x}", u128::from_be_bytes(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_follows_from_what_its_plan_is_of_the_object_and_the_line() {
        // printf 'ledgerline eventc52d901c47bbf2321195a38e6ff495940' | sha256sum | cut -c1-32
        assert_eq!(PlanOf::Bronze.event_id("c52d901c47bbf2321195a38e6ff49594", 0), "fad9540a66a3065a5720b7760f17ec0a");
        // printf 'ledgerline actc56a9b138614f8a35b8a35b58704c2651' | sha256sum | cut -c1-32
        assert_eq!(PlanOf::Acts.event_id("c56a9b138614f8a35b8a35b58704c265", 1), "e1e49d1b7114c08cd07ca98501f1e128");
    }
}
