//! The closed vocabulary of event types: what each is called in process mining, and where it stands among events of
//! one instant.

use crate::source_event::Lifecycle::{self, Complete, Start};

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventKind {
    pub(super) event_type: &'static str,
    pub(super) activity: &'static str,
    pub(super) lifecycle: Lifecycle,
    /// A start comes before what it encloses, an end after it; wrap-up follows the conversation.
    pub(super) rank: u8,
}

const fn kind(event_type: &'static str, activity: &'static str, lifecycle: Lifecycle, rank: u8) -> EventKind {
    EventKind { event_type, activity, lifecycle, rank }
}

pub(super) const CUSTOMER_START: EventKind = kind("customer.start", "Customer connected", Start, 10);
pub(super) const OUTBOUND: EventKind = kind("outbound", "Outbound contact attempted", Complete, 12);
pub(super) const CONTACT: EventKind = kind("contact", "Contact identified", Complete, 14);
pub(super) const IDENTITY_RESOLUTION: EventKind = kind("identity.resolution", "Identity resolved", Complete, 16);
pub(super) const CONSENT: EventKind = kind("consent", "Consent recorded", Complete, 18);
pub(super) const FLOW_START: EventKind = kind("flow.start", "Flow entered", Start, 20);
pub(super) const FLOW_OUTCOME: EventKind = kind("flow.outcome", "Flow outcome reached", Complete, 24);
pub(super) const FLOW_END: EventKind = kind("flow.end", "Flow left", Complete, 28);
pub(super) const ATTRIBUTES: EventKind = kind("attributes", "Attributes updated", Complete, 30);
pub(super) const ACD_START: EventKind = kind("acd.start", "Queue entered", Start, 40);
pub(super) const ACD_END: EventKind = kind("acd.end", "Queue left", Complete, 48);
pub(super) const USER_START: EventKind = kind("user.start", "Agent connected", Start, 50);
pub(super) const HOLD: EventKind = kind("hold", "Held", Complete, 52);
pub(super) const TRANSCRIPTION: EventKind = kind("transcription", "Speech transcribed", Complete, 54);
pub(super) const STATE: EventKind = kind("state", "State changed", Complete, 56);
pub(super) const TRANSFER: EventKind = kind("transfer", "Transferred", Complete, 57);
pub(super) const USER_END: EventKind = kind("user.end", "Agent disconnected", Complete, 58);
pub(super) const VOICEMAIL_START: EventKind = kind("voicemail.start", "Voicemail started", Start, 60);
pub(super) const VOICEMAIL_END: EventKind = kind("voicemail.end", "Voicemail left", Complete, 68);
pub(super) const CUSTOMER_END: EventKind = kind("customer.end", "Customer disconnected", Complete, 70);
pub(super) const ACW: EventKind = kind("acw", "After-call work done", Complete, 80);
pub(super) const WRAPUP: EventKind = kind("wrapup", "Wrap-up code set", Complete, 82);
pub(super) const SURVEY: EventKind = kind("survey", "Survey answered", Complete, 84);
pub(super) const AUDIT: EventKind = kind("audit", "Audited action", Complete, 90);
pub(super) const DATA_ACCESS: EventKind = kind("data.access", "Personal data accessed", Complete, 92);
pub(super) const DATA_DELETION: EventKind = kind("data.deletion", "Personal data deleted", Complete, 94);
pub(super) const AWS_SERVICE: EventKind = kind("aws.service", "AWS service event", Complete, 96);
pub(super) const OTHER: EventKind = kind("other", "Other event", Complete, 98);

/// All kinds.
const ALL: [EventKind; 28] = [
    CUSTOMER_START,
    OUTBOUND,
    CONTACT,
    IDENTITY_RESOLUTION,
    CONSENT,
    FLOW_START,
    FLOW_OUTCOME,
    FLOW_END,
    ATTRIBUTES,
    ACD_START,
    ACD_END,
    USER_START,
    HOLD,
    TRANSCRIPTION,
    STATE,
    TRANSFER,
    USER_END,
    VOICEMAIL_START,
    VOICEMAIL_END,
    CUSTOMER_END,
    ACW,
    WRAPUP,
    SURVEY,
    AUDIT,
    DATA_ACCESS,
    DATA_DELETION,
    AWS_SERVICE,
    OTHER,
];

/// Where events of this kind stand among those of one instant; kinds that this version does not know come last.
pub fn rank_of(event_type: &str) -> u8 {
    ALL.iter().find(|kind| kind.event_type == event_type).map_or(u8::MAX, |kind| kind.rank)
}

/// The kind of a Genesys conversation topic by what follows `v2.detail.events.conversation.{id}.`.
pub(super) fn of_conversation_topic(suffix: &str) -> Option<EventKind> {
    Some(match suffix {
        "customer.start" => CUSTOMER_START,
        "customer.end" => CUSTOMER_END,
        "flow.start" => FLOW_START,
        "flow.end" => FLOW_END,
        "flow.outcome" => FLOW_OUTCOME,
        "acd.start" => ACD_START,
        "acd.end" => ACD_END,
        "user.start" => USER_START,
        "user.end" => USER_END,
        "acw" => ACW,
        "wrapup" => WRAPUP,
        "attributes" => ATTRIBUTES,
        "contact" => CONTACT,
        "outbound" => OUTBOUND,
        "voicemail.start" => VOICEMAIL_START,
        "voicemail.end" => VOICEMAIL_END,
        _ => return None,
    })
}

/// The kind of a flat event by its own word for it, its case and separators aside. Unknown words are `other`: the word
/// itself is the source's and may hold anything.
pub(super) fn of_word(word: &str) -> EventKind {
    let mut plain = String::with_capacity(word.len().min(48));
    plain.extend(word.chars().filter(char::is_ascii_alphanumeric).take(48).map(|c| c.to_ascii_lowercase()));
    match plain.strip_prefix("interaction").or(plain.strip_prefix("conversation")).unwrap_or(&plain) {
        "customerstart" | "start" | "started" | "created" | "initiated" | "opened" | "received"
        | "customerconnected" => CUSTOMER_START,
        "customerend" | "end" | "ended" | "completed" | "closed" | "disconnected" | "terminated" => CUSTOMER_END,
        "identityresolution" | "identityresolved" | "customeridentified" => IDENTITY_RESOLUTION,
        "consent" | "consentcaptured" | "consentgiven" | "consentrecorded" | "consentupdated" | "consentwithdrawn" => {
            CONSENT
        }
        "flowstart" | "ivrstart" | "ivrentered" | "flowstarted" => FLOW_START,
        "flowend" | "ivrend" | "ivrleft" | "flowended" => FLOW_END,
        "flowoutcome" => FLOW_OUTCOME,
        "acdstart" | "queued" | "queueentered" | "enqueued" => ACD_START,
        "acdend" | "queueleft" | "dequeued" | "abandoned" => ACD_END,
        "userstart" | "agentconnected" | "agentassigned" | "answered" | "connected" | "accepted" => USER_START,
        "userend" | "agentdisconnected" => USER_END,
        "hold" | "held" | "holdended" | "onhold" => HOLD,
        "transfer" | "transferred" | "transfercompleted" => TRANSFER,
        "statechange" | "statechanged" | "updated" | "update" => STATE,
        "attributes" | "attributesupdated" => ATTRIBUTES,
        "transcription" | "transcribed" => TRANSCRIPTION,
        "acw" | "aftercallwork" => ACW,
        "wrapup" | "wrappedup" | "wrapupcompleted" => WRAPUP,
        "survey" | "surveycompleted" | "csat" => SURVEY,
        "audit" | "auditlog" => AUDIT,
        "dataaccess" | "dataaccessed" => DATA_ACCESS,
        "datadeletion" | "datadeleted" => DATA_DELETION,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own_and_its_rank_is_found() {
        for (at, kind) in ALL.iter().enumerate() {
            assert_eq!(rank_of(kind.event_type), kind.rank);
            assert!(ALL[at + 1..].iter().all(|other| other.event_type != kind.event_type), "{}", kind.event_type);
        }
        assert_eq!(rank_of("of.a.later.version"), u8::MAX);
    }
}
