//! Contacts as they went, before anybody told of them.
//!
//! Invariant: nothing in here knows what an event looks like or what a figure is called. Every kind of contact that a figure treats in a
//! way of its own is a [`Story`], and a day of as many interactions as there are stories has each at least once. No two contacts of a
//! day begin in the same millisecond.

use super::super::centre::moment_of_day_ms;
use super::super::dice::Dice;

/// The contacts of a day, with those before and after it that belong to the same people.
pub(super) struct Plan {
    pub(super) queues: Vec<Queue>,
    pub(super) agents: Vec<String>,
    pub(super) contacts: Vec<Contact>,
}

pub(super) struct Queue {
    pub(super) id: String,
    pub(super) division: String,
}

/// What a contact comes by, or an agent's part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Voice,
    Callback,
    Chat,
    Message,
    Email,
}

/// Who it is, by the one address that is used of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Person {
    Phone(u32),
    Mail(u32),
}

pub(super) struct Contact {
    pub(super) id: String,
    pub(super) customer: Leg,
    /// `None` if nobody knows who it was.
    pub(super) person: Option<Person>,
    pub(super) medium: Medium,
    pub(super) is_outbound: bool,
    pub(super) began_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) visits: Vec<Visit>,
    pub(super) sessions: Vec<Session>,
    pub(super) survey: Option<Survey>,
    /// All of it is heard of after the rest of the day.
    pub(super) is_late: bool,
}

/// A time in a queue.
pub(super) struct Visit {
    pub(super) leg: Leg,
    pub(super) queue: usize,
    pub(super) entered_ms: i64,
    pub(super) waited_ms: i64,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Abandoned,
    FlowedOut,
    /// The source does not say.
    Untold,
}

/// A participant's session, as its events name it.
pub(super) struct Leg {
    pub(super) participant: String,
    pub(super) session: String,
}

/// An agent's part.
pub(super) struct Session {
    pub(super) leg: Leg,
    pub(super) agent: usize,
    pub(super) queue: Option<usize>,
    pub(super) medium: Medium,
    pub(super) is_outbound: bool,
    pub(super) began_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) spoken: Spoken,
    pub(super) work: Option<Work>,
}

/// What an agent did in a session, in milliseconds, and how the agent left it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken {
    pub(super) talk_ms: i64,
    pub(super) held_ms: i64,
    pub(super) dialing_ms: i64,
    pub(super) contacting_ms: i64,
    pub(super) alerting_ms: i64,
    pub(super) leaves: Leaves,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// The customer hung up.
    Customer,
    /// The agent did.
    Agent,
    HandsOver,
    HandsOverAfterConsulting,
    HandsOverFromConference,
    Forwards,
    /// The agent's phone rang and nobody took it.
    RangOut,
    WasNotAvailable,
    /// The agent had asked not to be disturbed.
    Refused,
}

/// After-call work.
pub(super) struct Work {
    pub(super) took_ms: i64,
    /// Its event names the queue and the medium; otherwise both are to be had from the agent's session alone.
    pub(super) names_queue: bool,
    /// The same work is told twice: by acw and by wrapup.
    pub(super) is_told_twice: bool,
    pub(super) is_late: bool,
}

pub(super) struct Survey {
    pub(super) answered_ms: i64,
    /// In hundredths.
    pub(super) score_centi: i64,
    /// Told as the analytics API tells of a survey, with its queue; otherwise by another system, which knows the interaction alone.
    pub(super) id: Option<String>,
    pub(super) is_late: bool,
}

/// A kind of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    Call,
    CallWithHold,
    Withheld,
    AnsweredAtTheTarget,
    AnsweredBeyondTheTarget,
    AnsweredWithoutTalk,
    Abandoned,
    AbandonedShort,
    /// At five seconds, which are not short any more.
    AbandonedAtTheLimit,
    FlowedOut,
    OutcomeUntold,
    BlindTransfer,
    BlindTransferAbandoned,
    ConsultTransfer,
    ConferenceTransfer,
    Forwarded,
    RangOutFirst,
    /// Nobody took it, and yet there was work after it.
    RangOutWithWork,
    Callback,
    CallbackNotReached,
    Chat,
    ChatAbandoned,
    Message,
    Email,
    EmailBeyondTheTarget,
    Outbound,
    OutboundWithoutQueue,
    AcrossMidnight,
}

impl Plan {
    /// `interactions` contacts that begin on the day of `midnight_ms`, and others of the same people up to ten days before and after.
    pub(super) fn draw(dice: &mut Dice, interactions: u32, midnight_ms: i64) -> Self {
        let divisions = [dice.uuid(), dice.uuid()];
        let queues = (0..QUEUES).map(|at| Queue { id: dice.uuid(), division: divisions[at % 2].clone() }).collect();
        let agents = (0..AGENTS).map(|_| dice.uuid()).collect();
        let mut drawn = Drawn { dice, contacts: Vec::new(), people: 0, phones: Vec::new(), mailboxes: Vec::new() };
        for number in 0..interactions as usize {
            let story = match STORIES.get(number) {
                Some((story, _)) => *story,
                None => STORIES[drawn.dice.weighted(&STORIES.map(|(_, weight)| weight))].0,
            };
            let moment_ms = match story {
                Story::AcrossMidnight => DAY_MS - drawn.dice.between(10_000, 120_000),
                _ => moment_of_day_ms(drawn.dice),
            };
            let began_ms = drawn.apart(midnight_ms + moment_ms);
            drawn.play(story, began_ms, None);
        }
        drawn.come_again();
        drawn.delay();
        Self { queues, agents, contacts: drawn.contacts }
    }
}

/// What is drawn so far.
struct Drawn<'d> {
    dice: &'d mut Dice,
    contacts: Vec<Contact>,
    /// How many there are, of both kinds.
    people: u32,
    phones: Vec<Person>,
    mailboxes: Vec<Person>,
}

impl Drawn<'_> {
    /// A moment that no other contact has, within some seconds.
    fn apart(&self, near_ms: i64) -> i64 {
        near_ms - near_ms.rem_euclid(SLOT_MS) + self.contacts.len() as i64 % SLOT_MS
    }

    fn play(&mut self, story: Story, began_ms: i64, person: Option<Person>) {
        let mut contact = self.begin(story, began_ms, person);
        match story {
            Story::Chat | Story::ChatAbandoned | Story::Message | Story::Email | Story::EmailBeyondTheTarget => {
                self.digital(story, &mut contact);
            }
            Story::Callback | Story::CallbackNotReached => self.callback(story, &mut contact),
            Story::Outbound | Story::OutboundWithoutQueue => self.outbound(story, &mut contact),
            _ => self.call(story, &mut contact),
        }
        let was_answered = contact.visits.iter().any(|visit| visit.outcome == Outcome::Answered);
        if was_answered && self.dice.percent(SURVEYED_PERCENT) {
            let answered_ms = contact.ended_ms + self.dice.between(60_000, 7_200_000);
            let score_centi = SCORES_CENTI[self.dice.index(SCORES_CENTI.len())];
            let id = self.dice.percent(50.0).then(|| self.dice.uuid());
            contact.survey = Some(Survey { answered_ms, score_centi, id, is_late: false });
        }
        self.contacts.push(contact);
    }

    fn begin(&mut self, story: Story, began_ms: i64, person: Option<Person>) -> Contact {
        let medium = match story {
            Story::Chat | Story::ChatAbandoned => Medium::Chat,
            Story::Message => Medium::Message,
            Story::Email | Story::EmailBeyondTheTarget => Medium::Email,
            Story::Callback | Story::CallbackNotReached => Medium::Callback,
            _ => Medium::Voice,
        };
        let person = match (person, medium) {
            (Some(person), _) => Some(person),
            (None, Medium::Chat) => None,
            (None, _) if story == Story::Withheld => None,
            (None, Medium::Email) => Some(self.somebody(Person::Mail)),
            (None, _) => Some(self.somebody(Person::Phone)),
        };
        Contact {
            id: self.dice.uuid(),
            customer: self.leg(),
            person,
            medium,
            is_outbound: matches!(story, Story::Outbound | Story::OutboundWithoutQueue),
            began_ms,
            ended_ms: began_ms,
            visits: Vec::new(),
            sessions: Vec::new(),
            survey: None,
            is_late: false,
        }
    }

    /// Somebody who came before, or somebody new.
    fn somebody(&mut self, kind: fn(u32) -> Person) -> Person {
        let is_phone = kind(0) == Person::Phone(0);
        let known = if is_phone { &self.phones } else { &self.mailboxes };
        if !known.is_empty() && self.dice.percent(AGAIN_PERCENT) {
            return known[self.dice.index(known.len())];
        }
        let person = kind(self.people);
        self.people += 1;
        if is_phone {
            self.phones.push(person)
        } else {
            self.mailboxes.push(person)
        }
        person
    }

    fn call(&mut self, story: Story, contact: &mut Contact) {
        let queue = self.dice.index(QUEUES);
        let quick = self.dice.between(900, TARGET_MS - 1);
        let slow = self.dice.between(TARGET_MS + 1, 90_000);
        match story {
            Story::Abandoned => {
                let waited = self.dice.between(SHORT_MS + 1, 200_000);
                return self.wait(contact, queue, waited, Outcome::Abandoned);
            }
            Story::AbandonedShort => {
                let waited = self.dice.between(300, SHORT_MS - 1);
                return self.wait(contact, queue, waited, Outcome::Abandoned);
            }
            Story::AbandonedAtTheLimit => return self.wait(contact, queue, SHORT_MS, Outcome::Abandoned),
            Story::FlowedOut => return self.wait(contact, queue, slow, Outcome::FlowedOut),
            Story::OutcomeUntold => return self.wait(contact, queue, quick, Outcome::Untold),
            Story::AnsweredAtTheTarget => self.wait(contact, queue, TARGET_MS, Outcome::Answered),
            Story::AnsweredBeyondTheTarget => self.wait(contact, queue, slow, Outcome::Answered),
            _ => self.wait(contact, queue, quick, Outcome::Answered),
        }
        let talk = self.talk();
        let queue = self.first_parts(story, contact, queue);
        let Some(queue) = queue else { return };
        let last = match story {
            Story::AnsweredWithoutTalk => Spoken { talk_ms: 0, leaves: Leaves::Agent, ..talk },
            Story::CallWithHold => Spoken { held_ms: self.dice.between(5_000, 120_000), ..talk },
            _ => talk,
        };
        let works = story != Story::AnsweredWithoutTalk;
        self.serve(contact, Some(queue), last, works);
    }

    /// What comes before the last agent's part; the queue of that one, or `None` if there is no such part.
    fn first_parts(&mut self, story: Story, contact: &mut Contact, queue: usize) -> Option<usize> {
        let next = (queue + 1 + self.dice.index(QUEUES - 1)) % QUEUES;
        let first = self.talk();
        match story {
            Story::BlindTransfer | Story::BlindTransferAbandoned => {
                self.serve(contact, Some(queue), Spoken { leaves: Leaves::HandsOver, ..first }, true);
                let is_abandoned = story == Story::BlindTransferAbandoned;
                let waited = self.dice.between(SHORT_MS, 60_000);
                self.wait(contact, next, waited, if is_abandoned { Outcome::Abandoned } else { Outcome::Answered });
                return (!is_abandoned).then_some(next);
            }
            // The second agent was consulted while the first still talked: no queue in between.
            Story::ConsultTransfer => {
                self.serve(contact, Some(queue), Spoken { leaves: Leaves::HandsOverAfterConsulting, ..first }, true);
            }
            Story::ConferenceTransfer => {
                self.serve(contact, Some(queue), Spoken { leaves: Leaves::HandsOverFromConference, ..first }, true);
            }
            Story::Forwarded => {
                self.serve(contact, Some(queue), Spoken { leaves: Leaves::Forwards, ..first }, false);
            }
            Story::RangOutFirst | Story::RangOutWithWork => {
                let leaves = [Leaves::RangOut, Leaves::WasNotAvailable, Leaves::Refused][self.dice.index(3)];
                let rang = Spoken { talk_ms: 0, alerting_ms: self.dice.between(8_000, 20_000), leaves, ..first };
                self.serve(contact, Some(queue), rang, story == Story::RangOutWithWork);
            }
            _ => {}
        }
        Some(queue)
    }

    fn digital(&mut self, story: Story, contact: &mut Contact) {
        let queue = self.dice.index(QUEUES);
        let (waited, outcome) = match story {
            Story::ChatAbandoned => (self.dice.between(2_000, 60_000), Outcome::Abandoned),
            Story::Email => (self.dice.between(60_000, EMAIL_TARGET_MS), Outcome::Answered),
            Story::EmailBeyondTheTarget => (EMAIL_TARGET_MS + self.dice.between(1, 30 * 3_600_000), Outcome::Answered),
            _ => (self.dice.between(1_000, 60_000), Outcome::Answered),
        };
        self.wait(contact, queue, waited, outcome);
        if outcome == Outcome::Answered {
            let spoken = Spoken { leaves: Leaves::Agent, ..self.talk() };
            self.serve(contact, Some(queue), spoken, true);
        }
    }

    /// An agent takes the callback, then dials: two sessions, one contact.
    fn callback(&mut self, story: Story, contact: &mut Contact) {
        let queue = self.dice.index(QUEUES);
        let waited = self.dice.between(5_000, 1_800_000);
        self.wait(contact, queue, waited, Outcome::Answered);
        let took_ms = contact.ended_ms;
        let dialing_ms = self.dice.between(3_000, 20_000);
        let talk_ms = if story == Story::Callback { self.talk().talk_ms } else { 0 };
        let spoken = Spoken { talk_ms, dialing_ms, alerting_ms: 0, leaves: Leaves::Customer, ..self.talk() };
        self.serve(contact, Some(queue), spoken, true);
        let ended_ms = contact.ended_ms;
        if let Some(voice) = contact.sessions.last_mut() {
            (voice.medium, voice.is_outbound) = (Medium::Voice, true);
        }
        // The callback itself, in the same agent's hand from before the call until after it.
        let in_hand = Spoken { talk_ms: 0, dialing_ms: 0, leaves: Leaves::Agent, ..spoken };
        contact.ended_ms = took_ms;
        let works = self.dice.percent(20.0);
        self.serve(contact, Some(queue), in_hand, works);
        if let Some(callback) = contact.sessions.last_mut() {
            callback.ended_ms = ended_ms + 1_500;
        }
        contact.ended_ms = ended_ms + 2_000;
    }

    fn outbound(&mut self, story: Story, contact: &mut Contact) {
        let queue = (story == Story::Outbound).then(|| self.dice.index(QUEUES));
        let (dialing_ms, contacting_ms) = (self.dice.between(2_000, 15_000), self.dice.between(0, 3_000));
        let spoken = Spoken { dialing_ms, contacting_ms, alerting_ms: 0, ..self.talk() };
        self.serve(contact, queue, spoken, true);
    }

    fn talk(&mut self) -> Spoken {
        Spoken {
            talk_ms: self.dice.between(4_000, 600_000),
            held_ms: 0,
            dialing_ms: 0,
            contacting_ms: 0,
            alerting_ms: self.dice.between(500, 6_000),
            leaves: if self.dice.percent(70.0) { Leaves::Customer } else { Leaves::Agent },
        }
    }

    fn leg(&mut self) -> Leg {
        Leg { participant: self.dice.uuid(), session: self.dice.uuid() }
    }

    fn wait(&mut self, contact: &mut Contact, queue: usize, waited_ms: i64, outcome: Outcome) {
        let entered_ms = contact.ended_ms + self.dice.between(200, 20_000);
        contact.ended_ms = entered_ms + waited_ms;
        contact.visits.push(Visit { leg: self.leg(), queue, entered_ms, waited_ms, outcome });
    }

    fn serve(&mut self, contact: &mut Contact, queue: Option<usize>, spoken: Spoken, works: bool) {
        let began_ms = contact.ended_ms;
        let Spoken { talk_ms, held_ms, dialing_ms, contacting_ms, .. } = spoken;
        contact.ended_ms = began_ms + talk_ms + held_ms + dialing_ms + contacting_ms + self.dice.between(0, 900);
        let work = works.then(|| Work {
            took_ms: self.dice.between(1_000, 120_000),
            // Without a queue there is none to name.
            names_queue: queue.is_some() && self.dice.percent(60.0),
            is_told_twice: self.dice.percent(40.0),
            is_late: false,
        });
        contact.sessions.push(Session {
            leg: self.leg(),
            agent: self.dice.index(AGENTS),
            queue,
            medium: contact.medium,
            is_outbound: contact.is_outbound,
            began_ms,
            ended_ms: contact.ended_ms,
            spoken,
            work,
        });
    }

    /// People who came once, in the day, come again, at every distance that matters; some had been there before.
    fn come_again(&mut self) {
        let mut once: Vec<(Person, i64)> = Vec::new();
        for contact in &self.contacts {
            let is_alone =
                |person: &Person| self.contacts.iter().filter(|other| other.person == Some(*person)).count() == 1;
            let calls = contact.medium == Medium::Voice && !contact.is_outbound;
            if let Some(person) = contact.person.filter(is_alone).filter(|_| calls) {
                once.push((person, contact.began_ms));
            }
        }
        for (number, (person, began_ms)) in once.into_iter().step_by(6).enumerate() {
            let distance_ms = DISTANCES_MS[number % DISTANCES_MS.len()];
            let answered = (number / DISTANCES_MS.len()).is_multiple_of(2);
            let story = if answered { Story::Call } else { Story::Abandoned };
            self.play(story, began_ms + distance_ms, Some(person));
        }
    }

    /// Some of it is heard of later: whole contacts, after-call work, surveys.
    fn delay(&mut self) {
        for number in 0..self.contacts.len() {
            let [whole, work, survey] = [3.0, 5.0, 15.0].map(|percent| self.dice.percent(percent));
            let contact = &mut self.contacts[number];
            contact.is_late = whole;
            if let Some(told) = contact.sessions.last_mut().and_then(|session| session.work.as_mut()) {
                told.is_late = work;
            }
            if let Some(told) = &mut contact.survey {
                told.is_late = survey;
            }
        }
    }
}

pub(super) const DAY_MS: i64 = 86_400_000;
/// A week: within it a further contact is a repeat.
pub(super) const REPEAT_MS: i64 = 7 * DAY_MS;
/// Answered within this is answered in time, but for e-mail.
pub(super) const TARGET_MS: i64 = 20_000;
pub(super) const EMAIL_TARGET_MS: i64 = DAY_MS;
/// Who gives up before was hardly there.
pub(super) const SHORT_MS: i64 = 5_000;

/// Contacts of a plan, at most: each has a millisecond of its own within a slot.
const SLOT_MS: i64 = 16_384;
const QUEUES: usize = 6;
const AGENTS: usize = 24;
const AGAIN_PERCENT: f64 = 25.0;
const SURVEYED_PERCENT: f64 = 18.0;
const SCORES_CENTI: [i64; 8] = [100, 200, 300, 350, 400, 425, 450, 500];

/// When somebody comes again: within the week, at its very end, a millisecond later, beyond; and before.
const DISTANCES_MS: [i64; 8] =
    [DAY_MS + 12_345, 3 * DAY_MS, REPEAT_MS - 1, REPEAT_MS, REPEAT_MS + 1, 9 * DAY_MS, -3 * DAY_MS, -REPEAT_MS - 1];

/// Every kind of contact with its share, in per mille or so.
const STORIES: [(Story, u32); 28] = [
    (Story::Call, 300),
    (Story::CallWithHold, 110),
    (Story::Withheld, 20),
    (Story::AnsweredAtTheTarget, 15),
    (Story::AnsweredBeyondTheTarget, 70),
    (Story::AnsweredWithoutTalk, 10),
    (Story::Abandoned, 50),
    (Story::AbandonedShort, 35),
    (Story::AbandonedAtTheLimit, 5),
    (Story::FlowedOut, 30),
    (Story::OutcomeUntold, 8),
    (Story::BlindTransfer, 55),
    (Story::BlindTransferAbandoned, 12),
    (Story::ConsultTransfer, 30),
    (Story::ConferenceTransfer, 6),
    (Story::Forwarded, 6),
    (Story::RangOutFirst, 35),
    (Story::RangOutWithWork, 10),
    (Story::Callback, 45),
    (Story::CallbackNotReached, 8),
    (Story::Chat, 40),
    (Story::ChatAbandoned, 8),
    (Story::Message, 45),
    (Story::Email, 35),
    (Story::EmailBeyondTheTarget, 6),
    (Story::Outbound, 25),
    (Story::OutboundWithoutQueue, 8),
    (Story::AcrossMidnight, 6),
];
