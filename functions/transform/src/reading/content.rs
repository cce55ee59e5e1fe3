//! What of an event is sealed, and for whom: all that it says of people and that its entry does not have in clear.
//!
//! Invariant: each value is sealed once: an identifier under its kind, and nowhere else in the event. What the description drops is not
//! sealed, wherever it stands, nor what might be a text; and a customer is named to nobody but a customer.

use std::ptr;

use ledgerline_event::catalogue::built_in;
use ledgerline_event::{Named, SourceEvent};
use ledgerline_json::Json;
use ledgerline_ledger::entry::{Party, Record};
use ledgerline_privacy::{Identifier, Kind, Region, Rest, Seal, Side};
use ledgerline_sealed::{Content, unlisted};

use super::whom::Identified;

/// An event, by what of it is not in clear.
pub(super) struct Unclear<'s, 'e> {
    pub(super) event: &'s SourceEvent<'e>,
    pub(super) about: &'s Record,
    /// The fields that its entry does not have in clear.
    pub(super) rest: &'s [Rest<'s>],
    /// Whether it names a customer.
    pub(super) names_customer: bool,
    /// Its identifiers that are sealed under their kinds.
    identifiers: Vec<&'s Named<'e>>,
    /// Where its phone numbers without a country belong to.
    region: Region,
}

impl<'s, 'e> Unclear<'s, 'e> {
    /// Of an event that names `whom`.
    pub(super) fn new(
        event: &'s SourceEvent<'e>,
        about: &'s Record,
        rest: &'s [Rest<'s>],
        whom: &Identified,
        region: Region,
    ) -> Self {
        let may_be_sealed = |named: &&Named<'_>| {
            let (kind, _) = &event.identifiers[named.identifier];
            let may_be = |text: &str| {
                text.len() <= unlisted::FIELD_BYTES && (is_number(*kind) || !unlisted::holds_card_number(text))
            };
            whom.is_read[named.identifier] && text_of(&named.value).is_some_and(may_be)
        };
        let identifiers = event.named.iter().filter(may_be_sealed).collect();
        Self { event, about, rest, names_customer: !whom.identifiers.is_empty(), identifiers, region }
    }

    /// Adds what is to be sealed; the names of the fields that are not.
    pub(super) fn add_to(&self, content: &mut Content<'_>) -> Vec<&'static str> {
        let mut masked = Vec::new();
        for field in self.rest {
            let party = self.party(field.side);
            let may = match field.seal {
                Seal::Never => false,
                Seal::AsListed | Seal::AsUnlisted if self.is_told(field.value) => continue,
                Seal::AsUnlisted => unlisted::may_be_sealed(field.value) && !self.is_anothers(party, field.value),
                Seal::AsListed => unlisted::may_be_listed(field.value) && !self.holds_told(field.value),
            };
            match may {
                true => content.add_field(party, field.name, field.value),
                false => masked.push(field.name),
            }
        }
        for named in &self.identifiers {
            let (kind, _) = &self.event.identifiers[named.identifier];
            content.add_identifier(self.party(Side::Customer), kind.label(), &named.value);
        }
        let mut walk = unlisted::Walk::new();
        for one in self.event.unlisted() {
            let mut taking =
                Taking { unclear: self, party: self.party(one.side), is_named: one.is_named, content: &mut *content };
            if !unlisted::Taker::is_out(&taking, one.name) {
                walk.through(self.event.path_to(one), one.value, &mut taking);
            }
        }
        masked
    }

    fn party(&self, side: Side) -> Party {
        match side {
            Side::Agent => Party::Agent,
            Side::Joint => Party::Joint,
            Side::Centre | Side::Customer if self.names_customer => Party::Customer,
            Side::Centre if self.is_agents() => Party::Agent,
            Side::Centre | Side::Customer => Party::Joint,
        }
    }

    /// Whether its record is somebody's who serves.
    fn is_agents(&self) -> bool {
        matches!(self.about, Record::Entity { kind, .. } if built_in().is_agents(kind))
    }

    /// Whether a value is sealed as an identifier, or is the list in which one stands.
    fn is_told(&self, value: &Json<'_>) -> bool {
        let text = text_of(value);
        self.identifiers.iter().any(|named| {
            let raw = self.event.identifiers[named.identifier].1.expose_for_pseudonym();
            let is_same = text.is_some_and(|text| text == raw || text_of(&named.value) == Some(text));
            is_same || named.list.is_some_and(|list| ptr::eq(list, value))
        })
    }

    fn holds_told(&self, value: &Json<'_>) -> bool {
        value.as_array().is_some_and(|items| items.iter().any(|item| self.is_told(item)))
    }

    /// Whether a text or a number may name a customer in a block that outlives the customer's.
    fn is_anothers(&self, party: Party, value: &Json<'_>) -> bool {
        party != Party::Customer && text_of(value).is_some_and(|text| self.names_customer_by(text))
    }

    fn names_customer_by(&self, text: &str) -> bool {
        let is_same = |raw: &str| {
            let raw = raw.chars().filter(|character| !character.is_whitespace());
            raw.map(|character| character.to_ascii_lowercase())
                .eq(text.chars().map(|character| character.to_ascii_lowercase()))
        };
        // Nearly every name has neither, and reading one takes long.
        let may_read = text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@');
        let reads = |kind: Kind| Identifier::read(kind, text, self.region).is_some();
        self.event.identifiers.iter().any(|(_, raw)| is_same(raw.expose_for_pseudonym()))
            || (may_read && [Kind::Phone, Kind::Email].into_iter().any(reads))
    }
}

/// What is unlisted in an event, on its way into one party's block.
struct Taking<'t, 's, 'e, 'b> {
    unclear: &'t Unclear<'s, 'e>,
    party: Party,
    /// It is what a listed field holds.
    is_named: bool,
    content: &'t mut Content<'b>,
}

impl unlisted::Taker for Taking<'_, '_, '_, '_> {
    fn is_out(&self, name: &str) -> bool {
        built_in().is_never_sealed(name) || (self.party != Party::Customer && self.unclear.names_customer_by(name))
    }

    fn is_listed(&self, name: &str) -> bool {
        self.is_named && built_in().is_display_name(name)
    }

    fn wants(&self, value: &Json<'_>) -> bool {
        let is_field = self.unclear.rest.iter().any(|field| ptr::eq(field.value, value));
        !is_field && !self.unclear.is_told(value) && !self.unclear.is_anothers(self.party, value)
    }

    fn take(&mut self, pointer: &str, value: &Json<'_>) {
        self.content.add_unlisted(self.party, pointer, value);
    }
}

/// Whether values of a kind look as card numbers do: telephones', and digests.
fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Phone | Kind::PhoneHash | Kind::EmailHash | Kind::AccountHash | Kind::CustomerIdHash)
}

fn text_of<'v>(value: &'v Json<'_>) -> Option<&'v str> {
    match value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.lexeme()),
        _ => None,
    }
}
