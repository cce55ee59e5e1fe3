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
    /// Rank of the event's kind, as [`ledgerline_event::rank_of`] has it.
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
    use ledgerline_event::rank_of;

    #[test]
    fn a_call_that_begins_and_ends_in_one_instant_is_in_order() {
        let kinds = ["customer.start", "flow.start", "flow.end", "acd.start", "acd.end", "user.start", "user.end"];
        assert!(kinds.is_sorted_by_key(|kind| rank_of(kind)));
        assert!(rank_of("user.end") < rank_of("customer.end") && rank_of("customer.end") < rank_of("wrapup"));
    }
}
