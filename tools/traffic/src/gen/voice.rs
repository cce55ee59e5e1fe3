//! Calls: IVR, queue, agents, hold, transfers, after-call work; and those who hang up before.
//!
//! Invariant: durations add up as Genesys' do: `connectedDurationMs` of acd.end is the wait, interacting + held of
//! user.end is the talk, `wrapupDurationMs` of acw the work after it.

use serde_json::json;

use super::conversation::{Conversation, Leg};
use super::envelope::Body;

/// How an agent's part ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    HungUp,
    BlindTransfer,
    ConsultTransfer,
}

impl Conversation<'_, '_> {
    pub(super) fn inbound_call(&mut self) {
        let customer = self.customer.clone();
        let begin = self.started_ms;
        let division = self.centre.division.clone();
        self.emit("customer.start", &customer, begin, Body::default().with("divisionId", division));
        let Some(in_queue_from) = self.ivr(begin + 400) else { return };
        self.attributes(in_queue_from - 100);
        if self.dice.percent(8.0) {
            self.emit("contact", &customer, in_queue_from - 60, Body::default());
        }
        let Some(end) = self.queue_and_agents(in_queue_from) else { return };
        self.customer_hangs_up(end, "ENDPOINT");
    }

    /// The IVR; `None` if the caller hung up in it.
    fn ivr(&mut self, from: i64) -> Option<i64> {
        let leg = self.leg();
        let flow = self.flow("INBOUNDCALL");
        self.emit("flow.start", &leg, from, flow.clone());
        let stay = self.dice.long_tail_ms(6_000, 35_000);
        let until = from + stay;
        if self.dice.percent(6.0) {
            let end = Body::default().with("disconnectType", "PEER");
            let end = join(end, flow).with("connectedDurationMs", stay).with("exitReason", "DISCONNECT");
            self.emit("flow.end", &leg, until, end);
            self.customer_hangs_up(until, "ENDPOINT");
            return None;
        }
        if self.dice.percent(60.0) {
            self.flow_outcome(&leg, from, until - 200, &flow);
        }
        let end = Body::default().with("disconnectType", "TRANSFER");
        let end = join(end, flow)
            .with("connectedDurationMs", stay)
            .with("exitReason", "TRANSFER")
            .with("transferType", "ACD");
        self.emit("flow.end", &leg, until, end);
        Some(until + 200)
    }

    pub(super) fn flow(&mut self, flow_type: &str) -> Body {
        let flow = &self.centre.flows[self.dice.index(self.centre.flows.len())];
        Body::default()
            .with("flowType", flow_type)
            .with("flowId", flow.as_str())
            .with("divisionId", self.centre.division.as_str())
            .with("flowVersion", "7.0")
    }

    fn flow_outcome(&mut self, leg: &Leg, from: i64, at: i64, flow: &Body) {
        let outcome = &self.centre.flow_outcomes[self.dice.index(self.centre.flow_outcomes.len())];
        let milestone = &self.centre.milestones[self.dice.index(self.centre.milestones.len())];
        let value = self.dice.pick(&["SUCCESS", "SUCCESS", "SUCCESS", "FAILURE"]);
        let body = join(flow.clone(), Body::default())
            .with("flowOutcomeId", outcome.as_str())
            .with("flowOutcomeStartTime", from + 100)
            .with("flowOutcomeEndTime", at - 50)
            .with("flowOutcomeValue", value)
            .with("flowMilestones", json!([{"milestoneId": milestone, "milestoneTime": (from + at) / 2}]));
        self.emit("flow.outcome", leg, at, body);
    }

    /// Waits, talks, is handed on; the end of the last agent's part, or `None` if nobody answered.
    fn queue_and_agents(&mut self, from: i64) -> Option<i64> {
        let (mut answered_at, mut queue) = self.wait(from)?;
        let mut handed_on = 0;
        loop {
            let ending = match self.dice.weighted(&[83, 12, 5]) {
                1 if handed_on < MOST_TRANSFERS => Ending::BlindTransfer,
                2 if handed_on < MOST_TRANSFERS => Ending::ConsultTransfer,
                _ => Ending::HungUp,
            };
            handed_on += 1;
            let until = self.agent_part(answered_at, &queue, ending);
            match ending {
                Ending::HungUp => return Some(until),
                Ending::BlindTransfer => (answered_at, queue) = self.wait(until + 100)?,
                // The second agent was consulted while the first still talked: no queue in between.
                Ending::ConsultTransfer => answered_at = until - 20_000,
            }
        }
    }

    /// Time in a queue: when it was answered and which queue it was, or `None` if it was not.
    fn wait(&mut self, from: i64) -> Option<(i64, String)> {
        let leg = self.leg();
        let queue = self.centre.queue(self.dice);
        let (queue_id, skill) = (queue.id.clone(), queue.skill.clone());
        let common =
            Body::default().with("queueId", queue_id.as_str()).with("divisionId", self.centre.division.as_str());
        let start = common
            .clone()
            .with("routingPriority", self.dice.between(0, 5))
            .with("requestedRoutingSkillIds", json!([skill]))
            .with("skillExpressionApplied", false);
        self.emit("acd.start", &leg, from, start);
        let (waited, outcome) = match self.dice.weighted(&[86, 8, 3, 3]) {
            0 => (self.dice.long_tail_ms(900, 24_000), "ANSWERED"),
            1 => (self.dice.long_tail_ms(12_000, 70_000), "ABANDON"),
            // A short abandon: gone within five seconds.
            2 => (self.dice.between(600, 4_900), "ABANDON"),
            _ => (self.dice.long_tail_ms(60_000, 60_000), "FLOW_OUT"),
        };
        let until = from + waited;
        let disconnect = if outcome == "ABANDON" { "PEER" } else { "TRANSFER" };
        let mut end = join(Body::default().with("disconnectType", disconnect), common).with("acdOutcome", outcome);
        if outcome == "ANSWERED" {
            end.put("requestedRoutings", json!(["STANDARD"]));
            end.put("usedRouting", "STANDARD");
        }
        // Lower case, as Genesys really writes it here.
        self.emit("acd.end", &leg, until, end.with("connectedDurationMs", waited).with("flowType", "inqueuecall"));
        match outcome {
            "ANSWERED" => return Some((until, queue_id)),
            "FLOW_OUT" => self.voicemail(until + 100, &queue_id),
            _ => self.customer_hangs_up(until, "ENDPOINT"),
        }
        None
    }

    fn voicemail(&mut self, from: i64, queue_id: &str) {
        let leg = self.leg();
        let common = Body::default().with("queueId", queue_id).with("divisionId", self.centre.division.as_str());
        let length = self.dice.long_tail_ms(4_000, 25_000);
        self.emit("voicemail.start", &leg, from, common.clone());
        let end = join(Body::default().with("disconnectType", "PEER"), common).with("voicemailDurationMs", length);
        self.emit("voicemail.end", &leg, from + length, end);
        self.customer_hangs_up(from + length, "ENDPOINT");
    }

    /// One agent's part of a call that was answered at `answered_at`; its end.
    fn agent_part(&mut self, answered_at: i64, queue_id: &str, ending: Ending) -> i64 {
        let alerting = self.dice.between(1_200, 6_000);
        let talk = self.dice.long_tail_ms(20_000, 180_000);
        let held = if self.dice.percent(30.0) { self.dice.long_tail_ms(5_000, 40_000) } else { 0 };
        let until = answered_at + talk + held;
        let disconnect = match ending {
            Ending::HungUp => self.dice.pick(&["PEER", "PEER", "CLIENT"]),
            Ending::BlindTransfer => "TRANSFER",
            Ending::ConsultTransfer => "CONSULT_TRANSFER",
        };
        let spoken =
            Part { from: answered_at - alerting, until, interacting: talk, held, alerting, dialing: 0, callback: 0 };
        self.agent(queue_id, &spoken, disconnect);
        if ending == Ending::HungUp && self.known() && self.dice.percent(30.0) {
            self.transcribe(answered_at, until);
        }
        until
    }

    /// user.start, user.end, after-call work and, often, the wrap-up said twice: acw and wrapup are the same work.
    pub(super) fn agent(&mut self, queue_id: &str, part: &Part, disconnect: &str) {
        let leg = self.leg();
        let agent = self.centre.agent(self.dice);
        let user = Body::default()
            .with("userId", agent.id.as_str())
            .with("divisionId", self.centre.division.as_str())
            .with("queueId", queue_id);
        self.emit("user.start", &leg, part.from, user.clone());
        let end = join(Body::default().with("disconnectType", disconnect), user)
            .with("interactingDurationMs", part.interacting)
            .with("heldDurationMs", part.held)
            .with("alertingDurationMs", part.alerting)
            .with("contactingDurationMs", 0)
            .with("dialingDurationMs", part.dialing)
            .with("callbackDurationMs", part.callback);
        self.emit("user.end", &leg, part.until, end);
        let work = self.dice.long_tail_ms(2_000, 22_000);
        let code = self.centre.wrapup_codes[self.dice.index(self.centre.wrapup_codes.len())].clone();
        let user_id = agent.id.clone();
        let mut acw =
            Body::default().with("userId", user_id).with("queueId", queue_id).with("wrapupCode", code.as_str());
        let notes = self.dice.percent(45.0).then(|| self.notes("acw"));
        if let Some(notes) = &notes {
            acw.put("wrapupNotes", notes.as_str());
        }
        self.emit("acw", &leg, part.until + work, acw.with("wrapupDurationMs", work));
        if self.dice.percent(35.0) {
            let mut wrapup = Body::default().with("queueId", queue_id).with("wrapupCode", code);
            if notes.is_some() {
                wrapup.put("wrapupNotes", self.notes("wrapup"));
            }
            self.emit("wrapup", &leg, part.until + work + 40, wrapup.with("wrapupDurationMs", work));
        }
    }

    pub(super) fn customer_hangs_up(&mut self, at: i64, disconnect: &str) {
        let customer = self.customer.clone();
        let end = Body::default()
            .with("disconnectType", disconnect)
            .with("interactingDurationMs", at - self.started_ms)
            .with("divisionId", self.centre.division.as_str());
        self.emit("customer.end", &customer, at, end);
    }

    pub(super) fn outbound_call(&mut self) {
        let (customer, begin) = (self.customer.clone(), self.started_ms);
        let campaign = Body::default()
            .with("outboundCampaignId", self.centre.campaign.as_str())
            .with("divisionId", self.centre.division.as_str())
            .with("outboundContactListId", self.centre.contact_list.as_str())
            .with("outboundContactId", self.dice.uuid());
        self.emit("outbound", &customer, begin, campaign);
        self.emit("customer.start", &customer, begin + 150, Body::default());
        let dialing = self.dice.between(4_000, 25_000);
        if self.dice.percent(35.0) {
            // Nobody lifted the receiver.
            self.customer_hangs_up(begin + dialing, "TIMEOUT");
            return;
        }
        let talk = self.dice.long_tail_ms(15_000, 120_000);
        let until = begin + dialing + talk;
        let queue = self.centre.queue(self.dice).id.clone();
        let part = Part { from: begin + 300, until, interacting: talk, held: 0, alerting: 0, dialing, callback: 0 };
        self.agent(&queue, &part, "PEER");
        self.customer_hangs_up(until, "ENDPOINT");
    }
}

/// The times of one agent's session.
pub(super) struct Part {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) interacting: i64,
    pub(super) held: i64,
    pub(super) alerting: i64,
    pub(super) dialing: i64,
    pub(super) callback: i64,
}

/// `first`, then `second`.
pub(super) fn join(mut first: Body, second: Body) -> Body {
    first.0.extend(second.0);
    first
}

/// A call is handed on twice at most.
const MOST_TRANSFERS: u32 = 2;
