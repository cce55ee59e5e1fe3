//! Keyed names for people and events: pseudonyms, event ids, and keys derived for other uses.
//!
//! Invariant: nothing here is a bare hash. A phone number has ten digits, and whoever can count to ten thousand million
//! reverses a bare digest of it in seconds; every output is an HMAC-SHA-256 under a data key that KMS unwraps once per
//! cold start. A pseudonym's version covers the key *and* the normalisation, and a look-up tries all versions.
//!
//! The HMAC state after absorbing the padded key is computed once per key and cloned per use: two of the four SHA-256
//! blocks that a short HMAC costs, on the hottest path of the product.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::identifier::Identifier;

/// The key behind pseudonyms, one per version.
#[derive(Clone)]
pub struct PseudonymKey {
    version: u32,
    prefix: String,
    mac: MacKey,
}

impl PseudonymKey {
    /// A key of the given version; the version is part of every pseudonym made with it.
    pub fn new(version: u32, key: [u8; 32]) -> Self {
        Self { version, prefix: format!("p{version}_"), mac: MacKey::new(key) }
    }

    /// The version that its pseudonyms carry.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// `p<version>_` + 64 hex digits of HMAC-SHA-256(key, kind ‖ 0x1F ‖ normalised value).
    pub fn pseudonym(&self, identifier: &Identifier) -> Pseudonym {
        let value = identifier.value().expose_for_pseudonym();
        let tag = self.mac.tag(&[identifier.kind().label().as_bytes(), &[SEPARATOR], value.as_bytes()]);
        let mut text = String::with_capacity(self.prefix.len() + 64);
        text.push_str(&self.prefix);
        push_hex(&mut text, &tag);
        Pseudonym(text)
    }

    /// A key for another use, such as authenticating page tokens: HMAC-SHA-256(key, label). The label holds no
    /// separator, so no derived key is ever also a pseudonym.
    pub fn derive(&self, label: Label) -> MacKey {
        MacKey::new(self.mac.tag(&[label.0.as_bytes()]))
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
    /// Page tokens of the access API.
    pub const PAGE_TOKEN: Self = Self("ledgerline/page-token/v1");
}

/// A key for tags that this deployment checks itself.
#[derive(Clone)]
pub struct MacKey {
    // The state after the padded key, cloned per tag. It is as good as the key for making tags, and stays as private.
    state: Hmac<Sha256>,
}

impl MacKey {
    /// Absorbs the key and zeroes the copy that was handed in.
    pub fn new(mut key: [u8; 32]) -> Self {
        let state = match Hmac::<Sha256>::new_from_slice(&key) {
            Ok(state) => state,
            // HMAC takes keys of every length (RFC 2104), so the error has no value that could reach this arm.
            Err(_) => unreachable!("HMAC accepts keys of any length"),
        };
        key.zeroize();
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
        let (_, newest) = older.pop_last()?;
        Some(Self { newest, older })
    }

    /// The key that new pseudonyms are made with: the highest version.
    pub fn newest(&self) -> &PseudonymKey {
        &self.newest
    }

    /// The identifier's pseudonyms under all versions, newest first.
    pub fn pseudonyms(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        let keys = std::iter::once(&self.newest).chain(self.older.values().rev());
        keys.map(|key| key.pseudonym(identifier)).collect()
    }
}

/// The key behind event ids: a data key of its own, never rotated, so that an event keeps its identity for good.
#[derive(Debug, Clone)]
pub struct EventKey(MacKey);

impl EventKey {
    /// Takes the unwrapped data key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(MacKey::new(key))
    }

    /// The event's stored id: the first 16 bytes of HMAC-SHA-256(event key, content id). The content id itself, a bare
    /// digest of the body, is never stored beside the fields that would let somebody guess the rest of that body.
    pub fn event_id(&self, content_id: &[u8; 32]) -> EventId {
        let tag = self.0.tag(&[content_id]);
        let mut id = [0; 16];
        id.copy_from_slice(&tag[..16]);
        EventId(id)
    }
}

/// An event's identity: 32 hex digits where it is written out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// The 32 lower-case hex digits.
    pub fn to_hex(self) -> String {
        let mut text = String::with_capacity(32);
        push_hex(&mut text, &self.0);
        text
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

/// A text that should have been 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id: 32 lower-case hex digits")]
pub struct BadEventId;

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let bytes = text.as_bytes();
        if bytes.len() != 32 || !bytes.iter().copied().all(is_lower_hex) {
            return Err(BadEventId);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
            *byte = hex_value(pair[0]) << 4 | hex_value(pair[1]);
        }
        Ok(Self(id))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(HEX_DIGITS[usize::from(byte & 15)]));
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The value of a digit that [`is_lower_hex`] accepted.
fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

/// Between kind and value; no kind's label holds it, so (kind, value) is unambiguous.
const SEPARATOR: u8 = 0x1F;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
