//! The events by which Genesys, and for surveys another system, tell of the contacts of a plan.
//!
//! Invariant: what the plan says is told once, each part by one event; only after-call work is told twice where the plan says so, by acw
//! and by wrapup. Every address is from a range reserved for fiction or tests.

use serde_json::json;

use super::super::centre::{OWN_MAILBOX, OWN_NUMBER, fictional_phone};
use super::super::envelope::{Body, Event, Topic, milliseconds};
use super::plan::{Contact, Leaves, Leg, Medium, Outcome, Person, Plan, Session, Survey, Visit, Work};

/// An event, and whether it is heard of after the rest.
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) is_late: bool,
}

/// The events of a plan, in the order of occurrence.
pub(super) fn play(plan: &Plan, org: &str) -> Vec<Told> {
    let mut told = Vec::new();
    for contact in &plan.contacts {
        Teller { plan, org, contact, told: &mut told }.tell();
    }
    // Stable: what happened in the same millisecond keeps the plan's order.
    told.sort_by_key(|one| one.event.occurred_ms);
    told
}

/// Tells of one contact.
struct Teller<'p> {
    plan: &'p Plan,
    org: &'p str,
    contact: &'p Contact,
    told: &'p mut Vec<Told>,
}

impl Teller<'_> {
    fn tell(&mut self) {
        let contact = self.contact;
        let way = (contact.medium, contact.is_outbound);
        self.emit("customer.start", &contact.customer, way, contact.began_ms, Body::default());
        contact.visits.iter().for_each(|visit| self.visit(visit));
        contact.sessions.iter().for_each(|session| self.session(session));
        let hung_up = Body::default().with("disconnectType", "ENDPOINT");
        self.emit("customer.end", &contact.customer, way, contact.ended_ms, hung_up);
        if let Some(survey) = &contact.survey {
            self.survey(survey);
        }
    }

    fn visit(&mut self, visit: &Visit) {
        let way = (self.contact.medium, self.contact.is_outbound);
        let queue = self.queue(Some(visit.queue));
        self.emit("acd.start", &visit.leg, way, visit.entered_ms, queue.clone().with("routingPriority", 0));
        let left_ms = visit.entered_ms + visit.waited_ms;
        let left = queue.clone().with("connectedDurationMs", visit.waited_ms);
        let left = match visit.outcome {
            Outcome::Answered => left.with("disconnectType", "TRANSFER").with("acdOutcome", "ANSWERED"),
            Outcome::Abandoned => left.with("disconnectType", "PEER").with("acdOutcome", "ABANDON"),
            Outcome::FlowedOut => left.with("disconnectType", "TRANSFER").with("acdOutcome", "FLOW_OUT"),
            Outcome::Untold => left.with("disconnectType", "TRANSFER"),
        };
        self.emit("acd.end", &visit.leg, way, left_ms, left);
        if visit.outcome == Outcome::FlowedOut {
            self.emit("voicemail.start", &visit.leg, way, left_ms + 100, queue.clone());
            let end = queue.with("disconnectType", "PEER").with("voicemailDurationMs", 9_000);
            self.emit("voicemail.end", &visit.leg, way, left_ms + 9_100, end);
        }
    }

    fn session(&mut self, session: &Session) {
        let way = (session.medium, session.is_outbound);
        let user = self.queue(session.queue).with("userId", self.plan.agents[session.agent].as_str());
        self.emit("user.start", &session.leg, way, session.began_ms, user.clone());
        let spoken = session.spoken;
        let end = user
            .with("disconnectType", disconnect_type(spoken.leaves))
            .with("interactingDurationMs", spoken.talk_ms)
            .with("heldDurationMs", spoken.held_ms)
            .with("alertingDurationMs", spoken.alerting_ms)
            .with("contactingDurationMs", spoken.contacting_ms)
            .with("dialingDurationMs", spoken.dialing_ms);
        self.emit("user.end", &session.leg, way, session.ended_ms, end);
        if let Some(work) = &session.work {
            self.work(session, work);
        }
    }

    /// After-call work names no division, and its queue and medium not always.
    fn work(&mut self, session: &Session, work: &Work) {
        let done_ms = session.ended_ms + work.took_ms;
        let agent = self.plan.agents[session.agent].as_str();
        let done = |body: Body| body.with("wrapupCode", WRAPUP_CODE).with("wrapupDurationMs", work.took_ms);
        let mut acw = done(Body::default().with("userId", agent));
        let is_late = self.contact.is_late || work.is_late;
        let queue = session.queue.map(|queue| self.plan.queues[queue].id.as_str()).filter(|_| work.names_queue);
        let way = (session.medium, session.is_outbound);
        if let Some(queue) = queue {
            acw.put("queueId", queue);
            self.emit_when("acw", (&session.leg, Some(way)), done_ms, acw, is_late);
        } else {
            self.emit_when("acw", (&session.leg, None), done_ms, acw, is_late);
        }
        if work.is_told_twice {
            let wrapup = queue.map_or_else(Body::default, |queue| Body::default().with("queueId", queue));
            self.emit_when("wrapup", (&session.leg, Some(way)), done_ms + 40, done(wrapup), is_late);
        }
    }

    /// Neither form names medium, direction, division or leg.
    fn survey(&mut self, survey: &Survey) {
        let (contact, score) = (self.contact, survey.score_centi as f64 / 100.0);
        let answered_at = milliseconds(survey.answered_ms);
        let body = Body::default().with("orgId", self.org);
        let body = match &survey.id {
            Some(id) => {
                let last = contact.visits.iter().rfind(|visit| visit.outcome == Outcome::Answered);
                let queue = last.map(|visit| self.plan.queues[visit.queue].id.as_str());
                body.with("conversationId", contact.id.as_str())
                    .with("surveyId", id.as_str())
                    .with("queueId", queue)
                    .with("surveyCompletedDate", answered_at)
                    .with("surveyStatus", "FINISHED")
                    .with("oSurveyTotalScore", score)
            }
            None => body
                .with("interactionId", contact.id.as_str())
                .with("eventType", "survey")
                .with("timestamp", answered_at)
                .with("surveyScore", score),
        };
        let (topic, id) = (Topic::Flat("survey"), contact.id.clone());
        let event = Event { topic, id, occurred_ms: survey.answered_ms, version: "", body };
        self.told.push(Told { event, is_late: contact.is_late || survey.is_late });
    }

    fn emit(&mut self, kind: &'static str, leg: &Leg, way: (Medium, bool), at_ms: i64, extra: Body) {
        self.emit_when(kind, (leg, Some(way)), at_ms, extra, self.contact.is_late);
    }

    /// A `v2.detail.events.conversation.*` event; without a way it says neither medium nor direction.
    fn emit_when(
        &mut self,
        kind: &'static str,
        (leg, way): (&Leg, Option<(Medium, bool)>),
        at_ms: i64,
        extra: Body,
        is_late: bool,
    ) {
        let mut body = Body::default()
            .with("eventTime", at_ms)
            .with("conversationId", self.contact.id.as_str())
            .with("participantId", leg.participant.as_str())
            .with("sessionId", leg.session.as_str());
        if let Some((medium, is_outbound)) = way {
            body.put("mediaType", media_type(medium));
            body.put("direction", if is_outbound { "OUTBOUND" } else { "INBOUND" });
            self.addresses(medium, is_outbound, &mut body);
        }
        body.0.extend(extra.0);
        let (topic, id) = (Topic::Conversation(kind), self.contact.id.clone());
        self.told.push(Told { event: Event { topic, id, occurred_ms: at_ms, version: "2", body }, is_late });
    }

    /// Who it is, by the one address that this person has.
    fn addresses(&self, medium: Medium, is_outbound: bool, body: &mut Body) {
        let address = match self.contact.person {
            Some(Person::Phone(number)) => fictional_phone(number as usize),
            Some(Person::Mail(number)) => format!("customer{number}@example.org"),
            None => WITHHELD.to_owned(),
        };
        match medium {
            Medium::Voice if is_outbound => {
                body.put("ani", format!("tel:{OWN_NUMBER}"));
                body.put("dnis", format!("tel:{address}"));
            }
            Medium::Voice if self.contact.person.is_none() => {
                body.put("ani", address);
                body.put("dnis", format!("tel:{OWN_NUMBER}"));
            }
            Medium::Voice => {
                body.put("ani", format!("tel:{address}"));
                body.put("dnis", format!("tel:{OWN_NUMBER}"));
            }
            Medium::Callback => body.put("callbackNumbers", json!([address])),
            Medium::Chat => {}
            Medium::Message => {
                body.put("addressFrom", address);
                body.put("addressTo", OWN_NUMBER);
                body.put("messageType", "SMS");
            }
            Medium::Email => {
                body.put("addressFrom", address);
                body.put("addressTo", OWN_MAILBOX);
            }
        }
    }

    fn queue(&self, queue: Option<usize>) -> Body {
        match queue.map(|queue| &self.plan.queues[queue]) {
            Some(queue) => {
                Body::default().with("queueId", queue.id.as_str()).with("divisionId", queue.division.as_str())
            }
            None => Body::default(),
        }
    }
}

fn media_type(medium: Medium) -> &'static str {
    match medium {
        Medium::Voice => "VOICE",
        Medium::Callback => "CALLBACK",
        Medium::Chat => "CHAT",
        Medium::Message => "MESSAGE",
        Medium::Email => "EMAIL",
    }
}

fn disconnect_type(leaves: Leaves) -> &'static str {
    match leaves {
        Leaves::Customer => "PEER",
        Leaves::Agent => "CLIENT",
        Leaves::HandsOver => "TRANSFER",
        Leaves::HandsOverAfterConsulting => "CONSULT_TRANSFER",
        Leaves::HandsOverFromConference => "CONFERENCE_TRANSFER",
        Leaves::Forwards => "FORWARD_TRANSFER",
        Leaves::RangOut => "NO_ANSWER_TRANSFER",
        Leaves::WasNotAvailable => "NOT_AVAILABLE_TRANSFER",
        Leaves::Refused => "DND_TRANSFER",
    }
}

const WITHHELD: &str = "sip:anonymous@anonymous.invalid";
const WRAPUP_CODE: &str = "bb39733e-c755-47bc-b419-ff5192c70ee1";
