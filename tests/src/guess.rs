//! What an insider could look for who may open the event key: digests of planted values, by every scheme that code uses or used.
//!
//! Invariant: a digest is known by the first 16 characters of each spelling (hex in both cases, base64 in both alphabets), so that
//! one that was cut is found, down to eight bytes, and so is one behind a prefix such as `x_`.
//!
//! Left out: digests as raw bytes. What is stored of digests is text, but for Merkle tiles and wrapped keys.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ledgerline_event::content_id::{canonical_body, content_id};
use ledgerline_event::document::{parse, split};
use ledgerline_event::lineage::derived_token;
use ledgerline_event::{Context, adapt, text_layer};
use ledgerline_privacy::pseudonym::{KeyBytes, MacKey};
use ledgerline_privacy::{Identifier, Kind, Region};
use ledgerline_store::data_key::Purpose;
use sha2::Digest;

use crate::scan::Place;
use crate::stack::Stack;

/// Guesses under one event key.
pub struct Guesses {
    key: MacKey,
    /// The beginning of a digest's spelling: how it was guessed, and the number of the value.
    known: HashMap<u128, (&'static str, usize)>,
    values: usize,
}

impl Guesses {
    /// None yet, under this key.
    pub fn under(key: &KeyBytes) -> Self {
        Self { key: MacKey::new(key.lend()), known: HashMap::new(), values: 0 }
    }

    /// None yet, under the event key of the stack.
    ///
    /// # Panics
    /// If there is not one event key: it never rotates.
    pub fn on(stack: &Stack) -> Self {
        let keys = stack.block(stack.data_keys().all(Purpose::Event)).unwrap();
        assert_eq!(keys.len(), 1, "versions of the event key");
        Self::under(&keys[0].bytes)
    }

    /// Guesses at a value: as it was written, normalised, and behind what stands before values in names that are stored.
    pub fn value(&mut self, org: &str, text: &str) {
        self.values += 1;
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let mut spellings = BTreeSet::from([text.to_owned(), text.trim().to_lowercase()]);
        // Fewer are a part of a value, and of no digits there is a digest in every log: that of the empty tree.
        spellings.extend((digits.len() >= 7).then_some(digits));
        for kind in Kind::ALL {
            let Some(identifier) = Identifier::parse(kind, text, Region::US) else { continue };
            let normalised = identifier.value().expose_for_pseudonym();
            self.body("the kind and the value", [kind.label(), "\x1f", normalised].concat());
            spellings.insert(normalised.to_owned());
        }
        for spelling in &spellings {
            self.body("the value", spelling);
            self.body("the organisation and the value", [org, "\x1f", spelling].concat());
        }
    }

    /// Guesses at a person's id that names a record: the names of it in claims and, formerly, as an alias; its derived tokens.
    pub fn record(&mut self, org: &str, entity_type: &str, id: &str) {
        self.values += 1;
        let id = id.to_ascii_lowercase();
        for label in ["ledgerline/claim-record/v1", "ledgerline/alias/v1"] {
            let parts = [org, entity_type, &id].map(|part| [&length(part), part.as_bytes()].concat());
            self.body("the record's name", [label.as_bytes(), &parts.concat()].concat());
        }
        self.body(
            "the record's pseudonym",
            [b"record\x1f", &length(entity_type)[..], entity_type.as_bytes(), id.as_bytes()].concat(),
        );
        let full = format!("{entity_type}/{id}");
        self.body("the record", &full);
        self.body("the record", format!("{org}/{full}"));
        for of in [&id, &full] {
            self.spelled("the record's derived token", &derived_token(of));
        }
    }

    /// Guesses at the content of each document of a sent record: who knows all of a body but a value tries values until it fits.
    pub fn documents(&mut self, record: &[u8]) {
        for fragment in split(record) {
            let undone = text_layer::undone(fragment.bytes());
            let Ok(tree) = parse(&undone) else { continue };
            let Ok(event) = adapt(&tree, &Context { default_org: "tests", numeric_id_sources: &[] }) else { continue };
            self.values += 1;
            let id = content_id(&event, &tree);
            self.digest("the content id", id.as_bytes());
            self.body("the content id", id.as_bytes());
            self.body("the body", canonical_body(&tree, &event.body));
        }
    }

    /// What of it stands somewhere, each guess once, with the first place that holds it. Values are never printed: their kind of
    /// guess, number and place are enough to find them.
    pub fn found(&self, places: &[Place]) -> Vec<String> {
        let mut hits = HashMap::new();
        for place in places {
            let runs = place.content.as_bytes().split(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte));
            for window in runs.flat_map(|run| run.windows(LENGTH)) {
                let guess = u128::from_be_bytes(window.try_into().unwrap());
                if let Some((form, value)) = self.known.get(&guess) {
                    hits.entry(guess)
                        .or_insert_with(|| format!("a digest of {form}, value {value}, in {}", place.name));
                }
            }
        }
        hits.into_values().collect()
    }

    fn body(&mut self, form: &'static str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let keyed = self.key.tag(&[body]);
        self.digest(form, &keyed);
        self.digest(form, &sha2::Sha256::digest(body));
        self.digest(form, &sha1::Sha1::digest(body));
        self.digest(form, &md5::Md5::digest(body));
    }

    fn digest(&mut self, form: &'static str, digest: &[u8]) {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [hex.to_uppercase(), hex, STANDARD.encode(digest), URL_SAFE.encode(digest)] {
            self.spelled(form, &text);
        }
    }

    fn spelled(&mut self, form: &'static str, text: &str) {
        let beginning = text.as_bytes()[..LENGTH].try_into().unwrap();
        self.known.insert(u128::from_be_bytes(beginning), (form, self.values));
    }
}

fn length(part: &str) -> [u8; 4] {
    u32::try_from(part.len()).unwrap().to_be_bytes()
}

/// Of hex 64 bits, of base64 96: a million guesses meet one of a thousand million other texts by chance in one run of 18,000.
const LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use ledgerline_privacy::EventKey;

    use super::*;

    const EVENT: &str = r#"{"interactionId":"i-1","timestamp":"2026-03-02T14:00:00Z","eventType":"answered","orgId":"acme","customerPhone":"+13175550142"}"#;

    fn guesses() -> Guesses {
        let mut guesses = Guesses::under(&KeyBytes::take(vec![7; 32]).unwrap());
        guesses.value("acme", "(317) 555-0142");
        guesses.record("acme", "User", "0E7C3B52-1111-4222-8333-9ABCDEFABCDE");
        guesses.documents(EVENT.as_bytes());
        guesses
    }

    fn place(content: String) -> Place {
        Place::new("a log", content)
    }

    fn claim_id(event: &str) -> String {
        let tree = parse(event.as_bytes()).unwrap();
        let event = adapt(&tree, &Context { default_org: "acme", numeric_id_sources: &[] }).unwrap();
        EventKey::new([7; 32]).claim_id(content_id(&event, &tree).as_bytes())
    }

    /// Digests computed apart from this code, by Python's `hmac`, `hashlib`, `base64` and `uuid`.
    #[test]
    fn one_planted_digest_is_found_whatever_its_scheme() {
        let claim = claim_id(EVENT);
        let planted = [
            // HMAC of the raw value, whole; of the normalised one, in both alphabets; behind its kind and behind its org, halves.
            "f9cdcd150b7dd1f975d738ad8a91fb9aea62159fb5e4cecc801e64b90c231d83",
            "Fb0y6EYgsnKPQU6frJq1d2+kd7+MgZBp1rg1TfsHHwM=",
            "Fb0y6EYgsnKPQU6frJq1d2-kd7-MgZBp1rg1TfsHHwM",
            "86df2380d9b7af7a03ba19eb4aa3e841",
            "c0de3a0dee228d37ae1a56de86fabeec",
            // SHA-256 of the normalised value in capitals and of the raw one in base64, SHA-1 of the raw one, MD5 of its digits.
            "48C0778A2527C8D146C2F75DC755DC57C275A80FCD22C868F71DA6A7EBD71BE8",
            "MLdDdFoWNqRIeeYp3aoAEtSM6IpF4YCTLKP4cjphGfk=",
            "eabc35c1d2864d568e030156a1ee8488fb160dd9",
            "8c785efdf6f3e7f03a7d0c585759098e",
            // A record's name in claims, its former alias, its token.
            "659660599990404220be5cf0355c8aa3",
            "x_6be9d3fd950fdcde496c91f1f485baf0",
            "626f262f-bb73-5d3a-96f7-7f6645ae8c76",
            &claim,
        ];
        for digest in planted {
            let haystack = [place("nothing".to_owned()), place(format!(r#"{{"id":"{digest}","n":1}}"#))];
            assert_eq!(guesses().found(&haystack).len(), 1, "{digest}");
        }
    }

    #[test]
    fn digests_of_others_and_of_nothing_are_not_found() {
        let other = claim_id(&EVENT.replace("0142", "0143"));
        // SHA-256 of another number and of nothing.
        for digest in [
            "f5735de5c5c78b61c5a4b82aa139fec093c30f4cea6770c271066812519d73b0",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            &other,
        ] {
            assert_eq!(guesses().found(&[place(digest.to_owned())]), Vec::<String>::new(), "{digest}");
        }
    }
}
