//! Page tokens: where an answer or a list left off, sealed so that only the same question can go on from there.
//!
//! A token is `base64url(form ‖ key version ‖ nonce ‖ AES-256-GCM(payload))`. Its key is derived by label, deployment and [`Place::OF`] from a
//! version of the pseudonym key: it needs no storage of its own and fits nowhere else. The payload holds the digest of the question (made
//! over pseudonyms, never over what the caller typed) and the place where the next page begins.
//!
//! Invariant: a token tells its holder nothing. The place may be one that the page before it does not show: a record that was erased, a
//! request of another organisation. And it grants nothing: anyone who presents it must ask the whole question again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_privacy::PseudonymKey;
use ledgerline_privacy::pseudonym::{Label, MacKey};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::order::EventOrder;

/// How long a token may be used: long enough for a person to page by hand through a working day's interruptions.
pub const TOKEN_TTL_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest token that is looked at. The longest made holds 33 bytes of frame, ~210 of payload, a record key (≤ 322) and
/// a log (≤ 112): 677 bytes, times 4/3 for base64 is 903 characters.
pub const TOKEN_CHARS: usize = 2_048;

/// Where something that comes in pages left off.
pub trait Place: Serialize + DeserializeOwned {
    /// What it is a place of; a token of one thing opens no other.
    const OF: &'static str;
}

/// What a token carries from one page to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor<P> {
    /// Digest of the question and of who asks it.
    #[serde(rename = "q")]
    pub query: String,
    /// No use of the token after this moment.
    #[serde(rename = "e")]
    pub expires_ms: i64,
    /// Where to go on.
    #[serde(rename = "p")]
    pub place: P,
}

/// Where an access answer left off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerPlace {
    /// The question's id, 32 hex digits: its acts name the orgs that were asked, and no page asks another.
    #[serde(rename = "i")]
    pub question: String,
    /// The moment that the first page spoke for, and with it all of them; none if nobody knew one.
    #[serde(rename = "t")]
    pub as_of_ms: Option<i64>,
    /// Something was missing on this page or one before it.
    #[serde(rename = "m")]
    pub missing: bool,
    /// Among the records.
    #[serde(rename = "r")]
    pub position: Position,
}

impl Place for AnswerPlace {
    const OF: &'static str = "access answer";
}

/// Where the next page of an access answer begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// With the first record after this one, in the order of record keys.
    #[serde(rename = "a")]
    After(String),
    /// Inside this record, with the first entry after that place.
    #[serde(rename = "i")]
    Inside(String, EventOrder),
}

/// The digest of a question: 32 hex digits that differ for different parts, wherever each ends.
pub fn digest_of<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys of one deployment's tokens, one for each version of the pseudonym key.
#[derive(Clone, Debug)]
pub struct TokenKeys(Vec<TokenKey>);

impl TokenKeys {
    /// The token keys that belong to these versions of the pseudonym key.
    pub fn of<'k>(keys: impl IntoIterator<Item = &'k PseudonymKey>, deployment: &str) -> Self {
        Self(keys.into_iter().map(|key| TokenKey::of(key, deployment)).collect())
    }

    /// The key for new tokens; `None` where there is no pseudonym key.
    pub fn newest(&self) -> Option<&TokenKey> {
        self.0.iter().max_by_key(|key| key.version)
    }

    /// Opens a token with whichever key made it.
    ///
    /// # Errors
    /// None of them made it, for this.
    pub fn open<P: Place>(&self, token: &str) -> Result<Opened<P>, TokenError> {
        if token.len() > TOKEN_CHARS {
            return Err(TokenError::Foreign);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Foreign)?;
        let (head, sealed) = bytes.split_at_checked(HEAD_BYTES).ok_or(TokenError::Foreign)?;
        let [FORM, v0, v1, v2, v3] = *head else { return Err(TokenError::Foreign) };
        let key_version = u32::from_be_bytes([v0, v1, v2, v3]);
        let key = self.0.iter().find(|key| key.version == key_version).ok_or(TokenError::Foreign)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(TokenError::Foreign)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TokenError::Foreign)?;
        let mut sealed = sealed.to_vec();
        // Nothing in the payload is believed before its tag holds.
        let payload = key.cipher(P::OF).and_then(|key| key.open_in_place(nonce, Aad::from(head), &mut sealed).ok());
        let cursor = payload.and_then(|payload| serde_json::from_slice(payload).ok()).ok_or(TokenError::Foreign)?;
        Ok(Opened { cursor, key_version })
    }
}

/// The key that seals tokens of one deployment.
#[derive(Clone, Debug)]
pub struct TokenKey {
    version: u32,
    deployment: String,
    mac: MacKey,
}

impl TokenKey {
    fn of(key: &PseudonymKey, deployment: &str) -> Self {
        Self { version: key.version(), deployment: deployment.to_owned(), mac: key.derive(Label::PAGE_TOKEN) }
    }

    /// The version of the pseudonym key that this key came from.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Writes a token; `random` are the bytes of its nonce, drawn for it alone.
    ///
    /// # Errors
    /// The cursor cannot be written.
    pub fn seal<P: Place>(&self, cursor: &Cursor<P>, random: [u8; 16]) -> Result<String, NotSealed> {
        let [_, _, _, _, nonce @ ..] = random;
        let mut head = vec![FORM];
        head.extend_from_slice(&self.version.to_be_bytes());
        let mut sealed = serde_json::to_vec(cursor).map_err(|_| NotSealed)?;
        let cipher = self.cipher(P::OF).ok_or(NotSealed)?;
        let nonce_of_key = Nonce::assume_unique_for_key(nonce);
        cipher.seal_in_place_append_tag(nonce_of_key, Aad::from(&head), &mut sealed).map_err(|_| NotSealed)?;
        Ok(URL_SAFE_NO_PAD.encode([head.as_slice(), &nonce, &sealed].concat()))
    }

    /// The cipher of one thing's tokens: a name cannot hold a zero byte (it is an environment variable), so the parts cannot shift.
    fn cipher(&self, of: &str) -> Option<LessSafeKey> {
        let key = Zeroizing::new(self.mac.tag(&[self.deployment.as_bytes(), &[0], of.as_bytes()]));
        UnboundKey::new(&AES_256_GCM, &*key).ok().map(LessSafeKey::new)
    }
}

/// A page token could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page token could not be written")]
pub struct NotSealed;

/// A token whose seal holds. Whether it fits the question and the hour is asked next, by [`Opened::accept`].
#[derive(Debug)]
pub struct Opened<P> {
    cursor: Cursor<P>,
    /// The version of the pseudonym key that made the token: the question's digest is to be made with the same one.
    pub key_version: u32,
}

impl<P> Opened<P> {
    /// The place, if it belongs to the question with this digest and has not expired.
    ///
    /// # Errors
    /// It does not, or has.
    pub fn accept(self, query_digest: &str, now_ms: i64) -> Result<P, TokenError> {
        if self.cursor.query != query_digest {
            return Err(TokenError::OtherQuery);
        }
        if now_ms > self.cursor.expires_ms {
            return Err(TokenError::Expired);
        }
        Ok(self.cursor.place)
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not made here, or changed since.
    #[error("was not made by this deployment, or was changed on its way")]
    Foreign,
    /// Made for another question.
    #[error("belongs to another query or caller; all but the page's size and the token must be as for the first page")]
    OtherQuery,
    /// Too old.
    #[error("has expired")]
    Expired,
}

/// The form of the bytes; readers refuse any other. Form 1 was signed and could be read.
const FORM: u8 = 2;
/// Form and key version.
const HEAD_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANDOM: [u8; 16] = [9; 16];

    fn keys() -> TokenKeys {
        TokenKeys::of(&[(1, 7), (2, 8)].map(|(v, byte)| PseudonymKey::new(v, [byte; 32])), "trial-1")
    }

    fn place() -> EventOrder {
        EventOrder {
            occurred_at: "2026-03-02T14:00:00.350Z".to_owned(),
            rank: 3,
            log: "acme/interaction/1/0".to_owned(),
            index: 77,
        }
    }

    fn cursor() -> Cursor<AnswerPlace> {
        Cursor {
            query: "q".repeat(32),
            expires_ms: 1_772_460_000_350 + TOKEN_TTL_MS,
            place: AnswerPlace {
                question: "0f".repeat(16),
                as_of_ms: Some(1_772_460_000_350),
                missing: true,
                position: Position::Inside("acme/c-1".to_owned(), place()),
            },
        }
    }

    fn at(position: Position) -> Cursor<AnswerPlace> {
        let cursor = cursor();
        Cursor { place: AnswerPlace { position, ..cursor.place }, ..cursor }
    }

    fn open(keys: &TokenKeys, token: &str) -> Result<Opened<AnswerPlace>, TokenError> {
        keys.open(token)
    }

    #[test]
    fn a_token_comes_back_as_it_was_under_each_key() {
        for key in keys().0 {
            let opened = open(&keys(), &key.seal(&cursor(), RANDOM).unwrap()).unwrap();
            assert_eq!(opened.key_version, key.version());
            assert_eq!(opened.accept(&"q".repeat(32), 0).unwrap(), cursor().place);
        }
        assert_eq!(keys().newest().unwrap().version(), 2);
    }

    #[test]
    fn another_deployment_key_query_hour_or_thing_is_refused() {
        let token = keys().0[0].seal(&cursor(), RANDOM).unwrap();
        let other = |byte, name| TokenKeys::of(&[PseudonymKey::new(1, [byte; 32])], name);
        assert_eq!(open(&other(7, "trial-2"), &token).unwrap_err(), TokenError::Foreign);
        assert_eq!(open(&other(9, "trial-1"), &token).unwrap_err(), TokenError::Foreign);
        assert_eq!(open(&TokenKeys::of(&[], "trial-1"), &token).unwrap_err(), TokenError::Foreign);
        let opened = || open(&keys(), &token).unwrap();
        assert_eq!(opened().accept("other", 0).unwrap_err(), TokenError::OtherQuery);
        let expires = cursor().expires_ms;
        assert!(opened().accept(&cursor().query, expires).is_ok());
        assert_eq!(opened().accept(&cursor().query, expires + 1).unwrap_err(), TokenError::Expired);
        #[derive(Debug, Serialize, Deserialize)]
        struct Elsewhere(AnswerPlace);
        impl Place for Elsewhere {
            const OF: &'static str = "something else";
        }
        assert_eq!(keys().open::<Elsewhere>(&token).unwrap_err(), TokenError::Foreign);
    }

    /// The place may be a record that its holder was not shown.
    #[test]
    fn a_token_cannot_be_read() {
        let token = keys().0[0].seal(&cursor(), RANDOM).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for part in ["acme", "c-1", "2026", "qqqq", "0f0f"] {
            assert!(!bytes.windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
        }
        assert_ne!(keys().0[0].seal(&cursor(), [8; 16]).unwrap(), token, "nor compared");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "AAAA", "not base64!", "AQAAAAE", "AgAAAAE", &"A".repeat(44), &"A".repeat(TOKEN_CHARS + 4)] {
            assert_eq!(open(&keys(), text).unwrap_err(), TokenError::Foreign, "{} characters", text.len());
        }
    }

    #[test]
    fn the_longest_token_is_short_enough() {
        let part = "x".repeat(128);
        let long = at(Position::Inside(
            format!("{}/{part}/{part}", "o".repeat(64)),
            EventOrder { log: format!("{}/{}/999999/999999", "o".repeat(64), "c".repeat(32)), ..place() },
        ));
        let token = keys().0[0].seal(&long, RANDOM).unwrap();
        assert!(token.len() < TOKEN_CHARS, "{}", token.len());
        assert!(open(&keys(), &token).is_ok());
    }

    proptest! {
        #[test]
        fn any_position_survives(record in "[A-Za-z0-9._:/-]{1,300}", index: u64, inside: bool, random: [u8; 16]) {
            let position = if inside {
                Position::Inside(record, EventOrder { index, ..place() })
            } else {
                Position::After(record)
            };
            let cursor = at(position);
            let token = keys().0[1].seal(&cursor, random).unwrap();
            prop_assert_eq!(open(&keys(), &token).unwrap().accept(&cursor.query, 0).unwrap(), cursor.place);
        }

        #[test]
        fn any_changed_bit_is_noticed(at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(keys().0[0].seal(&cursor(), RANDOM).unwrap()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(open(&keys(), &changed).unwrap_err(), TokenError::Foreign);
        }

        #[test]
        fn nothing_that_was_not_made_here_opens(text in "[A-Za-z0-9_-]{0,200}") {
            prop_assert_eq!(open(&keys(), &text).unwrap_err(), TokenError::Foreign);
        }
    }
}
