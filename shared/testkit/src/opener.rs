//! The holder of every month's private key: opens what the product sealed and cannot open, and holds entries against the rows of
//! wrapped keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR};
use ledgerline_ledger::canonical;
use ledgerline_ledger::entry::{Entry, Party};
use ledgerline_sealed::{KeyRow, PartyKey, Place, export_context, info, open, unwrap};
use ledgerline_store::{gone, party_key};
use serde_json::{Map, Value};

use crate::table::FakeTable;
use crate::wrapping::month_pair;

/// What an entry's blocks hold, by party; `None` of one whose key was destroyed.
pub type Contents = BTreeMap<Party, Option<Map<String, Value>>>;

/// A key of a row, opened.
struct Key {
    key: PartyKey,
    record: String,
    object: String,
    /// Its row among all.
    row: usize,
    party: Party,
    first: String,
}

/// All keys of a deployment.
pub struct Opener {
    deployment: String,
    keys: BTreeMap<String, Key>,
    gone: BTreeSet<String>,
    /// Key ids that an entry named.
    named: BTreeSet<String>,
}

/// Keys that no entry names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unnamed {
    /// Rows of which no key is named: those of a run that was interrupted, or that lost to another.
    pub rows: usize,
    /// Keys beside named ones: their lines were found to be suppressed once the row was there.
    pub keys: usize,
}

impl Opener {
    /// Opens every row of wrapped keys.
    ///
    /// # Errors
    /// Each that does not open, a key in two rows, and a destroyed key that is there.
    pub fn of(deployment: &str, keys: &FakeTable, control: &FakeTable) -> Result<Self, Vec<String>> {
        let gone = control.look(|rows| rows.keys().filter_map(gone::parse_key).map(str::to_owned).collect());
        let mut opener =
            Self { deployment: deployment.to_owned(), keys: BTreeMap::new(), gone, named: BTreeSet::new() };
        let mut problems = Vec::new();
        for (row, (key, stored)) in keys.rows().into_iter().enumerate() {
            let Some(name) = party_key::parse_key(&key) else { continue };
            match party_key::read(stored) {
                Ok(stored) => opener.take(row, name, &stored, &mut problems),
                Err(error) => problems.push(format!("{key}: {error}")),
            }
        }
        if problems.is_empty() { Ok(opener) } else { Err(problems) }
    }

    fn take(&mut self, at: usize, name: party_key::RowName<'_>, row: &KeyRow, problems: &mut Vec<String>) {
        let receiver = receiver(&self.deployment, &row.month, &row.enc);
        for (id, wrapped) in &row.keys {
            let secret = receiver.as_deref().and_then(|receiver| exported(receiver, name.record, id));
            let Some(Ok(key)) = secret.map(|secret| unwrap(&secret, id, &wrapped.wrapped)) else {
                problems.push(format!("a key of {name:?} does not open"));
                continue;
            };
            let key = Key {
                key,
                record: name.record.to_owned(),
                object: name.object.to_owned(),
                row: at,
                party: wrapped.party,
                first: wrapped.first.clone(),
            };
            if self.keys.insert(id.clone(), key).is_some() {
                problems.push(format!("a key of {name:?} is in another row, too"));
            }
            if self.gone.contains(id) {
                problems.push(format!("a key of {name:?} is destroyed and there"));
            }
        }
    }

    /// Opens an entry's blocks.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn open(&mut self, entry: &Entry) -> Result<Contents, String> {
        let record = entry.record().ok_or("an entry of no record")?.key(&entry.org);
        let place = Place { deployment: &self.deployment, record: &record, event_id: &entry.event_id };
        let mut contents = Contents::new();
        for (block, id) in entry.blocks() {
            let problem = |what: &str| format!("{}, the {} block: {what}", entry.event_id, block.p.as_str());
            self.named.insert(id.to_owned());
            let Some(key) = self.keys.get(id) else {
                if !self.gone.contains(id) {
                    return Err(problem("its key is in no row, and nothing says that it was destroyed"));
                }
                contents.insert(block.p, None);
                continue;
            };
            if (&key.record, &key.object, key.party) != (&record, &entry.source.object, block.p) {
                return Err(problem("its key is another record's, object's or party's"));
            }
            if key.first > entry.occurred_at {
                return Err(problem("it occurred before its key says that any such event did"));
            }
            let opened = open(block, id, &place, &key.key).map_err(|error| problem(&error.to_string()))?;
            let text = opened.expose_for_owner();
            let value: Value = serde_json::from_str(text).map_err(|_| problem("it holds no JSON"))?;
            if canonical::to_string(&value).as_deref() != Ok(text) {
                return Err(problem("what it holds is not canonical"));
            }
            let Value::Object(content) = value else { return Err(problem("it holds no object")) };
            contents.insert(block.p, Some(content));
        }
        check_raw(&contents).map_err(|what| format!("{}: {what}", entry.event_id))?;
        Ok(contents)
    }

    /// The keys that no entry named which was opened.
    pub fn unnamed(&self) -> Unnamed {
        let mut rows: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
        for (id, key) in &self.keys {
            rows.entry(key.row).or_default()[usize::from(self.named.contains(id))] += 1;
        }
        let mut unnamed = Unnamed::default();
        for [without, with] in rows.into_values() {
            if with == 0 {
                unnamed.rows += 1;
            } else {
                unnamed.keys += without;
            }
        }
        unnamed
    }
}

/// The digest stands in one block, which there is in every entry that has any: the customer's, else the joint one.
fn check_raw(contents: &Contents) -> Result<(), &'static str> {
    if contents.is_empty() {
        return Ok(());
    }
    let party = if contents.contains_key(&Party::Customer) { Party::Customer } else { Party::Joint };
    let Some(with_raw) = contents.get(&party) else { return Err("no block is there for the digest of its bytes") };
    if with_raw.as_ref().is_some_and(|content| !content.contains_key(RAW)) {
        return Err("the digest of its bytes is missing");
    }
    let others = contents.iter().filter(|(other, _)| **other != party);
    if others.filter_map(|(_, content)| content.as_ref()).any(|content| content.contains_key(RAW)) {
        return Err("the digest of its bytes stands in another block");
    }
    Ok(())
}

/// The digest of the event's bytes; `None` if there is no block, or its key was destroyed.
pub fn raw(contents: &Contents) -> Option<&str> {
    contents.values().flatten().find_map(|content| content.get(RAW)?.as_str())
}

type Receiver = hpke::aead::AeadCtxR<AesGcm256, HkdfSha256, DhP256HkdfSha256>;

/// What exports the keys that open a row's, by RFC 9180. Kept by process: it costs more than all else that a check does.
fn receiver(deployment: &str, month: &str, enc: &[u8]) -> Option<Arc<Receiver>> {
    type Name = (String, String, Vec<u8>);
    static KNOWN: Mutex<BTreeMap<Name, Arc<Receiver>>> = Mutex::new(BTreeMap::new());
    let name = (deployment.to_owned(), month.to_owned(), enc.to_vec());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(receiver) = known.get(&name) {
        return Some(Arc::clone(receiver));
    }
    let private = <DhP256HkdfSha256 as Kem>::PrivateKey::from_bytes(&month_pair(deployment, month).0).ok()?;
    let enc = <DhP256HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).ok()?;
    let receiver = Arc::new(hpke::setup_receiver(&OpModeR::Base, &private, &enc, &info(deployment)).ok()?);
    known.insert(name, Arc::clone(&receiver));
    Some(receiver)
}

/// What opens a wrapped key.
fn exported(receiver: &Receiver, record: &str, id: &str) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    receiver.export(&export_context(record, id), &mut secret).ok()?;
    Some(secret)
}

const RAW: &str = "raw";

#[cfg(test)]
mod tests {
    use ledgerline_ledger::entry::PendingEntry;
    use ledgerline_sealed::{Sender, WrappedKey};
    use ledgerline_store::table::{IntoValue as _, Row, to_row};

    use super::*;
    use crate::calls::Calls;
    use crate::entries::{self, pending, sealed};
    use crate::faults::Faults;

    const OBJECT: &str = "0123456789abcdef0123456789abcdef";

    struct World {
        keys: FakeTable,
        control: FakeTable,
        entries: Vec<PendingEntry>,
    }

    /// Three entries, the last of another record.
    fn world() -> World {
        let table = |name| FakeTable::new(name, Faults::none(), Calls::default());
        let (keys, control) = (table("KeysTable"), table("ControlTable"));
        let of = |(record, line)| sealed(&keys, "d", pending("acme", record, OBJECT, line));
        let entries = [("c-1", 0), ("c-1", 1), ("c-2", 2)].map(of).to_vec();
        World { keys, control, entries }
    }

    impl World {
        fn opener(&self) -> Result<Opener, Vec<String>> {
            Opener::of("d", &self.keys, &self.control)
        }

        fn open(&self, opener: &mut Opener, entry: usize) -> Result<Contents, String> {
            opener.open(&Entry::read(self.entries[entry].to_line().unwrap().as_str().as_bytes()).unwrap())
        }

        /// Changes the row of the first two entries.
        fn change(&self, change: impl FnOnce(&mut KeyRow)) {
            self.keys.tamper(|rows| {
                let (key, stored) = rows.iter_mut().find(|(key, _)| key.pk.ends_with("c-1")).unwrap();
                assert!(party_key::parse_key(key).is_some());
                let mut row = party_key::read(stored.clone()).unwrap();
                change(&mut row);
                *stored = to_row("a row", &row).unwrap();
            });
        }

        fn say_gone(&self, id: &str) {
            let row = Row::from([("v".to_owned(), 1_u32.into_value())]);
            self.control.tamper(|rows| rows.insert(gone::key(id), row));
        }

        fn problem(&self) -> String {
            match self.opener() {
                Err(problems) => problems.join("; "),
                Ok(mut opener) => self.open(&mut opener, 0).unwrap_err(),
            }
        }
    }

    #[test]
    fn what_was_sealed_is_opened_and_keys_that_nobody_names_are_counted() {
        let world = world();
        let mut opener = world.opener().unwrap();
        assert_eq!(opener.unnamed(), Unnamed { rows: 2, keys: 0 });
        let contents = world.open(&mut opener, 0).unwrap();
        let id = Value::from(world.entries[0].event_id.clone());
        assert_eq!(contents[&Party::Customer].as_ref().unwrap()["customer_name"], id);
        assert_eq!(contents[&Party::Agent].as_ref().unwrap()["agent_name"], id);
        assert_eq!(raw(&contents).map(str::len), Some(64));
        assert_eq!(opener.unnamed(), Unnamed { rows: 1, keys: 0 });
        world.open(&mut opener, 1).unwrap();
        world.open(&mut opener, 2).unwrap();
        assert_eq!(opener.unnamed(), Unnamed::default());
        // A key beside those that are named: its line was found to be suppressed after the row was there.
        world.change(|row| {
            let sender = Sender::to(&month_pair("d", &row.month).1, "d").unwrap();
            row.enc = sender.enc().to_vec().into();
            for party in [Party::Customer, Party::Agent] {
                let key = entries::key_of(party, "acme/c-1", OBJECT);
                row.keys.get_mut(key.id().as_str()).unwrap().wrapped = sender.wrap("acme/c-1", &key).to_vec().into();
            }
            let other = PartyKey::of(&[1; 32]);
            let like = row.keys.values().next().unwrap().clone();
            let wrapped = sender.wrap("acme/c-1", &other).to_vec().into();
            row.keys.insert(other.id().to_string(), WrappedKey { wrapped, ..like });
        });
        let mut opener = world.opener().unwrap();
        (0..3).for_each(|entry| drop(world.open(&mut opener, entry).unwrap()));
        assert_eq!(opener.unnamed(), Unnamed { rows: 0, keys: 1 });
    }

    #[test]
    fn a_destroyed_key_is_told_from_a_lost_one() {
        let world = world();
        let id = |party: usize| {
            let sealed = &world.entries[0].sealed;
            sealed.key_ids[sealed.blocks[party].k].clone()
        };
        let customer = id(0);
        world.change(|row| drop(row.keys.remove(&customer)));
        assert!(world.problem().contains("its key is in no row"), "{}", world.problem());
        world.say_gone(&customer);
        let mut opener = world.opener().unwrap();
        let contents = world.open(&mut opener, 0).unwrap();
        assert_eq!((contents[&Party::Customer].is_none(), contents[&Party::Agent].is_some()), (true, true));
        assert_eq!(raw(&contents), None);
        world.say_gone(&id(1));
        assert!(world.problem().contains("is destroyed and there"), "{}", world.problem());
    }

    #[test]
    fn keys_and_blocks_that_do_not_belong_together_are_told() {
        type Change = fn(&mut World);
        let cases: [(&str, Change); 7] = [
            ("another record's, object's or party's", |world| {
                world.change(|row| row.keys.values_mut().for_each(|key| key.party = Party::Joint));
            }),
            ("before its key says", |world| {
                world.change(|row| row.keys.values_mut().for_each(|key| key.first = "2026-03-03T".to_owned()));
            }),
            ("does not open", |world| world.change(|row| row.month = "2026-04".to_owned())),
            ("does not open", |world| {
                world.change(|row| row.keys.values_mut().for_each(|key| key.wrapped[0] ^= 1));
            }),
            ("in another row, too", |world| {
                world.keys.tamper(|rows| {
                    let (key, row) = rows.iter().next().map(|(key, row)| (key.clone(), row.clone())).unwrap();
                    let name = party_key::parse_key(&key).unwrap();
                    let second = party_key::key(party_key::RowName { run: "11111111", ..name });
                    rows.insert(second, row);
                });
            }),
            ("the customer block", |world| world.entries[0].sealed = world.entries[1].sealed.clone()),
            ("no block is there", |world| {
                // The agent's alone: nowhere for the digest.
                let sealed = &mut world.entries[0].sealed;
                let agent = sealed.key_ids[sealed.blocks[1].k].clone();
                sealed.key_ids = vec![agent];
                sealed.blocks.remove(0);
                sealed.blocks[0].k = 0;
            }),
        ];
        for (said, change) in cases {
            let mut world = world();
            change(&mut world);
            assert!(world.problem().contains(said), "{said}: {}", world.problem());
        }
    }
}
