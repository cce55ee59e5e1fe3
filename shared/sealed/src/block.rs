//! A block: one owner's content of one event, padded, under AES-256-GCM, bound to its entry.
//!
//! Invariant: a block opens in its own entry, as its own party's, in its own deployment, under its own key, and nowhere else. Its
//! length tells which of eight sizes its content fits, and nothing more.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_ledger::canonical;
use ledgerline_ledger::entry::{Block, Party};
use ring::aead::{Aad, NONCE_LEN, Nonce};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Random;
use crate::key::{KeyId, PartyKey};
use crate::mac::aes_256_gcm;

/// The sizes of padded content. Most events' content has some 300 bytes; the largest size three times is 98 KB of an entry's 256.
pub const PADDED_BYTES: [usize; 8] = [192, 384, 768, 1_536, 3_072, 6_144, 12_288, 24_576];

/// The most bytes that a block's content may have.
pub(crate) const CONTENT_BYTES: usize = PADDED_BYTES[PADDED_BYTES.len() - 1];

/// The entry that a block belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The deployment's id.
    pub deployment: &'a str,
    /// `<org>/<record>` as the entry has it.
    pub record: &'a str,
    /// The event's id, 32 hex digits.
    pub event_id: &'a str,
}

impl Place<'_> {
    /// What a block is bound to, each part behind its length.
    fn bound(&self, party: Party, key_id: &KeyId) -> Vec<u8> {
        let parts = [VERSION, self.deployment, self.record, self.event_id, party.as_str(), key_id.as_str()];
        let mut bound = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
        for part in parts {
            bound.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bound.extend_from_slice(part.as_bytes());
        }
        bound
    }
}

/// Content on its way into a block: room for a nonce, then what was written.
pub(crate) struct Padded(Vec<u8>);

impl Padded {
    /// For content of so many bytes, at most [`CONTENT_BYTES`].
    pub(crate) fn for_bytes(content: usize) -> Self {
        let mut bytes = Vec::with_capacity(NONCE_LEN + padded(content) + TAG_BYTES);
        bytes.resize(NONCE_LEN, 0);
        Self(bytes)
    }

    /// Appends to the content.
    pub(crate) fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Pads and seals the content; the block's `b`. What was written is sealed in its place, so that no copy of it is left.
    pub(crate) fn seal(self, place: &Place<'_>, party: Party, key: &PartyKey, random: Random<'_>) -> String {
        let Self(mut bytes) = self;
        bytes.resize(NONCE_LEN + padded(bytes.len() - NONCE_LEN), b' ');
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let (head, content) = bytes.split_at_mut(NONCE_LEN);
        head.copy_from_slice(&nonce);
        let (nonce, bound) = (Nonce::assume_unique_for_key(nonce), Aad::from(place.bound(party, key.id())));
        let Ok(tag) = aes_256_gcm(key.seal()).seal_in_place_separate_tag(nonce, bound, content) else {
            unreachable!("AES-GCM seals what is shorter than 64 GiB")
        };
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Opens a block that an entry at `place` has under the key id `key_id`.
///
/// # Errors
/// What does not hold, asked in the order of [`OpenError`]'s variants.
pub fn open(block: &Block, key_id: &str, place: &Place<'_>, key: &PartyKey) -> Result<Opened, OpenError> {
    if key.id().as_str() != key_id {
        return Err(OpenError::WrongKey);
    }
    let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(&block.b).map_err(|_| OpenError::Malformed)?);
    let padded_bytes = bytes.len().checked_sub(NONCE_LEN + TAG_BYTES).ok_or(OpenError::Malformed)?;
    let (nonce, sealed) = bytes.split_at_mut(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Malformed)?;
    let bound = Aad::from(place.bound(block.p, key.id()));
    let content = aes_256_gcm(key.seal()).open_in_place(nonce, bound, sealed).map_err(|_| OpenError::Changed)?;
    let text = std::str::from_utf8(content).map_err(|_| OpenError::Content)?.trim_end_matches(' ');
    if padded(text.len()) != padded_bytes {
        return Err(OpenError::Content);
    }
    let value: Value = serde_json::from_str(text).map_err(|_| OpenError::Content)?;
    let is_canonical = canonical::to_string(&value).is_ok_and(|canonical| canonical == text);
    (value.is_object() && is_canonical).then(|| Opened(Zeroizing::new(text.to_owned()))).ok_or(OpenError::Content)
}

/// What a block holds: personal data, which nothing prints.
pub struct Opened(Zeroizing<String>);

impl Opened {
    /// The content: one object, in RFC 8785's form.
    pub fn expose_for_owner(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a block does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key has another id: nothing was opened.
    #[error("the key is not the one that the entry names")]
    WrongKey,
    /// Not base64url of a nonce, content and a tag.
    #[error("the block is not of a block's form")]
    Malformed,
    /// The block was changed, or taken from another entry, record, party or deployment.
    #[error("the block does not belong to this entry")]
    Changed,
    /// Sealed by the key's holder, and not as the format says.
    #[error("the block's content is not a canonical object, or is padded otherwise")]
    Content,
}

/// The smallest size that content of so many bytes fits; the largest for what fits none.
fn padded(content: usize) -> usize {
    PADDED_BYTES.into_iter().find(|size| content <= *size).unwrap_or(CONTENT_BYTES)
}

const VERSION: &str = "ledgerline/sealed/v1";
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use ledgerline_ledger::entry::BLOCK_CHARS;

    use super::*;

    const PLACE: Place<'static> = Place { deployment: "d", record: "o/r", event_id: "00" };

    fn sealed(content: &str, of: usize) -> Block {
        let mut padded = Padded::for_bytes(of);
        padded.push(content);
        Block { b: padded.seal(&PLACE, Party::Joint, &PartyKey::of(&[7; 32]), &|_| ()), k: 0, p: Party::Joint }
    }

    #[test]
    fn an_entry_takes_the_lengths_of_blocks() {
        for (size, chars) in PADDED_BYTES.into_iter().zip(BLOCK_CHARS) {
            assert_eq!(sealed(&" ".repeat(size), size).b.len(), chars);
        }
    }

    #[test]
    fn a_block_is_bound_to_each_part_behind_its_length() {
        let key = PartyKey::of(&[7; 32]);
        let bound = PLACE.bound(Party::Joint, key.id());
        let expected = format!(
            "\0\0\0\x14ledgerline/sealed/v1\0\0\0\x01d\0\0\0\x03o/r\0\0\0\x0200\0\0\0\x05joint\0\0\0\x2b{}",
            key.id()
        );
        assert_eq!(String::from_utf8(bound).unwrap(), expected);
    }

    #[test]
    fn what_its_key_sealed_against_the_format_is_told_from_what_was_changed() {
        let key = PartyKey::of(&[7; 32]);
        let opened = |content: &str| open(&sealed(content, content.len()), key.id().as_str(), &PLACE, &key);
        assert_eq!(opened(r#"{"a":1}"#).unwrap().expose_for_owner(), r#"{"a":1}"#);
        assert_eq!(format!("{:?}", opened("{}").unwrap()), "***");
        for content in ["", "[]", "{", r#"{"a": 1}"#, r#"{"a":1.0}"#, r#"{"b":1,"a":1}"#, "{}\n"] {
            assert_eq!(opened(content).unwrap_err(), OpenError::Content, "{content}");
        }
    }

    #[test]
    fn short_blocks_are_malformed_and_never_panic() {
        let key = PartyKey::of(&[7; 32]);
        for length in 0..60 {
            let block = Block { b: "A".repeat(length), ..sealed("{}", 2) };
            let error = open(&block, key.id().as_str(), &PLACE, &key).unwrap_err();
            assert!(matches!(error, OpenError::Malformed | OpenError::Changed), "{length}: {error}");
        }
    }
}
