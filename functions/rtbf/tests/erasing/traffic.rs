//! Events of a few people, as sources send them, and the lines of bronze that hold them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerline_event::instant;
use ledgerline_lake::bronze::{NewEvent, write_event};
use ledgerline_privacy::{Identifier, Kind, Region};
use serde_json::{Value, json};

/// 2026-03-02T14:00:00Z.
pub(crate) const T0: i64 = 1_772_460_000_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Somebody, by a number from 10 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Person(pub(crate) u32);

pub(crate) const ADA: Person = Person(41);
pub(crate) const BOB: Person = Person(52);

impl Person {
    pub(crate) fn phone(self) -> String {
        format!("+155555501{:02}", self.0)
    }

    pub(crate) fn email(self) -> String {
        format!("caller.{}@example.com", self.0)
    }

    /// The id of the person in the contact centre's directory.
    pub(crate) fn contact(self) -> String {
        format!("cd68e249-e098-5dc9-9073-5e6b8a2b81{:02}", self.0)
    }

    pub(crate) fn identifier(self, kind: Kind) -> Identifier {
        let value = match kind {
            Kind::Phone => self.phone(),
            Kind::Email => self.email(),
            Kind::ExternalContact => self.contact(),
            other => panic!("nobody has a {other:?}"),
        };
        Identifier::parse(kind, &value, Region::US).unwrap()
    }

    /// What must not be found of the person in clear: in whatever spelling, these are in it.
    pub(crate) fn spellings(self) -> Vec<String> {
        let national = format!("555501{:02}", self.0);
        let spaced = format!("555-01{:02}", self.0);
        vec![national, spaced, format!("caller.{}", self.0), format!("caller%2E{}", self.0), self.contact()]
    }
}

/// An event, and when it was received.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) org: &'static str,
    pub(crate) raw: String,
    pub(crate) received_ms: i64,
    pub(crate) occurred_ms: i64,
}

impl Line {
    /// The same event, received later: sent again.
    pub(crate) fn again(&self, received_ms: i64) -> Self {
        Self { received_ms, ..self.clone() }
    }
}

/// What an event says of an interaction beside that.
fn told(org: &'static str, interaction: &str, kind: &str, at_ms: i64, more: &Value) -> Line {
    let at = instant::to_rfc3339(at_ms);
    let mut detail = json!({ "interactionId": interaction, "eventType": kind, "timestamp": at, "mediaType": "VOICE",
        "agentId": "agent-7" });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let raw = json!({ "version": "0", "id": format!("6f65ecc3-c2f9-51d6-97d6-{:012}", at_ms.rem_euclid(1_000_000_000)),
        "detail-type": "interaction", "time": at, "source": format!("aws.partner/genesys.com/cloud/{org}/fixture"),
        "detail": detail });
    Line { org, raw: raw.to_string(), received_ms: at_ms + SECOND, occurred_ms: at_ms }
}

/// A call that was answered, of somebody by phone.
pub(crate) fn call(interaction: &str, who: Person, at_ms: i64) -> Line {
    told("acme", interaction, "answered", at_ms, &json!({ "customerPhone": who.phone() }))
}

/// The same in another org.
pub(crate) fn call_in(org: &'static str, interaction: &str, who: Person, at_ms: i64) -> Line {
    told(org, interaction, "answered", at_ms, &json!({ "customerPhone": who.phone() }))
}

/// A message of somebody by e-mail.
pub(crate) fn mail(interaction: &str, who: Person, at_ms: i64) -> Line {
    told("acme", interaction, "answered", at_ms, &json!({ "customerEmail": who.email() }))
}

/// An event of a phone of one and an address of another.
pub(crate) fn both(interaction: &str, phone: Person, email: Person, at_ms: i64) -> Line {
    let who = json!({ "customerPhone": phone.phone(), "customerEmail": email.email() });
    told("acme", interaction, "answered", at_ms, &who)
}

/// An event that names nobody: what it says is of both sides.
pub(crate) fn nobody(interaction: &str, at_ms: i64) -> Line {
    told("acme", interaction, "ended", at_ms, &json!({ "wrapUpCode": "resolved" }))
}

/// An event with a lineage token of its source's.
pub(crate) fn with_token(interaction: &str, who: Person, token: &str, at_ms: i64) -> Line {
    let more = json!({ "customerPhone": who.phone(), "customFields": { "lineageToken": token } });
    told("acme", interaction, "answered", at_ms, &more)
}

/// An event that no policy keeps.
pub(crate) fn beat(interaction: &str, who: Person, at_ms: i64) -> Line {
    told("acme", interaction, "heartbeat", at_ms, &json!({ "customerPhone": who.phone() }))
}

/// The audit of a change to a contact: its record is named by whose id it is.
pub(crate) fn audit(who: Person, n: u32, at_ms: i64) -> Line {
    let contact = who.contact();
    let raw = json!({
        "detail-type": "v2.audits.entitytype.{id}.entityid.{id}",
        "source": "aws.partner/genesys.com/cloud/acme/fixture",
        "detail": { "topicName": format!("v2.audits.entitytype.Contact.entityid.{contact}"), "version": "2", "eventBody": {
            "id": format!("671caae1-a237-5bee-a4ad-{n:012}"), "serviceName": "ExternalContacts",
            "eventTime": instant::to_rfc3339(at_ms), "action": "Update", "entityType": "Contact",
            "entity": { "id": contact, "name": "Avery Quill" },
        } },
    });
    Line { org: "acme", raw: raw.to_string(), received_ms: at_ms + SECOND, occurred_ms: at_ms }
}

/// The bytes of an object that holds these lines.
pub(crate) fn gzip(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Line { org, raw, received_ms, occurred_ms } in lines {
        let event = NewEvent {
            org,
            lineage_token: None,
            received_at_ms: *received_ms,
            occurred_at_ms: Some(*occurred_ms),
            source: None,
            cut: &[],
            raw: raw.as_bytes(),
            has_line_break: false,
        };
        write_event(&event, &mut bytes);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap()
}
