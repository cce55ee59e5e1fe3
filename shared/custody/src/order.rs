//! Event order: where an entry stands among the entries of its interaction.
//!
//! Invariant: it is the order in which transform plans events, as far as an entry still shows it. By occurrence; at one
//! instant by the rank of the event's kind; then by place in the log, where the events of one source object lie in the
//! order of their source's own sequence numbers.

use serde::{Deserialize, Serialize};

/// A place in event order. Two entries never share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventOrder {
    /// RFC 3339 UTC with three decimals, so that text order is time order.
    #[serde(rename = "t")]
    pub occurred_at: String,
    /// Where the event stands in its instant: by its type, and by how long the session lasted that it may be the end of: see
    /// [`ledgerline_event::catalogue::Catalogue::rank_of_entry`].
    #[serde(rename = "r")]
    pub rank: u8,
    /// The log.
    #[serde(rename = "l")]
    pub log: String,
    /// The index in it.
    #[serde(rename = "n")]
    pub index: u64,
}

#[cfg(test)]
mod tests {
    use ledgerline_event::catalogue::built_in;

    #[test]
    fn a_call_that_begins_and_ends_in_one_instant_is_in_order() {
        let rank_of = |kind: &str| built_in().rank_of(kind, Some(0));
        let kinds = ["customer.start", "flow.start", "flow.end", "acd.start", "acd.end", "user.start", "user.end"];
        assert!(kinds.is_sorted_by_key(|kind| rank_of(kind)));
        assert!(rank_of("user.end") < rank_of("customer.end") && rank_of("customer.end") < rank_of("wrapup"));
    }

    #[test]
    fn a_session_that_lasted_ends_before_another_begins() {
        for lasted_ms in [None, Some(1), Some(60_000)] {
            let rank_of = |kind: &str| built_in().rank_of(kind, lasted_ms);
            let in_order = ["flow.end", "acd.end", "user.end", "customer.start", "user.start", "customer.end"];
            assert!(in_order.is_sorted_by_key(|kind| rank_of(kind)), "{lasted_ms:?}");
        }
    }
}
