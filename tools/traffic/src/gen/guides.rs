//! The guides' shapes: what systems beside Genesys tell of the same interactions. Flat documents, without an envelope.
//!
//! Invariant: every event names an interaction that Genesys' events name too, and lies between its first and its last
//! one; members are called as the guides call them. What is personal in an event is that interaction's caller's, and
//! goes through `plant` or `resolve`, which list it.
//!
//! Left out: the guides' deletion event, since nothing is erased on a generated day, and their subscriptions and API
//! bodies, which are no events.

mod identity;
mod records;
mod states;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use self::records::Case;
use super::centre::{Caller, Centre};
use super::conversation::{Channel, Interaction, dashed, national};
use super::dice::Dice;
use super::envelope::{Body, Event, Topic, milliseconds};
use super::planted::{Place, Planted};
use super::{FIRST_GUIDE_STREAM, GUIDES_STREAM, GenArgs};

/// The systems beside Genesys, over a day.
pub(super) struct Guides<'c> {
    house: House<'c>,
    seed: u64,
    percent: f64,
    day_ends_ms: i64,
    events: Vec<Event>,
    cases: Vec<Case>,
}

/// What these systems have in common.
struct House<'c> {
    centre: &'c Centre,
    /// Goes in front of a value before it is hashed.
    salt: String,
    contact_center: String,
}

impl<'c> Guides<'c> {
    pub(super) fn new(args: &GenArgs, centre: &'c Centre, midnight_ms: i64) -> Self {
        let mut dice = Dice::new(args.seed, GUIDES_STREAM);
        Self {
            house: House { centre, salt: dice.uuid(), contact_center: dice.uuid() },
            seed: args.seed,
            percent: args.guides,
            day_ends_ms: midnight_ms + DAY_MS,
            events: Vec::new(),
            cases: Vec::new(),
        }
    }

    /// Emits the guides' events for an interaction, if the dice choose it. Skips one that outlives the day.
    pub(super) fn tell(&mut self, number: u32, interaction: &Interaction<'_>, planted: &mut Planted) {
        let mut dice = Dice::new(self.seed, FIRST_GUIDE_STREAM + u64::from(number));
        if !dice.percent(self.percent) || interaction.ended_ms >= self.day_ends_ms {
            return;
        }
        let (house, events) = (&self.house, &mut self.events);
        let mut telling = Telling { house, interaction, dice, planted, events };
        telling.summaries();
        match telling.dice.weighted(&[4, 4, 2, 2]) {
            0 => telling.interaction_log(),
            1 => telling.state_changes(),
            2 => telling.audit_records(),
            _ => telling.normalized_log(),
        }
        telling.identity();
        if telling.dice.percent(50.0) {
            telling.contact_row();
        }
        if telling.dice.percent(50.0) {
            self.cases.push(telling.case());
        }
    }

    /// All that was told; the cases go into bulk batches of a few each.
    pub(super) fn into_events(mut self, planted: &mut Planted) -> Vec<Event> {
        let batches = records::batches(&self.house.centre.org, self.cases, planted);
        self.events.extend(batches);
        self.events
    }
}

/// One interaction being told of.
struct Telling<'a> {
    house: &'a House<'a>,
    interaction: &'a Interaction<'a>,
    dice: Dice,
    planted: &'a mut Planted,
    events: &'a mut Vec<Event>,
}

impl<'a> Telling<'a> {
    /// Adds an event of the interaction.
    fn emit(&mut self, source: &'static str, occurred_ms: i64, body: Body) {
        let id = self.interaction.id.clone();
        self.planted.count_flat(&id, source);
        let body = body.with("orgId", self.house.centre.org.as_str());
        self.events.push(Event { topic: Topic::Flat(source), id, occurred_ms, version: "", body });
    }

    /// Who contacted the center; `None` if nobody knows.
    fn caller(&self) -> Option<&'a Caller> {
        self.interaction.caller
    }

    /// A moment of the interaction, in per cent of its duration.
    fn at(&self, percent: i64) -> i64 {
        let Interaction { started_ms, ended_ms, .. } = self.interaction;
        started_ms + (ended_ms - started_ms) * percent / 100
    }

    /// What happened, in order.
    fn steps(&mut self) -> Vec<&'static Step> {
        let held = self.dice.percent(40.0);
        STEPS.iter().filter(|step| held || step.state != "ON_HOLD").collect()
    }

    /// The caller's number as this system writes it, listed as one that names the customer; null without a caller.
    fn phone(&mut self, source: &'static str, pointer: &str) -> Value {
        let Some(caller) = self.caller() else { return Value::Null };
        if self.dice.percent(25.0) {
            let written = dashed(&caller.phone);
            self.resolve("phone", &caller.phone, &written, source, pointer);
            return format!("+1 {written}").into();
        }
        self.resolve("phone", &caller.phone, national(&caller.phone), source, pointer);
        caller.phone.as_str().into()
    }

    /// Lists a personal value that this event holds.
    fn plant(&mut self, kind: &'static str, value: &str, written: &str, topic: &str, pointer: &str) {
        let place = Place { record: &self.interaction.id, topic, pointer, resolves: false };
        self.planted.note(kind, value, written, &place);
    }

    /// Lists a personal value that this event holds and that names the customer.
    fn resolve(&mut self, kind: &'static str, value: &str, written: &str, topic: &str, pointer: &str) {
        let place = Place { record: &self.interaction.id, topic, pointer, resolves: true };
        self.planted.note(kind, value, written, &place);
    }
}

impl House<'_> {
    /// The guides' deterministic hash.
    fn hash(&self, value: &str) -> String {
        sha256(&format!("{}{value}", self.salt))
    }

    /// The name under which the CRM knows a caller, without saying who it is.
    fn customer_id(&self, caller: &Caller) -> String {
        format!("cust_hash_{}", self.hash(&format!("customer of {}", caller.account)))
    }

    /// A payment provider's token for the caller's card.
    fn payment_token(&self, caller: &Caller) -> String {
        format!("tok_{}", &self.hash(&format!("{}{}", caller.card, caller.account))[..24])
    }

    /// A social security number that nobody has: numbers from 900 on are never assigned, nor is the group 00.
    fn ssn(&self, caller: &Caller) -> String {
        format!("900-00-{:04}", self.number(caller, "ssn") % 10_000)
    }

    /// A password as people choose them.
    fn password(&self, caller: &Caller) -> String {
        let number = self.number(caller, "password");
        let word = |number: usize| PASSWORD_WORDS[number % PASSWORD_WORDS.len()];
        format!("{}-{}-{:02}", word(number), word(number / 8), number / 64 % 100)
    }

    /// A number that belongs to the caller for a purpose.
    fn number(&self, caller: &Caller, purpose: &str) -> usize {
        usize::from_str_radix(&self.hash(&format!("{purpose}{}", caller.account))[..6], 16).unwrap_or_default()
    }
}

/// A step on an interaction's way, as each of the shapes calls it.
struct Step {
    /// `stateName` of the log; `state` of state changes, in small letters.
    state: &'static str,
    /// `systemActionId` of the log.
    action: &'static str,
    /// `activity` of the bulk load, behind the medium's word.
    activity: &'static str,
    /// When, in per cent of the interaction's duration.
    at_percent: i64,
}

const fn step(state: &'static str, action: &'static str, activity: &'static str, at_percent: i64) -> Step {
    Step { state, action, activity, at_percent }
}

const STEPS: [Step; 5] = [
    step("INITIATED", "PLAY_GREETING", "Received", 0),
    step("QUEUED", "ROUTE_TO_QUEUE", "Queued", 20),
    step("ANSWERED", "ROUTE_TO_AGENT", "Routed_To_Agent", 45),
    step("ON_HOLD", "PLAY_MUSIC", "On_Hold", 70),
    step("COMPLETED", "END_INTERACTION", "Completed", 100),
];

/// The medium as the guides write it.
fn media(channel: Channel) -> &'static str {
    match channel {
        Channel::InboundCall | Channel::WithheldCall | Channel::OutboundCall => "VOICE",
        Channel::Chat => "CHAT",
        Channel::Message(_) => "MESSAGE",
        Channel::Email => "EMAIL",
        Channel::Callback => "CALLBACK",
    }
}

/// The process that an interaction belongs to.
fn process(channel: Channel) -> &'static str {
    if channel == Channel::OutboundCall { "Customer_Support_Outbound" } else { "Customer_Support_Inbound" }
}

/// RFC 3339 in whole seconds, as most of the guides' examples are.
fn seconds(at_ms: i64) -> String {
    let mut text = milliseconds(at_ms);
    text.replace_range(19..23, "");
    text
}

/// 64 hex digits.
fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Queues as other systems name them: an id for people, and a name.
const QUEUES: [(&str, &str); 6] = [
    ("q-sales-support", "Sales Support"),
    ("q-billing", "Billing"),
    ("q-technical-support", "Technical Support"),
    ("q-claims", "Claims"),
    ("q-retention", "Retention"),
    ("q-complaints", "Complaints"),
];

const PASSWORD_WORDS: [&str; 8] = ["Velvet", "Anchor", "Marble", "Thunder", "Cinnamon", "Lantern", "Pebble", "Orchard"];

const DAY_MS: i64 = 24 * 3_600_000;
