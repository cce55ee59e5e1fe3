//! What of an event is sealed, and for whom: all that it says of people and that its entry does not have in clear.
//!
//! Invariant: each value is sealed once: an identifier under its kind and not as a field, too; what the description drops, or does not
//! list and might be a text, is not sealed at all.

use std::ptr;

use ledgerline_event::SourceEvent;
use ledgerline_event::catalogue::built_in;
use ledgerline_json::Json;
use ledgerline_ledger::entry::{Party, Record};
use ledgerline_privacy::{Rest, Side};
use ledgerline_sealed::{Content, unlisted};

/// An event, by what of it is not in clear.
pub(super) struct Unclear<'s, 'e> {
    pub(super) event: &'s SourceEvent<'e>,
    pub(super) about: &'s Record,
    /// The fields that its entry does not have in clear.
    pub(super) rest: &'s [Rest<'s>],
    /// Which of its identifiers name somebody, were it the company itself.
    pub(super) is_read: &'s [bool],
    /// Whether any names a customer.
    pub(super) names_customer: bool,
}

impl Unclear<'_, '_> {
    /// Adds what is to be sealed.
    pub(super) fn add_to(&self, content: &mut Content<'_>) {
        let fields = self.rest.iter().filter(|field| field.may_be_sealed);
        for field in fields.filter(|field| !self.is_identifier(field.value)) {
            content.add_field(self.party(field.side), field.name, field.value);
        }
        for named in self.event.named.iter().filter(|named| self.is_read[named.identifier]) {
            let (kind, _) = &self.event.identifiers[named.identifier];
            content.add_identifier(self.party(Side::Customer), kind.label(), &named.value);
        }
        for unlisted in self.event.extra.iter().chain(&self.event.bags) {
            let mut pointer = String::new();
            self.event.path_to(unlisted).for_each(|token| unlisted::push_token(&mut pointer, token));
            let party = self.party(unlisted.side);
            unlisted::scalars(&mut pointer, unlisted.value, &mut |pointer, value| {
                if unlisted::may_be_sealed(value) && !value.is_damaged() && !self.is_told(value) {
                    content.add_unlisted(party, pointer, value);
                }
            });
        }
    }

    /// The names of the fields that are not sealed either.
    pub(super) fn dropped(&self) -> impl Iterator<Item = &'static str> {
        self.rest.iter().filter(|field| !field.may_be_sealed).map(|field| field.name)
    }

    fn party(&self, side: Side) -> Party {
        match side {
            Side::Agent => Party::Agent,
            Side::Joint => Party::Joint,
            Side::Centre if self.is_agents() => Party::Agent,
            Side::Centre | Side::Customer if self.names_customer => Party::Customer,
            Side::Centre | Side::Customer => Party::Joint,
        }
    }

    /// Whether its record is somebody's who serves.
    fn is_agents(&self) -> bool {
        matches!(self.about, Record::Entity { kind, .. } if built_in().is_agents(kind))
    }

    /// Whether a value names somebody, or is a list of which an element does.
    fn is_identifier(&self, value: &Json<'_>) -> bool {
        let mut named = self.event.named.iter().filter(|named| self.is_read[named.identifier]);
        named.any(|named| ptr::eq(&*named.value, value) || named.list.is_some_and(|list| ptr::eq(list, value)))
    }

    /// Whether a value is sealed as a field or an identifier.
    fn is_told(&self, value: &Json<'_>) -> bool {
        self.is_identifier(value) || self.rest.iter().any(|field| ptr::eq(field.value, value))
    }
}
