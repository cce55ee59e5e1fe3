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
    /// Rank of the event's kind, as [`rank`] has it.
    #[serde(rename = "r")]
    pub rank: u8,
    /// The log.
    #[serde(rename = "l")]
    pub log: String,
    /// The index in it.
    #[serde(rename = "n")]
    pub index: u64,
}

/// Where an event's kind stands at one instant: a start before what it encloses, an end after it. Kinds that this
/// version does not know come last.
pub fn rank(event_type: &str) -> u8 {
    RANKS.iter().find(|(kind, _)| *kind == event_type).map_or(LAST, |(_, rank)| *rank)
}

/// The event crate's ranks; a test compares them with what its adapters say.
const RANKS: [(&str, u8); 28] = [
    ("customer.start", 10),
    ("outbound", 12),
    ("contact", 14),
    ("identity.resolution", 16),
    ("consent", 18),
    ("flow.start", 20),
    ("flow.outcome", 24),
    ("flow.end", 28),
    ("attributes", 30),
    ("acd.start", 40),
    ("acd.end", 48),
    ("user.start", 50),
    ("hold", 52),
    ("transcription", 54),
    ("state", 56),
    ("transfer", 57),
    ("user.end", 58),
    ("voicemail.start", 60),
    ("voicemail.end", 68),
    ("customer.end", 70),
    ("acw", 80),
    ("wrapup", 82),
    ("survey", 84),
    ("audit", 90),
    ("data.access", 92),
    ("data.deletion", 94),
    ("aws.service", 96),
    ("other", 98),
];
const LAST: u8 = 99;

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerline_event::{Context, adapt};
    use serde_json::json;

    #[test]
    fn ranks_are_those_of_the_adapters() {
        let topics = [
            "customer.start",
            "customer.end",
            "flow.start",
            "flow.end",
            "flow.outcome",
            "acd.start",
            "acd.end",
            "user.start",
            "user.end",
            "acw",
            "wrapup",
            "attributes",
            "contact",
            "outbound",
            "voicemail.start",
            "voicemail.end",
        ];
        for suffix in topics {
            let id = "3f1c1e0e-7a3f-4a53-9a38-7e3f5f8f0b11";
            let document = json!({
                "source": "aws.partner/genesys.com/cloud/acme/events", "time": "2026-03-02T14:00:00Z",
                "detail-type": format!("v2.detail.events.conversation.{{id}}.{suffix}"),
                "detail": {
                    "topicName": format!("v2.detail.events.conversation.{id}.{suffix}"), "version": "2",
                    "eventBody": { "eventTime": 1_772_460_000_350_u64, "conversationId": id },
                },
            });
            let event = adapt(&document, &Context { default_org: "acme" }).unwrap();
            assert_eq!(event.event_type, suffix);
            assert_eq!(rank(event.event_type), event.rank, "{suffix}");
        }
    }

    #[test]
    fn a_call_that_begins_and_ends_in_one_instant_is_in_order() {
        let kinds = ["customer.start", "flow.start", "flow.end", "acd.start", "acd.end", "user.start", "user.end"];
        assert!(kinds.is_sorted_by_key(|kind| rank(kind)));
        assert!(rank("user.end") < rank("customer.end") && rank("customer.end") < rank("wrapup"));
        assert_eq!(rank("of.a.later.version"), LAST);
        assert!(RANKS.iter().all(|(_, rank)| *rank < LAST));
    }
}
