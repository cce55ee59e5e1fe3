//! State by state: the interaction log and its normalised form (guide 001), state changes and the records that are made
//! of them (guide 002).
//!
//! Invariant: a state is told in one of these shapes only, so that no two documents are one event.

use serde_json::{Map, Value, json};

use super::{Step, Telling, media, process, sha256};
use crate::r#gen::conversation::Channel;
use crate::r#gen::envelope::{Body, milliseconds};

impl Telling<'_> {
    /// Guide 001: `{interactionId, stateName, timestamp, agents, durationMs, …}`.
    pub(super) fn interaction_log(&mut self) {
        const SOURCE: &str = "interaction-log";
        let steps = self.steps();
        for (number, step) in steps.iter().enumerate() {
            let at = self.at(step.at_percent);
            let agents = self.agents(step);
            let mut body = Body::default()
                .with("interactionId", self.interaction.id.as_str())
                .with("stateName", step.state)
                .with("timestamp", milliseconds(at))
                .with("agents", agents)
                .with("durationMs", self.at(steps.get(number + 1).map_or(100, |next| next.at_percent)) - at)
                .with("systemActionId", step.action);
            let name = self.caller().map(|caller| {
                self.plant("name", &caller.name, &caller.name, SOURCE, "/customerName");
                caller.name.as_str()
            });
            body.put("customerName", name);
            body.put("phoneNumber", self.phone(SOURCE, "/phoneNumber"));
            let token = self.caller().filter(|_| self.dice.percent(30.0)).map(|caller| {
                let token = self.house.payment_token(caller);
                self.plant("payment_token", &token, &token, SOURCE, "/paymentToken");
                token
            });
            body.put("paymentToken", token);
            self.emit(SOURCE, at, body);
        }
    }

    /// Guide 001: the same after an ETL job gave it the target's names.
    pub(super) fn normalized_log(&mut self) {
        let steps = self.steps();
        for (number, step) in steps.iter().enumerate() {
            let at = self.at(step.at_percent);
            let agent = has_agent(step).then(|| self.house.centre.agent(&mut self.dice).id.as_str());
            let body = Body::default()
                .with("event_id", self.dice.uuid())
                .with("interaction_id", self.interaction.id.as_str())
                .with("process_name", process(self.interaction.channel))
                .with("activity_name", step.state)
                .with("timestamp", milliseconds(at))
                .with("agent_id", agent)
                .with("duration_ms", self.at(steps.get(number + 1).map_or(100, |next| next.at_percent)) - at)
                .with("system_action", step.action);
            self.emit("interaction-log", at, body);
        }
    }

    /// Who is on it: nobody yet, in each of the ways in which the log says so, or an agent.
    fn agents(&mut self, step: &Step) -> Value {
        if has_agent(step) {
            return json!([{"id": self.house.centre.agent(&mut self.dice).id}]);
        }
        match self.dice.weighted(&[5, 1, 1, 1]) {
            0 => json!([]),
            1 => Value::Null,
            2 => json!([null]),
            _ => json!([{}]),
        }
    }

    /// Guide 002: `{eventId, timestamp, eventType, interactionId, payload}`.
    pub(super) fn state_changes(&mut self) {
        const SOURCE: &str = "event-sourcing";
        for step in self.steps() {
            let mut payload = Map::new();
            payload.insert("state".to_owned(), step.state.to_ascii_lowercase().into());
            self.contact_members(step, &mut payload, SOURCE, "/payload");
            self.secrets(step, &mut payload, SOURCE, "/payload", str::to_owned);
            let at = self.at(step.at_percent);
            let body = Body::default()
                .with("eventId", self.dice.uuid())
                .with("timestamp", milliseconds(at))
                .with("eventType", self.event_type())
                .with("interactionId", self.interaction.id.as_str())
                .with("payload", payload);
            self.emit(SOURCE, at, body);
        }
    }

    /// Guide 002: `{audit_id, timestamp, event_type, data, schema_version}`, as the guide's code makes it of a state
    /// change: the audit's id is the interaction's, and what is most sensitive is hashed. Other code gives it an id.
    pub(super) fn audit_records(&mut self) {
        const SOURCE: &str = "audit-record";
        let own_ids = self.dice.percent(40.0);
        for step in self.steps() {
            let at = self.at(step.at_percent);
            let mut data = Map::new();
            data.insert("eventId".to_owned(), self.dice.uuid().into());
            data.insert("timestamp".to_owned(), milliseconds(at).into());
            data.insert("eventType".to_owned(), self.event_type().into());
            data.insert("interactionId".to_owned(), self.interaction.id.as_str().into());
            data.insert("state".to_owned(), step.state.to_ascii_lowercase().into());
            self.contact_members(step, &mut data, SOURCE, "/data");
            self.secrets(step, &mut data, SOURCE, "/data", sha256);
            let audit_id = if own_ids {
                format!("evt_{}", &self.dice.uuid().replace('-', "")[..12])
            } else {
                self.interaction.id.clone()
            };
            let body = Body::default()
                .with("audit_id", audit_id)
                .with("timestamp", milliseconds(at))
                .with("event_type", self.event_type())
                .with("data", data)
                .with("schema_version", "v1.2");
            self.emit(SOURCE, at, body);
        }
    }

    /// How to reach the customer, once the system knows.
    fn contact_members(&mut self, step: &Step, set: &mut Map<String, Value>, source: &'static str, base: &str) {
        let Some(caller) = self.caller().filter(|_| step.state == "QUEUED") else { return };
        if self.dice.percent(70.0) {
            set.insert("phoneNumber".to_owned(), self.phone(source, &format!("{base}/phoneNumber")));
        }
        if self.dice.percent(60.0) {
            self.resolve("email", &caller.email, &caller.email, source, &format!("{base}/emailAddress"));
            set.insert("emailAddress".to_owned(), caller.email.as_str().into());
        }
    }

    /// What no event should hold, and some do when an agent has verified the customer.
    fn secrets(
        &mut self,
        step: &Step,
        set: &mut Map<String, Value>,
        source: &'static str,
        base: &str,
        written: fn(&str) -> String,
    ) {
        let Some(caller) = self.caller().filter(|_| step.state == "ANSWERED" && self.dice.percent(40.0)) else {
            return;
        };
        for (kind, name, value) in [
            ("ssn", "ssn", self.house.ssn(caller)),
            ("card", "creditCardNumber", caller.card.to_owned()),
            ("password", "password", self.house.password(caller)),
        ] {
            let text = written(&value);
            self.plant(kind, &value, &text, source, &format!("{base}/{name}"));
            set.insert(name.to_owned(), text.into());
        }
    }

    fn event_type(&self) -> &'static str {
        match (self.interaction.channel, media(self.interaction.channel)) {
            (_, "VOICE") => "call.stateChange",
            (Channel::Chat, _) => "webchat.stateChange",
            (Channel::Message(_), _) => "message.stateChange",
            (Channel::Email, _) => "email.stateChange",
            _ => "interaction.stateChange",
        }
    }
}

fn has_agent(step: &Step) -> bool {
    step.at_percent > 20
}
