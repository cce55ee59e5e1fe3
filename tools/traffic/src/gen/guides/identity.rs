//! Who it was: the identity audit, and the variables of the flow that found out (guide 003).
//!
//! Invariant: hashes are SHA-256 of the house's salt and the value, so that one caller has the same ones all day.

use serde_json::{Value, json};

use super::{QUEUES, Telling, media};
use crate::r#gen::centre::Caller;
use crate::r#gen::conversation::Channel;
use crate::r#gen::envelope::{Body, milliseconds};

impl Telling<'_> {
    /// A caller who is known is audited, and some flows say so on their own; of one who is not, only the flow tells.
    pub(super) fn identity(&mut self) {
        match self.caller() {
            Some(caller) => {
                if self.dice.percent(30.0) {
                    self.flow_variables(Some(caller));
                }
                self.audit_event(caller);
            }
            None => self.flow_variables(None),
        }
    }

    /// `{"audit": {…}}`, or the same with a dot in its names.
    fn flow_variables(&mut self, caller: Option<&Caller>) {
        const SOURCE: &str = "identity-flow";
        let nested = self.dice.percent(60.0);
        let separator = if nested { "/audit/" } else { "/audit." };
        let at = self.at(5);
        let customer = caller.map(|caller| self.customer_id(caller, SOURCE, &format!("{separator}customerId")));
        let digital = matches!(self.interaction.channel, Channel::Email | Channel::Chat);
        let members = [
            ("timestamp", Value::from(milliseconds(at))),
            ("interactionId", self.interaction.id.as_str().into()),
            ("customerId", customer.into()),
            ("resolutionMethod", if digital { "Digital-Email" } else { "IVR-CallerID" }.into()),
            ("piiCollected", caller.is_some().into()),
        ];
        let mut body = Body::default();
        if nested {
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
            body.put("audit", Value::Object(members.collect()));
        } else {
            members.into_iter().for_each(|(name, value)| body.put(&format!("audit.{name}"), value));
        }
        self.emit(SOURCE, at, body);
    }

    /// `{"auditEvent": {"eventType": "IDENTITY_RESOLUTION", …}}`.
    fn audit_event(&mut self, caller: &Caller) {
        const SOURCE: &str = "audit-event";
        let at = self.at(8);
        let customer = self.customer_id(caller, SOURCE, "/auditEvent/resolvedCustomerId");
        let by_phone = !matches!(self.interaction.channel, Channel::Email | Channel::Chat);
        let by_email = !by_phone || self.dice.percent(40.0);
        let by_account = self.dice.percent(70.0);
        let context = json!({
            "phoneHash": self.hash_of(by_phone, "phone_hash", &caller.phone, "phoneHash"),
            "emailHash": self.hash_of(by_email, "email_hash", &caller.email, "emailHash"),
            "accountNumberHash": self.hash_of(by_account, "account_hash", &caller.account, "accountNumberHash"),
        });
        let by_agent = self.dice.percent(10.0).then(|| self.house.centre.agent(&mut self.dice).id.as_str());
        let source = match by_agent {
            Some(_) => "MANUAL",
            None => ["CRM_API_LOOKUP", "ANI", "IDENTITY_PROVIDER"][self.dice.weighted(&[7, 2, 1])],
        };
        let event = json!({
            "eventType": "IDENTITY_RESOLUTION",
            "timestamp": milliseconds(at),
            "interactionId": self.interaction.id,
            "channelType": media(self.interaction.channel),
            "resolvedCustomerId": customer,
            "resolutionSource": source,
            "piiContext": context,
            "complianceFlags": {
                "gdprConsentRecorded": self.dice.percent(80.0),
                "dataSubjectRequestPending": self.dice.percent(5.0),
            },
            "agentId": by_agent,
            "queueId": QUEUES[self.dice.index(QUEUES.len())].0,
        });
        self.emit(SOURCE, at, Body::default().with("auditEvent", event));
    }

    fn customer_id(&mut self, caller: &Caller, source: &'static str, pointer: &str) -> String {
        let id = self.house.customer_id(caller);
        self.resolve("customer_id_hash", &id, &id, source, pointer);
        id
    }

    fn hash_of(&mut self, known: bool, kind: &'static str, value: &str, name: &str) -> Option<String> {
        known.then(|| {
            let hash = self.house.hash(value);
            self.resolve(kind, &hash, &hash, "audit-event", &format!("/auditEvent/piiContext/{name}"));
            hash
        })
    }
}
