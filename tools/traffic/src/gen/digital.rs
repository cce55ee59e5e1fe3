//! Chats, messages, e-mails and callbacks.
//!
//! Invariant: web messaging is never abandoned (Genesys does not know that for it); a callback and its voice leg are
//! one conversation.

use serde_json::json;

use super::conversation::{CALLBACK_AFTER_MS, Channel, Conversation};
use super::envelope::Body;
use super::voice::{Part, join};

impl Conversation<'_, '_> {
    pub(super) fn chat_or_message(&mut self) {
        let (customer, begin) = (self.customer.clone(), self.started_ms);
        let mut start = Body::default().with("divisionId", self.centre.division.as_str());
        if self.channel == Channel::Chat {
            let (session, action) = (self.dice.uuid(), self.dice.uuid());
            start.put("journeyContext", json!({"sessionId": session, "sessionIdType": "web", "actionId": action}));
        }
        self.emit("customer.start", &customer, begin, start);
        let flow_type = if self.channel == Channel::Chat { "INBOUNDCHAT" } else { "INBOUNDSHORTMESSAGE" };
        let in_queue_from = self.digital_flow(flow_type, begin + 250);
        self.attributes(in_queue_from - 100);
        let may_abandon = self.channel == Channel::Chat;
        let answer_ms = self.dice.long_tail_ms(2_000, 30_000);
        let talk_ms = self.dice.long_tail_ms(40_000, 400_000);
        match self.digital_queue(in_queue_from, answer_ms, talk_ms, may_abandon) {
            Some(end) => self.customer_hangs_up(end, "CLIENT"),
            None => self.customer_hangs_up(in_queue_from + answer_ms, "CLIENT"),
        }
    }

    pub(super) fn email(&mut self) {
        let caller = self.caller;
        let subject = match self.dice.index(4) {
            0 => format!("Claim of {}", caller.name),
            1 => format!("Please call me back on {}", caller.phone),
            2 => "Change of address".to_owned(),
            _ => "Your letter of Monday".to_owned(),
        };
        self.subject = Some(subject);
        let (customer, begin) = (self.customer.clone(), self.started_ms);
        self.emit("customer.start", &customer, begin, Body::default());
        let in_queue_from = self.digital_flow("INBOUNDEMAIL", begin + 900);
        let wait_ms = self.dice.long_tail_ms(60_000, 1_800_000);
        let work_ms = self.dice.long_tail_ms(60_000, 420_000);
        if let Some(end) = self.digital_queue(in_queue_from, wait_ms, work_ms, false) {
            self.customer_hangs_up(end, "PEER");
        }
    }

    pub(super) fn callback(&mut self) {
        let (customer, begin) = (self.customer.clone(), self.started_ms);
        self.emit("customer.start", &customer, begin, Body::default());
        self.attributes(begin + 300);
        let queue = self.centre.queue(self.dice).id.clone();
        let leg = self.leg();
        let common = Body::default().with("queueId", queue.as_str()).with("divisionId", self.centre.division.as_str());
        self.emit("acd.start", &leg, begin + 500, common.clone());
        let due = begin + CALLBACK_AFTER_MS + self.dice.long_tail_ms(0, 120_000);
        let end = join(Body::default().with("disconnectType", "TRANSFER"), common)
            .with("acdOutcome", "ANSWERED")
            .with("connectedDurationMs", due - begin - 500);
        self.emit("acd.end", &leg, due, end);
        // The agent takes the callback, then dials: a voice leg inside the same conversation.
        let dialing = self.dice.between(4_000, 15_000);
        let talk = self.dice.long_tail_ms(20_000, 150_000);
        let until = due + dialing + talk;
        let held_in_hand = Part {
            from: due,
            until: until + 2_000,
            interacting: 0,
            held: 0,
            alerting: 800,
            dialing: 0,
            callback: dialing,
        };
        self.agent(&queue, &held_in_hand, "CLIENT");
        self.channel = Channel::OutboundCall;
        let spoken = Part { from: due + 500, until, interacting: talk, held: 0, alerting: 0, dialing, callback: 0 };
        self.agent(&queue, &spoken, "PEER");
        self.channel = Channel::Callback;
        self.customer_hangs_up(until + 2_100, "CLIENT");
    }

    /// The bot or routing flow in front of the queue; when it ends.
    fn digital_flow(&mut self, flow_type: &str, from: i64) -> i64 {
        let leg = self.leg();
        let flow = self.flow(flow_type);
        let stay = self.dice.between(300, 20_000);
        self.emit("flow.start", &leg, from, flow.clone());
        let end = join(Body::default().with("disconnectType", "TRANSFER"), flow)
            .with("connectedDurationMs", stay)
            .with("exitReason", "TRANSFER")
            .with("transferType", "ACD");
        self.emit("flow.end", &leg, from + stay, end);
        from + stay + 150
    }

    /// Queue and agent; when the agent was done, or `None` if the customer gave up first.
    fn digital_queue(&mut self, from: i64, wait_ms: i64, work_ms: i64, may_abandon: bool) -> Option<i64> {
        let leg = self.leg();
        let queue = self.centre.queue(self.dice).id.clone();
        let common = Body::default().with("queueId", queue.as_str()).with("divisionId", self.centre.division.as_str());
        self.emit("acd.start", &leg, from, common.clone().with("routingPriority", 0));
        let abandoned = may_abandon && self.dice.percent(9.0);
        let (disconnect, outcome) = if abandoned { ("PEER", "ABANDON") } else { ("TRANSFER", "ANSWERED") };
        let end = join(Body::default().with("disconnectType", disconnect), common)
            .with("acdOutcome", outcome)
            .with("connectedDurationMs", wait_ms);
        self.emit("acd.end", &leg, from + wait_ms, end);
        if abandoned {
            return None;
        }
        let until = from + wait_ms + work_ms;
        let part = Part {
            from: from + wait_ms - 1_000,
            until,
            interacting: work_ms,
            held: 0,
            alerting: 1_000,
            dialing: 0,
            callback: 0,
        };
        self.agent(&queue, &part, "CLIENT");
        Some(until)
    }
}
