//! One interaction: who, over which medium, and the events that say so.
//!
//! Invariant: every event carries only fields that the model of its topic has, and every personal value goes through
//! `plant`, which lists it.

use serde_json::{Value, json};

use super::centre::{Caller, Centre, OWN_MAILBOX, OWN_NUMBER};
use super::dice::Dice;
use super::envelope::{Body, Event, Topic};
use super::planted::{Place, Planted};

/// The medium, as far as it decides which address fields an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    InboundCall,
    /// A caller who withholds the number: nobody is identified.
    WithheldCall,
    OutboundCall,
    Chat,
    Message(&'static str),
    Email,
    Callback,
}

/// A participant's session.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) participant: String,
    pub(super) session: String,
}

/// An interaction that was played, as other systems know it.
pub(super) struct Interaction<'c> {
    pub(super) id: String,
    /// `None` if nobody knows who it was.
    pub(super) caller: Option<&'c Caller>,
    pub(super) channel: Channel,
    pub(super) started_ms: i64,
    /// When its last event occurred.
    pub(super) ended_ms: i64,
}

pub(super) struct Conversation<'c, 'w> {
    pub(super) centre: &'c Centre,
    pub(super) caller: &'c Caller,
    pub(super) dice: &'w mut Dice,
    pub(super) channel: Channel,
    pub(super) id: String,
    pub(super) started_ms: i64,
    pub(super) customer: Leg,
    /// E-mail only.
    pub(super) subject: Option<String>,
    /// The address of a browser session; a phone number's stands in the caller.
    web_address: String,
    planted: &'w mut Planted,
    events: Vec<Event>,
}

impl<'c, 'w> Conversation<'c, 'w> {
    pub(super) fn new(centre: &'c Centre, dice: &'w mut Dice, planted: &'w mut Planted, started_ms: i64) -> Self {
        let caller = centre.caller(dice);
        let channel = match dice.weighted(&MEDIA) {
            0 => Channel::InboundCall,
            1 => Channel::WithheldCall,
            2 => Channel::OutboundCall,
            3 => Channel::Chat,
            4 => Channel::Message(["WEBMESSAGING", "SMS", "WHATSAPP"][dice.weighted(&[5, 3, 2])]),
            5 => Channel::Email,
            _ => Channel::Callback,
        };
        let (id, web_address) = (dice.uuid(), dice.uuid());
        let customer = Leg { participant: dice.uuid(), session: dice.uuid() };
        Self {
            centre,
            caller,
            dice,
            channel,
            id,
            started_ms,
            customer,
            subject: None,
            web_address,
            planted,
            events: Vec::new(),
        }
    }

    /// Plays the interaction from its first event to its last.
    pub(super) fn play(mut self) -> (Interaction<'c>, Vec<Event>) {
        match self.channel {
            Channel::InboundCall | Channel::WithheldCall => self.inbound_call(),
            Channel::OutboundCall => self.outbound_call(),
            Channel::Chat | Channel::Message(_) => self.chat_or_message(),
            Channel::Email => self.email(),
            Channel::Callback => self.callback(),
        }
        let interaction = Interaction {
            caller: self.known().then_some(self.caller),
            id: self.id,
            channel: self.channel,
            started_ms: self.started_ms,
            ended_ms: self.events.iter().map(|event| event.occurred_ms).max().unwrap_or(self.started_ms),
        };
        (interaction, self.events)
    }

    pub(super) fn leg(&mut self) -> Leg {
        Leg { participant: self.dice.uuid(), session: self.dice.uuid() }
    }

    /// Adds a `v2.detail.events.conversation.*` event: the common fields, then `extra`.
    pub(super) fn emit(&mut self, kind: &'static str, leg: &Leg, occurred_ms: i64, extra: Body) {
        let mut body = Body::default()
            .with("eventTime", occurred_ms)
            .with("conversationId", self.id.as_str())
            .with("participantId", leg.participant.as_str())
            .with("sessionId", leg.session.as_str());
        self.addresses(kind, &mut body);
        body.0.extend(extra.0);
        if kind.starts_with("customer.") || kind == "contact" {
            self.external_contact(kind, &mut body);
        }
        self.finish(Topic::Conversation(kind), occurred_ms, body);
    }

    /// Adds an event whose body is complete but for the contact ids.
    pub(super) fn finish(&mut self, topic: Topic, occurred_ms: i64, mut body: Body) {
        if !matches!(topic, Topic::Transcription) {
            body.put("conversationExternalContactIds", self.contact_ids(topic.kind()));
        }
        self.planted.count(&self.id, topic.kind());
        self.events.push(Event { topic, id: self.id.clone(), occurred_ms, version: "2", body });
    }

    /// Lists a personal value that the caller of this function is putting into an event.
    pub(super) fn plant(&mut self, kind: &'static str, value: &str, written: &str, topic: &str, pointer: &str) {
        self.planted.note(kind, value, written, &Place { record: &self.id, topic, pointer, resolves: false });
    }

    fn resolve(&mut self, kind: &'static str, value: &str, written: &str, topic: &str, pointer: &str) {
        self.planted.note(kind, value, written, &Place { record: &self.id, topic, pointer, resolves: true });
    }

    /// Whether the centre knows who this is.
    pub(super) fn known(&self) -> bool {
        self.channel != Channel::WithheldCall
    }

    fn addresses(&mut self, kind: &str, body: &mut Body) {
        let (media, provider, direction) = match self.channel {
            Channel::InboundCall | Channel::WithheldCall => ("VOICE", "Edge", "INBOUND"),
            Channel::OutboundCall => ("VOICE", "Edge", "OUTBOUND"),
            Channel::Chat => ("CHAT", "PureCloud Webchat v2", "INBOUND"),
            Channel::Message(_) => ("MESSAGE", "PureCloud Messaging", "INBOUND"),
            Channel::Email => ("EMAIL", "PureCloud Email", "INBOUND"),
            Channel::Callback => ("CALLBACK", "PureCloud Callback", "INBOUND"),
        };
        body.put("mediaType", media);
        body.put("provider", provider);
        body.put("direction", direction);
        match self.channel {
            Channel::InboundCall => {
                body.put("ani", self.customer_number("tel:", kind, "/ani"));
                body.put("dnis", format!("tel:{OWN_NUMBER}"));
            }
            Channel::WithheldCall => {
                body.put("ani", "sip:anonymous@anonymous.invalid");
                body.put("dnis", format!("tel:{OWN_NUMBER}"));
            }
            Channel::OutboundCall => {
                body.put("ani", format!("tel:{OWN_NUMBER}"));
                body.put("dnis", self.customer_number("tel:", kind, "/dnis"));
            }
            Channel::Chat => {}
            Channel::Message("WEBMESSAGING") => {
                body.put("addressFrom", self.web_address.as_str());
                body.put("messageType", "WEBMESSAGING");
            }
            Channel::Message(message_type) => {
                body.put("addressFrom", self.customer_number("", kind, "/addressFrom"));
                body.put("addressTo", OWN_NUMBER);
                body.put("messageType", message_type);
            }
            Channel::Email => self.mail_addresses(kind, body),
            // Flows do not carry the callback's fields.
            Channel::Callback if kind.starts_with("flow.") => {}
            Channel::Callback => {
                let number = self.customer_number("", kind, "/callbackNumbers/0");
                let caller = self.caller;
                self.plant("name", &caller.name, &caller.name, kind, "/callbackUserName");
                body.put("callbackUserName", caller.name.as_str());
                body.put("callbackNumbers", json!([number]));
                body.put("callbackScheduledTime", self.started_ms + CALLBACK_AFTER_MS);
            }
        }
    }

    fn mail_addresses(&mut self, kind: &str, body: &mut Body) {
        let caller = self.caller;
        self.resolve("email", &caller.email, &caller.email, kind, "/addressFrom");
        body.put("addressFrom", caller.email.as_str());
        body.put("addressTo", OWN_MAILBOX);
        if let Some(subject) = self.subject.clone() {
            if subject.contains(&caller.name) {
                self.plant("name", &caller.name, &caller.name, kind, "/subject");
            }
            if subject.contains(&caller.phone) {
                self.plant("phone", &caller.phone, national(&caller.phone), kind, "/subject");
            }
            body.put("subject", subject);
        }
    }

    fn customer_number(&mut self, scheme: &str, kind: &str, pointer: &str) -> String {
        let caller = self.caller;
        self.resolve("phone", &caller.phone, national(&caller.phone), kind, pointer);
        format!("{scheme}{}", caller.phone)
    }

    fn external_contact(&mut self, kind: &str, body: &mut Body) {
        if let (true, Some(contact)) = (self.known(), &self.caller.external_contact) {
            self.resolve("externalContact", contact, contact, kind, "/externalContactId");
            body.put("externalContactId", contact.as_str());
        }
    }

    fn contact_ids(&mut self, kind: &str) -> Value {
        match &self.caller.external_contact {
            Some(contact) if self.known() => {
                self.plant("externalContact", contact, contact, kind, "/conversationExternalContactIds/0");
                json!([contact])
            }
            _ => json!([]),
        }
    }
}

/// The ten digits that every way of writing a +1 number has in common, separators aside.
pub(super) fn national(phone: &str) -> &str {
    phone.strip_prefix("+1").unwrap_or(phone)
}

/// `202-555-0143`
pub(super) fn dashed(phone: &str) -> String {
    let digits = national(phone);
    format!("{}-{}-{}", &digits[..3], &digits[3..6], &digits[6..])
}

/// Shares of inbound, withheld and outbound calls, chats, messages, e-mails and callbacks, in per cent.
const MEDIA: [u32; 7] = [55, 3, 7, 8, 12, 10, 5];

/// Callbacks are due a quarter of an hour after they were asked for.
pub(super) const CALLBACK_AFTER_MS: i64 = 15 * 60_000;
