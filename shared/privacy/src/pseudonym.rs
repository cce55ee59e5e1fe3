//! Keyed names for people and events: pseudonyms, claim ids, claims' names of records, and keys derived for other uses.
//!
//! Invariant: nothing here is a bare hash. A phone number has ten digits, and whoever can count to ten thousand million
//! reverses a bare digest of it in seconds; every output is an HMAC-SHA-256 under a data key that KMS unwraps once per
//! cold start. A pseudonym's version covers the key *and* the normalisation, and a look-up tries all versions.
//!
//! The HMAC state after absorbing the padded key is computed once per key and cloned per use: two of the four SHA-256
//! blocks that a short HMAC costs, on the hottest path of the product. Keys, their states and these clones are zeroed
//! when they are dropped.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::Sha256;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::identifier::{Identifier, RULES, is_uuid};

/// An unwrapped key, zeroed when it is dropped.
pub struct KeyBytes(Zeroizing<[u8; 32]>);

impl KeyBytes {
    /// Takes what was unwrapped, and zeroes it; `None` if it is no key of 32 bytes.
    pub fn take(plain: Vec<u8>) -> Option<Self> {
        let plain = Zeroizing::new(plain);
        let mut bytes = Zeroizing::new([0; 32]);
        if plain.len() != bytes.len() {
            return None;
        }
        bytes.copy_from_slice(&plain);
        Some(Self(bytes))
    }

    /// Lends the bytes: an array that is handed over stays where it was.
    pub fn lend(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(***)")
    }
}

/// The key behind pseudonyms, one per version.
#[derive(Clone)]
pub struct PseudonymKey {
    version: u32,
    rules: u32,
    prefix: String,
    mac: MacKey,
}

impl PseudonymKey {
    /// A key of the given version for today's rules; the version is part of every pseudonym made with it.
    pub fn new(version: u32, key: impl Borrow<[u8; 32]>) -> Self {
        Self::under_rules(RULES, version, key)
    }

    /// A key of the given version, for what these rules normalise, see [`RULES`].
    pub fn under_rules(rules: u32, version: u32, key: impl Borrow<[u8; 32]>) -> Self {
        Self { version, rules, prefix: format!("p{version}_"), mac: MacKey::new(key) }
    }

    /// The version that its pseudonyms carry.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// `p<version>_` + 64 hex digits of HMAC-SHA-256(key, kind ‖ 0x1F ‖ normalised value).
    pub fn pseudonym(&self, identifier: &Identifier) -> Pseudonym {
        let value = identifier.value().expose_for_pseudonym();
        self.named(&self.mac.tag(&[identifier.kind().label().as_bytes(), &[SEPARATOR], value.as_bytes()]))
    }

    /// The pseudonym of an id that names a record and no customer, such as a user's: over the entity's type as its source wrote it,
    /// behind its length, and the id. A UUID counts in any case. No kind of identifier has this label.
    pub fn of_record(&self, entity_type: &str, id: &str) -> Pseudonym {
        let (length, id) = ((entity_type.len() as u32).to_be_bytes(), caseless(id));
        let tag = self.mac.tag(&[RECORD_LABEL, &[SEPARATOR], &length, entity_type.as_bytes(), id.as_bytes()]);
        self.named(&tag)
    }

    /// The pseudonym of who calls the API: of issuer ‖ 0x1F ‖ subject. No kind of identifier has this label.
    pub fn of_principal(&self, principal: &str) -> Pseudonym {
        self.named(&self.mac.tag(&[PRINCIPAL_LABEL, &[SEPARATOR], principal.as_bytes()]))
    }

    fn named(&self, tag: &[u8; 32]) -> Pseudonym {
        let mut text = String::with_capacity(self.prefix.len() + 64);
        text.push_str(&self.prefix);
        push_hex(&mut text, tag);
        Pseudonym(text)
    }

    /// A key for another use, such as authenticating page tokens: HMAC-SHA-256(key, label). The label holds no
    /// separator, so no derived key is ever also a pseudonym.
    pub fn derive(&self, label: Label) -> MacKey {
        let key = Zeroizing::new(self.mac.tag(&[label.0.as_bytes()]));
        MacKey::absorbed(&key)
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey {{ version: {}, key: *** }}", self.version)
    }
}

/// What a derived key is for. A constant without the byte that separates kind from value in a pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(&'static str);

impl Label {
    /// Page tokens of the API.
    pub const PAGE_TOKEN: Self = Self("ledgerline/page-token/v2");
    /// Masked fields of silver that rows can be joined by.
    pub const JOINABLE: Self = Self("ledgerline/joinable/v1");
}

/// A key for tags that this deployment checks itself.
#[derive(Clone)]
pub struct MacKey {
    // The state after the padded key, cloned per tag. It is as good as the key for making tags, and stays as private.
    state: Hmac<Sha256>,
}

impl MacKey {
    /// Absorbs the key.
    pub fn new(key: impl Borrow<[u8; 32]>) -> Self {
        Self::absorbed(key.borrow())
    }

    fn absorbed(key: &[u8; 32]) -> Self {
        let state = match Hmac::<Sha256>::new_from_slice(key) {
            Ok(state) => state,
            // HMAC takes keys of every length (RFC 2104), so the error has no value that could reach this arm.
            Err(_) => unreachable!("HMAC accepts keys of any length"),
        };
        Self { state }
    }

    /// HMAC-SHA-256 over the parts, one after the other. The caller separates them unambiguously.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.absorb(parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the parts' tag, in time that does not depend on where they differ.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.absorb(parts).verify_slice(tag).is_ok()
    }

    fn absorb(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.state.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// An HMAC's state is two of its hash's, which zero themselves: a build in which they do not is no build.
impl ZeroizeOnDrop for MacKey {}

const _: () = {
    const fn is_zeroed_on_drop<T: ZeroizeOnDrop>() {}
    is_zeroed_on_drop::<Sha256>();
};

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(***)")
    }
}

/// An identifier's keyed name: safe to store, to log and to join on, and useless without the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Reads a stored or asked-for pseudonym: `p<version>_` and 64 lower-case hex digits, the version without zeros
    /// before it.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, digest) = text.strip_prefix('p')?.split_once('_')?;
        let number: u32 = version.parse().ok()?;
        let plain = number.to_string() == version && digest.len() == 64 && digest.bytes().all(is_lower_hex);
        plain.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of the key that made it.
    pub fn version(&self) -> u32 {
        let digits = self.0.bytes().skip(1).take_while(u8::is_ascii_digit);
        digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text is not repeated: a raw identifier may have been sent in a pseudonym's place.
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a pseudonym: p<version>_ and 64 hex digits"))
    }
}

/// All versions of the pseudonym key that this deployment still looks things up by.
#[derive(Debug, Clone)]
pub struct KeyRing {
    newest: PseudonymKey,
    older: BTreeMap<u32, PseudonymKey>,
}

impl KeyRing {
    /// A ring of at least one key; of two keys of one version the later one stays.
    pub fn new(keys: impl IntoIterator<Item = PseudonymKey>) -> Option<Self> {
        let mut older: BTreeMap<u32, PseudonymKey> = keys.into_iter().map(|key| (key.version, key)).collect();
        let (newest, _) = older.iter().max_by_key(|(version, key)| (key.rules == RULES, **version))?;
        let newest = older.remove(&newest.clone())?;
        Some(Self { newest, older })
    }

    /// The key that new pseudonyms are made with: the highest version for today's rules, or of all if there is none.
    pub fn newest(&self) -> &PseudonymKey {
        &self.newest
    }

    /// Whether the newest key is for today's rules. Until transform has made one, a ring finds what was named before and
    /// nothing that is named from then on.
    pub fn is_current(&self) -> bool {
        self.newest.rules == RULES
    }

    /// Whether a pseudonym of this version stands for what today's rules normalise. Under any other it may stand for a value that
    /// was normalised otherwise, and so for somebody else.
    pub fn is_of_today(&self, pseudonym: &Pseudonym) -> bool {
        let version = pseudonym.version();
        let key = Some(&self.newest).filter(|key| key.version == version).or_else(|| self.older.get(&version));
        key.is_some_and(|key| key.rules == RULES)
    }

    /// The identifier's pseudonyms under all versions, newest first.
    pub fn pseudonyms(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        self.newest_first().map(|key| key.pseudonym(identifier)).collect()
    }

    /// The pseudonyms of an id that names a record and no customer, newest first, see [`PseudonymKey::of_record`].
    pub fn of_record(&self, entity_type: &str, id: &str) -> Vec<Pseudonym> {
        self.newest_first().map(|key| key.of_record(entity_type, id)).collect()
    }

    /// The pseudonyms of who calls the API, newest first, see [`PseudonymKey::of_principal`].
    pub fn of_principal(&self, principal: &str) -> Vec<Pseudonym> {
        self.newest_first().map(|key| key.of_principal(principal)).collect()
    }

    fn newest_first(&self) -> impl Iterator<Item = &PseudonymKey> {
        std::iter::once(&self.newest).chain(self.older.values().rev())
    }
}

/// The key behind claim ids: a data key of its own, never rotated, so that an event sent again is known for good.
#[derive(Debug, Clone)]
pub struct EventKey(MacKey);

impl EventKey {
    /// Absorbs the unwrapped data key.
    pub fn new(key: impl Borrow<[u8; 32]>) -> Self {
        Self(MacKey::new(key))
    }

    /// What an event is claimed by: the first 16 bytes, in hex, of HMAC-SHA-256(event key, content id). Whoever may open the key
    /// can guess the rest of a known body against it, so it stands in claims alone, which expire: never beside what a body says,
    /// and never where it could not be deleted. An event's own id follows from its place.
    pub fn claim_id(&self, content_id: &[u8; 32]) -> String {
        let tag = self.0.tag(&[content_id]);
        let mut id = String::with_capacity(32);
        push_hex(&mut id, &tag[..16]);
        id
    }

    /// What claims name a record by in the place of a person's id: the first 16 bytes, in hex, of HMAC-SHA-256(event key, label, then
    /// organisation, entity type and id, each behind its length in 4 bytes). The key never rotates, so that an event sent again meets
    /// its claim, whatever alias its record has by then; it stands in nothing but claims. A UUID counts in any case. No content id is
    /// as long as what is hashed here.
    pub fn claim_record(&self, org: &str, entity_type: &str, id: &str) -> String {
        let id = caseless(id);
        let lengths = [org, entity_type, &id].map(|part| (part.len() as u32).to_be_bytes());
        let tag = self.0.tag(&[
            CLAIM_RECORD_LABEL,
            &lengths[0],
            org.as_bytes(),
            &lengths[1],
            entity_type.as_bytes(),
            &lengths[2],
            id.as_bytes(),
        ]);
        let mut text = String::with_capacity(32);
        push_hex(&mut text, &tag[..16]);
        text
    }

    /// What stands for a person's id in a line of an object, counted from 0, that an erasure covers: `x_` and the first 16 bytes, in
    /// hex, of HMAC-SHA-256(event key, label, the object's 32 hex digits, the line in 8 bytes). It looks as any alias does, so that
    /// nobody without the key can tell who was erased. It follows from no id: there is nothing to guess by it.
    pub fn alias_of_line(&self, object: &str, line: u64) -> String {
        let tag = self.0.tag(&[LINE_ALIAS_LABEL, object.as_bytes(), &line.to_be_bytes()]);
        let mut text = ALIAS_PREFIX.to_owned();
        push_hex(&mut text, &tag[..16]);
        text
    }
}

/// An id as it is named by: a UUID has no case.
fn caseless(id: &str) -> Cow<'_, str> {
    if is_uuid(id) { Cow::Owned(id.to_ascii_lowercase()) } else { Cow::Borrowed(id) }
}

/// Whether a text has the form of an alias: `x_` and 32 lower-case hex digits.
pub fn is_alias(text: &str) -> bool {
    text.strip_prefix(ALIAS_PREFIX).is_some_and(|digits| digits.len() == 32 && digits.bytes().all(is_lower_hex))
}

const ALIAS_PREFIX: &str = "x_";
const LINE_ALIAS_LABEL: &[u8] = b"ledgerline/line-alias/v1";
const CLAIM_RECORD_LABEL: &[u8] = b"ledgerline/claim-record/v1";
/// What stands in a kind's place before an id that names a record.
const RECORD_LABEL: &[u8] = b"record";
const PRINCIPAL_LABEL: &[u8] = b"principal";

pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(HEX_DIGITS[usize::from(byte & 15)]));
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Between kind and value; no kind's label holds it, so (kind, value) is unambiguous.
const SEPARATOR: u8 = 0x1F;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::Kind;
    use crate::region::Region;

    fn key(version: u32) -> PseudonymKey {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        PseudonymKey::new(version, bytes)
    }

    fn identifier(kind: Kind, raw: &str) -> Identifier {
        Identifier::parse(kind, raw, Region::US).unwrap()
    }

    /// Computed apart from this code, by Python: `hmac.new(bytes(range(32)), b"phone\x1f+15555550142", "sha256")`.
    #[test]
    fn pseudonyms_are_the_hmacs_that_another_implementation_computes() {
        for (kind, raw, digest) in [
            (Kind::Phone, "tel:+1 555 555 0142", "4c768eb2185a58c7a97c5b1d4ebad0cc89d888010982848f0fd684c6c6e08497"),
            (Kind::Email, "Jane.Doe@example.com", "03fadf2603ca8d377b1b0ac29b998d4f01feadd2aea7bace78c9058936a7430a"),
            (Kind::Account, "ACC-0042", "d1b9699767b2162727e423590c09553585133d0018addd06b7d85da62c128012"),
            (
                Kind::Agent,
                "9bbaa26b-2e33-5109-94f8-f0e345fe703d",
                "e1a7f25c9cf8f34521369e38a65bdaee9a8d9d8db5752378d8c33f5c9f993ec2",
            ),
            (
                Kind::PhoneHash,
                "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB",
                "fbefdf8254fa3a21e126626adc652e085f4d781f3849ad440d8b97e571ef1b1f",
            ),
            (
                Kind::EmailHash,
                "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB",
                "944d8a4dffd0c624e9e6001ab23acb56a610090d85589d035ea5cd6096bae3bd",
            ),
            (
                Kind::AccountHash,
                "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB",
                "a1564c02dd262f910b8fef2c26fff019219c85910ef246259a5a216f69bccdba",
            ),
        ] {
            assert_eq!(key(12).pseudonym(&identifier(kind, raw)).as_str(), format!("p12_{digest}"), "{kind}");
        }
    }

    /// `hmac.new(bytes(range(32)), bytes([0xA5] * 32), "sha256").hexdigest()[:32]`
    #[test]
    fn a_claim_id_is_the_first_half_of_the_hmac() {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        assert_eq!(EventKey::new(bytes).claim_id(&[0xA5; 32]), "c017ca9349716df434f7ea50dde47c16");
    }

    /// In Python: `hmac.new(bytes(range(32)), b"ledgerline/line-alias/v1" + object + line.to_bytes(8, "big"), "sha256").hexdigest()[:32]`.
    #[test]
    fn an_alias_of_a_line_is_the_one_that_another_implementation_computes() {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        let (object, another) = ("00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100");
        for (object, line, alias) in [
            (object, 0, "x_16c180bd26628ce84c2e3cfe850044e2"),
            (object, 1, "x_483c01e00f9fbc3f79763198248da714"),
            (object, 4_294_967_303, "x_8f0cac6750ed9d6799a3f1aa7bb09591"),
            (another, 0, "x_43f96d336a1cf11b23a3e3dfae3e03ff"),
        ] {
            assert_eq!(EventKey::new(bytes).alias_of_line(object, line), alias);
            assert!(is_alias(alias));
        }
    }

    /// In Python: `hmac.new(bytes(range(32)), b"ledgerline/claim-record/v1" + parts, "sha256").hexdigest()[:32]`, each part `org`,
    /// `type`, `id` behind `struct.pack(">I", len(part))`.
    #[test]
    fn a_claims_record_is_one_for_a_person_and_another_for_each_org_type_and_id() {
        let mut bytes = [0; 32];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        let key = EventKey::new(bytes);
        let id = "53160ee1-1a1b-5836-889e-f11a79e65ec7";
        let record = key.claim_record("acme", "User", id);
        assert_eq!(record, "d73c6fe07ea09f0a6387631989bb8000");
        assert_eq!(key.claim_record("acme", "User", &id.to_uppercase()), record, "a UUID has no case");
        let mut others = vec![
            record.clone(),
            key.claim_record("beta", "User", id),
            key.claim_record("acme", "Contact", id),
            key.claim_record("acme", "User", &id.replace('5', "6")),
            // What stands where must tell: the same text, cut elsewhere.
            key.claim_record("acmeUs", "er", id),
            key.claim_record("acme", "User5", &id[1..]),
            key.claim_record("acme", "User", "jane"),
            key.claim_record("acme", "User", "Jane"),
            EventKey::new([7; 32]).claim_record("acme", "User", id),
        ];
        let all = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), all);
    }

    /// In Python: `hmac.new(bytes(range(32)), b"record\x1f" + struct.pack(">I", 4) + b"User" + id, "sha256").hexdigest()`.
    #[test]
    fn an_id_of_a_record_has_a_pseudonym_that_is_no_identifiers() {
        let id = "53160ee1-1a1b-5836-889e-f11a79e65ec7";
        let pseudonym = key(1).of_record("User", id);
        assert_eq!(pseudonym.as_str(), "p1_b77bb6dc4db4c093a2944f0917edd8a1b732b42259fe0a6af24824731e5b4865");
        assert_eq!(key(1).of_record("User", &id.to_uppercase()), pseudonym, "a UUID has no case");
        assert_ne!(key(1).of_record("Use", &format!("r{id}")), pseudonym);
        assert!(Kind::ALL.iter().all(|kind| kind.label().as_bytes() != RECORD_LABEL));
        let ring = KeyRing::new([key(1), key(2)]).unwrap();
        assert_eq!(ring.of_record("User", id), [key(2).of_record("User", id), pseudonym]);
    }

    /// In Python: `hmac.new(bytes(range(32)), b"principal\x1fhttps://id.example\x1fofficer-1", "sha256").hexdigest()`.
    #[test]
    fn who_calls_has_a_pseudonym_that_is_no_identifiers() {
        let principal = "https://id.example\u{1f}officer-1";
        let pseudonym = key(1).of_principal(principal);
        assert_eq!(pseudonym.as_str(), "p1_32c83cb04743e4b6add57aedcfde11c8986899663a16bc27492b3b01a8b8036b");
        assert!(Kind::ALL.iter().all(|kind| kind.label().as_bytes() != PRINCIPAL_LABEL));
        let ring = KeyRing::new([key(1), key(2)]).unwrap();
        assert_eq!(ring.of_principal(principal), [key(2).of_principal(principal), pseudonym]);
    }

    #[test]
    fn an_alias_has_one_form() {
        let alias = format!("x_{}", "0f".repeat(16));
        assert!(
            is_alias(&alias) && !is_alias(&alias[1..]) && !is_alias(&alias[2..]) && !is_alias(&alias.to_uppercase())
        );
        assert!(!is_alias("53160ee1-1a1b-5836-889e-f11a79e65ec7"));
    }

    /// The derived key is `hmac(key, b"ledgerline/page-token/v2")`; the tag is its HMAC over `sometoken`.
    #[test]
    fn derived_key_tags_and_verifies() {
        let derived = key(1).derive(Label::PAGE_TOKEN);
        let tag = derived.tag(&[b"some", b"token"]);
        let mut hex = String::new();
        push_hex(&mut hex, &tag);
        assert_eq!(hex, "808bdec4f3f93308b524ce545f92c58d97f083ca8bd35dd8ff7188ce1f79b017");
        assert!(derived.verify(&[b"sometoken"], &tag));
        assert!(!derived.verify(&[b"sometokem"], &tag));
        assert!(!derived.verify(&[b"sometoken"], &tag[..31]));
        assert!(!key(1).derive(Label("other")).verify(&[b"sometoken"], &tag));
    }

    #[test]
    fn one_value_of_several_kinds_has_as_many_pseudonyms() {
        let kinds = [Kind::PhoneHash, Kind::EmailHash, Kind::AccountHash, Kind::CustomerIdHash];
        let mut all = kinds.map(|kind| key(1).pseudonym(&identifier(kind, "ab01"))).to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), kinds.len());
    }

    #[test]
    fn key_ring_tries_all_versions_newest_first() {
        let ring = KeyRing::new([key(2), key(10), key(9)]).unwrap();
        let caller = identifier(Kind::Phone, "+15555550142");
        let versions: Vec<u32> = ring.pseudonyms(&caller).iter().map(Pseudonym::version).collect();
        assert_eq!(versions, vec![10, 9, 2]);
        assert_eq!(ring.newest().version(), 10);
        // A later version made for other rules, such as by a deployment that was rolled back, names nobody new.
        let ring = KeyRing::new([key(9), PseudonymKey::under_rules(RULES + 1, 10, [7; 32])]).unwrap();
        assert_eq!((ring.newest().version(), ring.pseudonyms(&caller).len()), (9, 2));
        let of_today: Vec<bool> = ring.pseudonyms(&caller).iter().map(|name| ring.is_of_today(name)).collect();
        assert_eq!((of_today, ring.is_current()), (vec![true, false], true));
        assert!(!KeyRing::new([PseudonymKey::under_rules(RULES - 1, 1, [7; 32])]).unwrap().is_current());
        assert!(KeyRing::new([]).is_none());
    }

    #[test]
    fn pseudonyms_are_read_back_and_nothing_else_is() {
        let pseudonym = key(7).pseudonym(&identifier(Kind::Phone, "+15555550142"));
        assert_eq!(Pseudonym::parse(pseudonym.as_str()), Some(pseudonym.clone()));
        let digest = "a".repeat(64);
        for bad in [
            String::new(),
            format!("p_{digest}"),
            format!("p01_{digest}"),
            format!("p+1_{digest}"),
            format!("p1_{}", &digest[1..]),
            format!("p1_{digest}a"),
            format!("p1_{}", digest.to_uppercase()),
            format!("P1_{digest}"),
            format!("p4294967296_{digest}"),
            "+15555550142".to_owned(),
        ] {
            assert_eq!(Pseudonym::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_raw_identifier_in_a_pseudonyms_place_is_not_repeated_in_the_error() {
        let error = serde_json::from_str::<Pseudonym>("\"+15555550142\"").unwrap_err().to_string();
        assert!(!error.contains("5555550142"), "{error}");
    }

    #[test]
    fn unwrapped_bytes_are_a_key_only_if_there_are_32_of_them() {
        assert_eq!(*KeyBytes::take(vec![7; 32]).unwrap().lend(), [7; 32]);
        assert!(KeyBytes::take(vec![7; 31]).is_none() && KeyBytes::take(vec![7; 33]).is_none());
        let lent = KeyBytes::take(vec![7; 32]).unwrap();
        assert_eq!(EventKey::new(lent.lend()).claim_id(&[1; 32]), EventKey::new([7; 32]).claim_id(&[1; 32]));
    }

    #[test]
    fn a_keys_state_is_zeroed_when_it_is_dropped() {
        fn is_zeroed<T: ZeroizeOnDrop>() {}
        is_zeroed::<MacKey>();
        is_zeroed::<Zeroizing<[u8; 32]>>();
        assert!(std::mem::needs_drop::<MacKey>() && std::mem::needs_drop::<KeyBytes>());
    }

    #[test]
    fn debug_prints_no_key() {
        let bytes = KeyBytes::take(vec![7; 32]);
        let printed =
            format!("{bytes:?} {:?} {:?} {:?}", key(1), EventKey::new([7; 32]), key(1).derive(Label::PAGE_TOKEN));
        let others = "PseudonymKey { version: 1, key: *** } EventKey(MacKey(***)) MacKey(***)";
        assert_eq!(printed, format!("Some(KeyBytes(***)) {others}"));
    }
}
