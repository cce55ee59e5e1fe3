//! The keys that seal an object's content: one for each record and owner, drawn when it is first used.
//!
//! Invariant: what is destroyed together has one key, and nothing else has it: two owners of one record share none, nor do two records
//! of one owner.

use std::collections::HashMap;
use std::sync::Arc;

use ledgerline_sealed::{PartyKey, Random};

/// Whose content it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The customers whom the event names: places in [`Read::identifiers`](super::Read::identifiers), sorted, each once; one at least.
    Customer(Vec<usize>),
    /// Both sides, or neither of them alone: what an event that names no customer says, too.
    Joint,
    /// Who served.
    Agent,
}

impl Owner {
    /// The owner of what an event with these identifiers says of its customer.
    pub(super) fn of_customers(identifiers: &[usize]) -> Self {
        let mut identifiers = identifiers.to_vec();
        identifiers.sort_unstable();
        identifiers.dedup();
        if identifiers.is_empty() { Self::Joint } else { Self::Customer(identifiers) }
    }
}

/// A key that was drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The record, in [`Read::records`](super::Read::records).
    pub record: usize,
    /// Whose content of it is sealed.
    pub owner: Owner,
    /// The key.
    pub key: Arc<PartyKey>,
}

/// All of an object's, so far.
#[derive(Default)]
pub(super) struct Keys {
    drawn: Vec<Drawn>,
    places: HashMap<(usize, Owner), usize>,
}

impl Keys {
    /// The place of a record's and owner's key, and the key.
    pub(super) fn of(&mut self, record: usize, owner: Owner, random: Random<'_>) -> (usize, Arc<PartyKey>) {
        let Self { drawn, places } = self;
        let place = *places.entry((record, owner)).or_insert_with_key(|(record, owner)| {
            drawn.push(Drawn { record: *record, owner: owner.clone(), key: Arc::new(PartyKey::draw(random)) });
            drawn.len() - 1
        });
        (place, Arc::clone(&drawn[place].key))
    }

    /// All that were drawn.
    pub(super) fn into_drawn(self) -> Vec<Drawn> {
        self.drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_and_owner_has_one_key() {
        let owners = [&[3, 1][..], &[1, 3, 1], &[1], &[]].map(Owner::of_customers);
        assert_eq!(owners[0], owners[1]);
        assert_eq!(owners[3], Owner::Joint);
        let number = std::sync::atomic::AtomicU8::new(0);
        let random = |bytes: &mut [u8]| bytes.fill(number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let mut keys = Keys::default();
        let places: Vec<usize> = [0, 0, 1]
            .into_iter()
            .flat_map(|record| owners.clone().map(|owner| (record, owner)).into_iter().chain([(record, Owner::Agent)]))
            .map(|(record, owner)| {
                let (place, key) = keys.of(record, owner, &random);
                assert_eq!(key.id(), PartyKey::of(&[place as u8; 32]).id(), "the key that was drawn there");
                place
            })
            .collect();
        assert_eq!(places, [0, 0, 1, 2, 3, 0, 0, 1, 2, 3, 4, 4, 5, 6, 7]);
        assert_eq!(keys.into_drawn().len(), 8);
    }
}
