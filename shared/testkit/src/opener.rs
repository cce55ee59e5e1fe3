//! The holder of every month's private key: opens what the product sealed and cannot open, and holds entries against the rows of
//! wrapped keys.

use std::collections::{BTreeMap, BTreeSet};

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
        let private = month_pair(&self.deployment, &row.month).0;
        for (id, wrapped) in &row.keys {
            let secret = exported(&private, &row.enc, &self.deployment, name.record, id);
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

/// What opens a wrapped key: the month's private half, by RFC 9180.
fn exported(private: &[u8; 32], enc: &[u8], deployment: &str, record: &str, id: &str) -> Option<[u8; 32]> {
    let private = <DhP256HkdfSha256 as Kem>::PrivateKey::from_bytes(private).ok()?;
    let enc = <DhP256HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).ok()?;
    let receiver = hpke::setup_receiver::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeR::Base,
        &private,
        &enc,
        &info(deployment),
    )
    .ok()?;
    let mut secret = [0; 32];
    receiver.export(&export_context(record, id), &mut secret).ok()?;
    Some(secret)
}

const RAW: &str = "raw";
