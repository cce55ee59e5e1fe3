//! The contact center and its callers: queues, flows, agents, and people who call more than once.
//!
//! Invariant: every phone number is a +1 NXX 555-01XX number, every address is under example.com/.net/.org, every card
//! is a payment processor's published test number: none can belong to anybody.

use super::CENTRE_STREAM;
use super::dice::Dice;

/// Somebody who contacts the center.
pub(super) struct Caller {
    pub(super) name: String,
    /// E.164.
    pub(super) phone: String,
    pub(super) email: String,
    pub(super) account: String,
    pub(super) card: &'static str,
    /// The id under which Genesys' external contacts know this person; not everybody is known.
    pub(super) external_contact: Option<String>,
    pub(super) tier: &'static str,
}

/// Somebody who answers.
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
}

/// A queue with what belongs to it.
pub(super) struct Queue {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) skill: String,
}

/// Everything that outlives one interaction.
pub(super) struct Centre {
    pub(super) org: String,
    pub(super) division: String,
    pub(super) campaign: String,
    pub(super) contact_list: String,
    pub(super) queues: Vec<Queue>,
    pub(super) agents: Vec<Agent>,
    pub(super) wrapup_codes: Vec<String>,
    pub(super) flows: Vec<String>,
    pub(super) flow_outcomes: Vec<String>,
    pub(super) milestones: Vec<String>,
    callers: Vec<Caller>,
}

impl Centre {
    pub(super) fn new(seed: u64, org: &str, interactions: u32) -> Self {
        let mut dice = Dice::new(seed, CENTRE_STREAM);
        let ids = |dice: &mut Dice, count: usize| (0..count).map(|_| dice.uuid()).collect::<Vec<_>>();
        let queues = QUEUES.iter().map(|name| Queue { id: dice.uuid(), name, skill: dice.uuid() }).collect();
        let agents = (0..AGENTS).map(|number| agent(&mut dice, number)).collect();
        // Two callers for three interactions: with the Zipf share below, a third of all contacts are repeated ones.
        let people = (interactions as usize * 2 / 3).clamp(1, PHONES);
        let first_phone = dice.index(PHONES);
        Self {
            org: org.to_owned(),
            division: dice.uuid(),
            campaign: dice.uuid(),
            contact_list: dice.uuid(),
            wrapup_codes: ids(&mut dice, 6),
            flows: ids(&mut dice, 4),
            flow_outcomes: ids(&mut dice, 3),
            milestones: ids(&mut dice, 5),
            callers: (0..people).map(|number| caller(&mut dice, (first_phone + number) % PHONES)).collect(),
            queues,
            agents,
        }
    }

    /// Most callers are anybody; some are those who call all the time.
    pub(super) fn caller(&self, dice: &mut Dice) -> &Caller {
        let regular = dice.percent(30.0);
        let number = if regular { dice.zipf(self.callers.len()) } else { dice.index(self.callers.len()) };
        &self.callers[number]
    }

    pub(super) fn agent(&self, dice: &mut Dice) -> &Agent {
        &self.agents[dice.index(self.agents.len())]
    }

    pub(super) fn queue(&self, dice: &mut Dice) -> &Queue {
        &self.queues[dice.index(self.queues.len())]
    }
}

/// When an interaction begins: quiet nights, peaks at ten and at three.
pub(super) fn moment_of_day_ms(dice: &mut Dice) -> i64 {
    let hour = dice.weighted(&CALLS_BY_HOUR) as i64;
    hour * 3_600_000 + dice.between(0, 3_599_999)
}

fn caller(dice: &mut Dice, number: usize) -> Caller {
    let name = format!("{} {}", dice.pick(&FIRST_NAMES), dice.pick(&SURNAMES));
    let mailbox = name.to_lowercase().replace(' ', ".").replace('ø', "o").replace('ü', "u");
    let email = format!("{mailbox}{number}@{}", dice.pick(&MAIL_HOSTS));
    Caller {
        email,
        name,
        phone: fictional_phone(number),
        account: format!("AC-{:08}", 10_000_000 + number * 97),
        card: dice.pick(&TEST_CARDS),
        external_contact: dice.percent(80.0).then(|| dice.uuid()),
        tier: dice.pick(&["bronze", "silver", "gold"]),
    }
}

fn agent(dice: &mut Dice, number: usize) -> Agent {
    let name = format!("{} {}", FIRST_NAMES[number % FIRST_NAMES.len()], AGENT_SURNAMES[number % AGENT_SURNAMES.len()]);
    let email = format!("{}@example.net", name.to_lowercase().replace(' ', "."));
    Agent { id: dice.uuid(), name, email }
}

/// A number that is nobody's; there are [`PHONES`], which then come again.
pub(super) fn fictional_phone(number: usize) -> String {
    let number = number % PHONES;
    format!("+1{}55501{:02}", AREA_CODES[number / 100], number % 100)
}

/// The center's own number: it names nobody. 800-555-01XX is reserved for fiction, too.
pub(super) const OWN_NUMBER: &str = "+18005550100";
/// The center's own mailbox.
pub(super) const OWN_MAILBOX: &str = "service@example.com";

/// 24 shares of a day's interactions.
const CALLS_BY_HOUR: [u32; 24] =
    [4, 2, 1, 1, 2, 5, 14, 38, 74, 104, 118, 106, 84, 92, 112, 116, 98, 72, 48, 32, 22, 14, 9, 6];

const AGENTS: usize = 24;

const QUEUES: [&str; 6] = ["Billing (voice)", "Claims", "Technical support", "New business", "Retention", "Complaints"];

/// 100 fictional lines (555-0100 to 555-0199) in each of these numbering plan areas.
const AREA_CODES: [u16; 48] = [
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234,
    239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309,
    310, 312,
];
const PHONES: usize = AREA_CODES.len() * 100;

const MAIL_HOSTS: [&str; 3] = ["example.com", "example.net", "example.org"];

const FIRST_NAMES: [&str; 24] = [
    "Ada", "Bela", "Ciro", "Dunja", "Elif", "Fenja", "Goran", "Hedda", "Ilka", "Jorun", "Kaja", "Lev", "Mirela",
    "Nadir", "Oda", "Pelle", "Quirin", "Runa", "Sanna", "Tarek", "Ulla", "Vito", "Wanja", "Zora",
];

/// Invented, and unlike any other word in the traffic, so that finding one means having found a person.
const SURNAMES: [&str; 32] = [
    "Quillfeather",
    "Brambleworth",
    "Okonedjo",
    "Vantongeren",
    "Sørbekk",
    "Marchetaux",
    "Zielonkamp",
    "Dunnegarth",
    "Ashgrovner",
    "Kallimachi",
    "Penhallowby",
    "Ruttensteen",
    "Iversgaard",
    "Lindqvarn",
    "Mbekwane",
    "Ferrantoni",
    "Oyelaronde",
    "Tschernowiak",
    "Wexcombe",
    "Yildirhan",
    "Nakashiro",
    "Drumgoolie",
    "Castellvega",
    "Hollowmere",
    "Bergqvalla",
    "Pappadimas",
    "Thistlewick",
    "Eichwaldner",
    "Moraviecz",
    "Saltonbury",
    "Grünschilt",
    "Vasquelline",
];

const AGENT_SURNAMES: [&str; 12] = [
    "Fernhollow",
    "Agentowski",
    "Deskenberg",
    "Linehan-Voss",
    "Headsetter",
    "Callaghane",
    "Queueria",
    "Routledge-Orm",
    "Switchmann",
    "Dialloway",
    "Replyakis",
    "Ticketson",
];

/// Published by payment processors for testing; Luhn-valid, on no real account.
const TEST_CARDS: [&str; 12] = [
    "4111111111111111",
    "4012888888881881",
    "4242424242424242",
    "4000056655665556",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3530111333300000",
];
