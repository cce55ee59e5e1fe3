//! What people say and write: attributes, wrap-up notes, transcripts. This is where most personal data turn up.
//!
//! Invariant: spoken numbers come one digit per word, as speech recognition returns them.

use serde_json::{Value, json};

use super::conversation::{Conversation, dashed, national};
use super::envelope::{Body, Topic, milliseconds};

impl Conversation<'_, '_> {
    /// What the flow learned and set as participant attributes. No sessionId, no top-level mediaType.
    pub(super) fn attributes(&mut self, at: i64) {
        if !self.dice.percent(70.0) {
            return;
        }
        const TOPIC: &str = "attributes";
        let caller = self.caller;
        let mut set = serde_json::Map::new();
        set.insert("customer_tier".to_owned(), caller.tier.into());
        set.insert("recording_consent".to_owned(), self.dice.pick(&["yes", "no"]).into());
        if self.known() {
            if self.dice.percent(60.0) {
                self.plant("name", &caller.name, &caller.name, TOPIC, "/attributes/Customer Name");
                set.insert("Customer Name".to_owned(), caller.name.as_str().into());
            }
            if self.dice.percent(50.0) {
                self.plant("account", &caller.account, &caller.account, TOPIC, "/attributes/ACCOUNT_NUMBER");
                set.insert("ACCOUNT_NUMBER".to_owned(), caller.account.as_str().into());
            }
            if self.dice.percent(30.0) {
                // Keys with a leading space or two are what flow authors leave behind.
                let written = dashed(&caller.phone);
                self.plant("phone", &caller.phone, &written, TOPIC, "/attributes/ callback number");
                set.insert(" callback number".to_owned(), written.into());
            }
            if self.dice.percent(25.0) {
                self.plant("email", &caller.email, &caller.email, TOPIC, "/attributes/email  address");
                set.insert("email  address".to_owned(), caller.email.as_str().into());
            }
            if self.dice.percent(8.0) {
                self.payment(&mut set);
            }
        }
        let media = match self.channel_media() {
            Some(media) => json!([{"id": self.customer.session, "mediaType": media}]),
            None => json!([]),
        };
        let body = Body::default()
            .with("eventTime", at)
            .with("conversationId", self.id.as_str())
            .with("participantId", self.customer.participant.as_str())
            .with("attributes", Value::Object(set))
            .with("communications", media)
            .with("participantStartTime", self.started_ms);
        self.finish(Topic::Conversation(TOPIC), at, body);
    }

    /// A payment flow that keeps what it never may: these are cut before anything is stored.
    fn payment(&mut self, set: &mut serde_json::Map<String, Value>) {
        const TOPIC: &str = "attributes";
        let card = self.caller.card;
        self.plant("card", card, card, TOPIC, "/attributes/cardNumber");
        set.insert("cardNumber".to_owned(), card.into());
        let cvv = format!("{:03}", self.dice.between(0, 999));
        self.plant("cvv", &cvv, &format!("\"cvv\":\"{cvv}\""), TOPIC, "/attributes/cvv");
        set.insert("cvv".to_owned(), cvv.into());
        if self.dice.percent(50.0) {
            let pin = format!("{:04}", self.dice.between(0, 9_999));
            self.plant("pin", &pin, &format!("\"pin\":\"{pin}\""), TOPIC, "/attributes/pin");
            set.insert("pin".to_owned(), pin.into());
        }
    }

    fn channel_media(&self) -> Option<&'static str> {
        use super::conversation::Channel;
        match self.channel {
            Channel::InboundCall | Channel::WithheldCall | Channel::OutboundCall => Some("VOICE"),
            Channel::Chat => Some("CHAT"),
            Channel::Message(_) => Some("MESSAGE"),
            Channel::Email => Some("EMAIL"),
            Channel::Callback => None,
        }
    }

    /// An agent's wrap-up notes.
    pub(super) fn notes(&mut self, topic: &'static str) -> String {
        const POINTER: &str = "/wrapupNotes";
        let caller = self.caller;
        if !self.known() {
            return "caller withheld the number, general question".to_owned();
        }
        match self.dice.index(6) {
            0 => {
                self.plant("name", &caller.name, &caller.name, topic, POINTER);
                self.plant("phone", &caller.phone, &dashed(&caller.phone), topic, POINTER);
                format!("spoke with {}, wants a call back on {}", caller.name, dashed(&caller.phone))
            }
            1 => {
                self.plant("email", &caller.email, &caller.email, topic, POINTER);
                format!("sent the form to {} {{as agreed}}", caller.email)
            }
            2 => {
                self.plant("card", caller.card, caller.card, topic, POINTER);
                format!("took payment, card {}", caller.card)
            }
            3 => {
                self.plant("name", &caller.name, &caller.name, topic, POINTER);
                self.plant("account", &caller.account, &caller.account, topic, POINTER);
                format!("{} / {}: refund agreed,\n2nd \"letter\" follows", caller.name, caller.account)
            }
            4 => "transferred to billing".to_owned(),
            _ => "resolved, no follow-up".to_owned(),
        }
    }

    /// Live transcription of a call: what was said so far, twice or so, then the end of the session.
    pub(super) fn transcribe(&mut self, from: i64, until: i64) {
        let lines = self.lines();
        let mut offset = 1_500;
        for pair in lines.chunks(2) {
            let transcripts: Vec<Value> = pair.iter().map(|line| self.utterance(line, &mut offset)).collect();
            let at = (from + offset).min(until - 1);
            let status = json!({"offsetMs": offset, "status": "SESSION_ONGOING"});
            self.transcription(from, at, Some(transcripts), &status);
        }
        let status = json!({"offsetMs": until - from, "status": "SESSION_ENDED"});
        self.transcription(from, until + 700, None, &status);
    }

    fn transcription(&mut self, from: i64, at: i64, transcripts: Option<Vec<Value>>, status: &Value) {
        let mut body = Body::default()
            .with("eventTime", milliseconds(at))
            .with("organizationId", self.centre.org.as_str())
            .with("conversationId", self.id.as_str())
            .with("communicationId", self.customer.session.as_str())
            .with("sessionStartTimeMs", self.started_ms)
            .with("transcriptionStartTimeMs", from);
        if let Some(transcripts) = transcripts {
            body.put("transcripts", transcripts);
        }
        self.finish(Topic::Transcription, at, body.with("status", status.clone()));
    }

    /// A conversation in two, four or six lines.
    fn lines(&mut self) -> Vec<Line> {
        const SPOKEN: &str = "/transcripts/*/alternatives/*/transcript";
        const DECORATED: &str = "/transcripts/*/alternatives/*/decoratedTranscript";
        let caller = self.caller;
        let name = caller.name.to_lowercase();
        self.plant("name", &caller.name, &name, "transcription", SPOKEN);
        let mut lines = vec![
            Line::agent("thank you for calling how may i help you"),
            Line::customer(&format!("hello this is {name} i have a question about my invoice")),
        ];
        if self.dice.percent(55.0) {
            let digits = national(&caller.phone);
            self.plant("phone", &caller.phone, &spoken(digits), "transcription", SPOKEN);
            self.plant("phone", &caller.phone, &dashed(&caller.phone), "transcription", DECORATED);
            lines.push(Line::agent("on which number can we reach you"));
            lines.push(Line {
                external: true,
                said: format!("it is {}", spoken(digits)),
                decorated: format!("it is {}", dashed(&caller.phone)),
            });
        }
        if self.dice.percent(20.0) {
            self.plant("card", caller.card, &spoken(caller.card), "transcription", SPOKEN);
            self.plant("card", caller.card, caller.card, "transcription", DECORATED);
            lines.push(Line::agent("please read me the number of the card"));
            lines.push(Line {
                external: true,
                said: format!("that would be {}", spoken(caller.card)),
                decorated: format!("that would be {}", caller.card),
            });
        }
        lines
    }

    fn utterance(&mut self, line: &Line, offset: &mut i64) -> Value {
        let words = |text: &str, from: i64| -> Vec<Value> {
            let timed = text.split(' ').enumerate();
            timed
                .map(|(n, word)| {
                    let at = from + n as i64 * WORD_MS;
                    json!({"confidence": 0.97, "offsetMs": at, "durationMs": 240, "word": word})
                })
                .collect()
        };
        let duration = line.said.split(' ').count() as i64 * WORD_MS;
        let begin = *offset;
        *offset += duration + 600;
        json!({
            "utteranceId": self.dice.uuid(),
            "isFinal": true,
            "channel": if line.external { "EXTERNAL" } else { "INTERNAL" },
            "alternatives": [{
                "confidence": self.dice.between(650, 999) as f64 / 1000.0,
                "offsetMs": begin,
                "durationMs": duration,
                "transcript": line.said,
                "words": words(&line.said, begin),
                "decoratedTranscript": line.decorated,
                "decoratedWords": words(&line.decorated, begin),
            }],
            "engineProvider": "GENESYS",
            "engineId": "r2d2",
            "dialect": "en-US",
            "agentAssistEnabled": false,
            "voiceTranscriptionEnabled": true,
        })
    }
}

/// One utterance.
struct Line {
    external: bool,
    said: String,
    decorated: String,
}

impl Line {
    fn agent(said: &str) -> Self {
        Self { external: false, said: said.to_owned(), decorated: said.to_owned() }
    }

    fn customer(said: &str) -> Self {
        Self { external: true, said: said.to_owned(), decorated: said.to_owned() }
    }
}

/// `four two` for `42`.
fn spoken(digits: &str) -> String {
    let word = |c: char| c.to_digit(10).map(|digit| DIGITS[digit as usize]);
    digits.chars().filter_map(word).collect::<Vec<_>>().join(" ")
}

const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// A spoken word every 320 ms.
const WORD_MS: i64 = 320;
