//! Page tokens: where an answer left off, sealed so that only the same question can go on from there.
//!
//! A token is `base64url(form ‖ key version ‖ payload ‖ HMAC-SHA-256)`. Its key is derived by label from a version of
//! the pseudonym key, and the deployment's name goes into the tag: it needs no storage of its own and fits nowhere
//! else. The payload holds the digest of the query (made over pseudonyms, never over what the caller typed), the moment
//! the first page speaks for, and a position: nothing that the page before it did not already say. A token is not
//! encrypted and grants nothing: whoever presents it must ask the whole question again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_privacy::PseudonymKey;
use ledgerline_privacy::pseudonym::{Label, MacKey};
use serde::{Deserialize, Serialize};

use crate::order::EventOrder;

/// How long a token may be used: long enough for a person to page by hand through a working day's interruptions.
pub const TOKEN_TTL_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest token that is looked at. The longest made holds 37 bytes of frame, ~170 of payload, a record key (≤ 322) and
/// a log (≤ 112): 641 bytes, times 4/3 for base64 is 855 characters.
pub const TOKEN_CHARS: usize = 2_048;

/// What a token carries from one page to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Digest of the query, as [`crate::query::Query::digest`] makes it.
    #[serde(rename = "q")]
    pub query: String,
    /// The moment that the first page spoke for, and with it all of them; none if nobody knew one.
    #[serde(rename = "t")]
    pub as_of_ms: Option<i64>,
    /// No use of the token after this moment.
    #[serde(rename = "e")]
    pub expires_ms: i64,
    /// Something was missing on this page or one before it.
    #[serde(rename = "m")]
    pub missing: bool,
    /// Where to go on.
    #[serde(rename = "p")]
    pub position: Position,
}

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// With the first record after this one, in the order of record keys.
    #[serde(rename = "a")]
    After(String),
    /// Inside this record, with the first entry after that place.
    #[serde(rename = "i")]
    Inside(String, EventOrder),
}

/// The key that authenticates tokens of one deployment.
#[derive(Clone, Debug)]
pub struct TokenKey {
    version: u32,
    deployment: String,
    mac: MacKey,
}

impl TokenKey {
    /// The token key that belongs to this version of the pseudonym key.
    pub fn of(key: &PseudonymKey, deployment: &str) -> Self {
        Self { version: key.version(), deployment: deployment.to_owned(), mac: key.derive(Label::PAGE_TOKEN) }
    }

    /// The version of the pseudonym key that this key came from.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Writes a token. Fails only if a cursor could not be written as JSON.
    pub fn seal(&self, cursor: &Cursor) -> Result<String, serde_json::Error> {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&self.version.to_be_bytes());
        serde_json::to_writer(&mut bytes, cursor)?;
        let tag = self.mac.tag(&self.signed(&bytes));
        bytes.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a token with whichever of `keys` made it.
    pub fn open(keys: &[Self], token: &str) -> Result<Opened, TokenError> {
        if token.len() > TOKEN_CHARS {
            return Err(TokenError::Foreign);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Foreign)?;
        let signed_bytes = bytes.len().checked_sub(TAG_BYTES).ok_or(TokenError::Foreign)?;
        let (signed, tag) = bytes.split_at(signed_bytes);
        let [FORM, v0, v1, v2, v3, payload @ ..] = signed else { return Err(TokenError::Foreign) };
        let key_version = u32::from_be_bytes([*v0, *v1, *v2, *v3]);
        let key = keys.iter().find(|key| key.version == key_version).ok_or(TokenError::Foreign)?;
        // Compared in constant time, and before anything in the payload is believed.
        if !key.mac.verify(&key.signed(signed), tag) {
            return Err(TokenError::Foreign);
        }
        let cursor = serde_json::from_slice(payload).map_err(|_| TokenError::Foreign)?;
        Ok(Opened { cursor, key_version })
    }

    /// The tag's input: a name cannot hold a zero byte (it is an environment variable), so the two parts cannot shift.
    fn signed<'a>(&'a self, bytes: &'a [u8]) -> [&'a [u8]; 3] {
        [self.deployment.as_bytes(), &[0], bytes]
    }
}

/// A token whose seal holds. Whether it fits the query and the hour is asked next, by [`Opened::accept`].
#[derive(Debug)]
pub struct Opened {
    cursor: Cursor,
    /// The version of the pseudonym key that made the token: the query's digest is to be made with the same one.
    pub key_version: u32,
}

impl Opened {
    /// The cursor, if it belongs to the query with this digest and has not expired.
    pub fn accept(self, query_digest: &str, now_ms: i64) -> Result<Cursor, TokenError> {
        if self.cursor.query != query_digest {
            return Err(TokenError::OtherQuery);
        }
        if now_ms > self.cursor.expires_ms {
            return Err(TokenError::Expired);
        }
        Ok(self.cursor)
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not made here, or changed since.
    #[error("was not made by this deployment, or was changed on its way")]
    Foreign,
    /// Made for another question.
    #[error(
        "belongs to another query or caller; customer, identifiers, org, requestType and dateRange must be those of the first page"
    )]
    OtherQuery,
    /// Too old.
    #[error("has expired")]
    Expired,
}

/// The form of the bytes; readers refuse any other.
const FORM: u8 = 1;
/// HMAC-SHA-256.
const TAG_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Vec<TokenKey> {
        [(1, 7), (2, 8)].map(|(v, byte)| TokenKey::of(&PseudonymKey::new(v, [byte; 32]), "trial-1")).into()
    }

    fn place() -> EventOrder {
        EventOrder {
            occurred_at: "2026-03-02T14:00:00.350Z".to_owned(),
            rank: 3,
            log: "acme/interaction/1/0".to_owned(),
            index: 77,
        }
    }

    fn cursor() -> Cursor {
        Cursor {
            query: "q".repeat(32),
            as_of_ms: Some(1_772_460_000_350),
            expires_ms: 1_772_460_000_350 + TOKEN_TTL_MS,
            missing: true,
            position: Position::Inside("acme/c-1".to_owned(), place()),
        }
    }

    #[test]
    fn a_token_comes_back_as_it_was_under_each_key() {
        for key in keys() {
            let opened = TokenKey::open(&keys(), &key.seal(&cursor()).unwrap()).unwrap();
            assert_eq!(opened.key_version, key.version());
            assert_eq!(opened.accept(&"q".repeat(32), 0).unwrap(), cursor());
        }
    }

    #[test]
    fn another_deployment_key_query_or_hour_is_refused() {
        let token = keys()[0].seal(&cursor()).unwrap();
        let other = |byte, name| vec![TokenKey::of(&PseudonymKey::new(1, [byte; 32]), name)];
        assert_eq!(TokenKey::open(&other(7, "trial-2"), &token).unwrap_err(), TokenError::Foreign);
        assert_eq!(TokenKey::open(&other(9, "trial-1"), &token).unwrap_err(), TokenError::Foreign);
        assert_eq!(TokenKey::open(&[], &token).unwrap_err(), TokenError::Foreign);
        let open = || TokenKey::open(&keys(), &token).unwrap();
        assert_eq!(open().accept("other", 0).unwrap_err(), TokenError::OtherQuery);
        let expires = cursor().expires_ms;
        assert!(open().accept(&cursor().query, expires).is_ok());
        assert_eq!(open().accept(&cursor().query, expires + 1).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "AAAA", "not base64!", "AQAAAAE", &"A".repeat(44), &"A".repeat(TOKEN_CHARS + 4)] {
            assert_eq!(TokenKey::open(&keys(), text).unwrap_err(), TokenError::Foreign, "{} characters", text.len());
        }
    }

    #[test]
    fn the_longest_token_is_short_enough() {
        let part = "x".repeat(128);
        let long = Cursor {
            position: Position::Inside(
                format!("{}/{part}/{part}", "o".repeat(64)),
                EventOrder { log: format!("{}/{}/999999/999999", "o".repeat(64), "c".repeat(32)), ..place() },
            ),
            ..cursor()
        };
        let token = keys()[0].seal(&long).unwrap();
        assert!(token.len() < TOKEN_CHARS, "{}", token.len());
        assert!(TokenKey::open(&keys(), &token).is_ok());
    }

    proptest! {
        #[test]
        fn any_position_survives(record in "[A-Za-z0-9._:/-]{1,300}", index: u64, at: Option<i64>, missing: bool) {
            let position = if missing {
                Position::After(record)
            } else {
                Position::Inside(record, EventOrder { index, ..place() })
            };
            let cursor = Cursor { as_of_ms: at, missing, position, ..cursor() };
            let token = keys()[1].seal(&cursor).unwrap();
            prop_assert_eq!(TokenKey::open(&keys(), &token).unwrap().accept(&cursor.query, 0).unwrap(), cursor);
        }

        #[test]
        fn any_changed_bit_is_noticed(at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(keys()[0].seal(&cursor()).unwrap()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(TokenKey::open(&keys(), &changed).unwrap_err(), TokenError::Foreign);
        }

        #[test]
        fn nothing_that_was_not_made_here_opens(text in "[A-Za-z0-9_-]{0,200}") {
            prop_assert_eq!(TokenKey::open(&keys(), &text).unwrap_err(), TokenError::Foreign);
        }
    }
}
