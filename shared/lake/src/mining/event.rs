//! An event, as far as process mining asks.

use serde::{Deserialize, Serialize};

/// The order of events: when they occurred, the source's sequence, rank, event id.
pub type Order<'a> = (i64, Option<i64>, i64, &'a str);

/// A silver row of a conversation. It is sorted in files, so that its JSON is short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The conversation.
    #[serde(rename = "c")]
    pub case: String,
    /// When it occurred, epoch milliseconds.
    #[serde(rename = "t")]
    pub at_ms: i64,
    /// The source's own number of the event.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// Where it stands among those of its instant.
    #[serde(rename = "r")]
    pub rank: i64,
    /// The event's id.
    #[serde(rename = "i")]
    pub id: String,
    /// The event type, such as `acd.start`.
    #[serde(rename = "k")]
    pub kind: String,
    /// What happened, in words.
    #[serde(rename = "a")]
    pub activity: String,
    /// The medium.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// Inbound or outbound.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The queue.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The agent, by a pseudonym.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The flow.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The outbound campaign.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The leg: session, communication or participant, the first that is named.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<String>,
    /// How waiting ended.
    #[serde(rename = "ao", default, skip_serializing_if = "Option::is_none")]
    pub acd_outcome: Option<String>,
    /// How the leg ended.
    #[serde(rename = "dt", default, skip_serializing_if = "Option::is_none")]
    pub disconnect_type: Option<String>,
    /// The agent's code.
    #[serde(rename = "wc", default, skip_serializing_if = "Option::is_none")]
    pub wrapup_code: Option<String>,
    /// How the flow ended.
    #[serde(rename = "fo", default, skip_serializing_if = "Option::is_none")]
    pub flow_outcome: Option<String>,
    /// How the conversation ended, by the look-up of outcomes.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// How long after-call work lasted.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub wrapup_ms: Option<i64>,
    /// The customer, by a random name; of an erased row never.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

impl Event {
    /// Where it stands among the events of its case.
    pub fn order(&self) -> Order<'_> {
        self.order_at(self.at_ms)
    }

    /// The same, as if it had occurred at another time.
    pub(super) fn order_at(&self, at_ms: i64) -> Order<'_> {
        (at_ms, self.sequence, self.rank, &self.id)
    }

    /// Where it stands if cases are told one after the other, by their ids.
    pub fn place(&self) -> (&str, Order<'_>) {
        (&self.case, self.order())
    }
}
