//! A customer's id or hash as the caller gave it, for the certificate of the erasure that was asked by it: nothing else needs it, and it is
//! sealed under the request's own key from the first moment on.
//!
//! Invariant: in clear it is in no row, no log and no error. The function that makes a request's key seals by it once, and drops it; the
//! eraser opens it. It goes with the row that says whom the request is about.

use std::fmt;

use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

/// A customer's id or hash. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Given(Zeroizing<String>);

impl Given {
    /// What a caller typed.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// Sealed under a request's key, which seals one text.
    pub fn sealed(&self, key: &KeyBytes) -> Vec<u8> {
        let mut bytes = self.0.as_bytes().to_vec();
        // A text of some hundred bytes is far below what the cipher takes.
        let sealed = aead(key).seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes);
        if sealed.is_ok() { bytes } else { Vec::new() }
    }

    /// Opens what [`Given::sealed`] made.
    ///
    /// # Errors
    /// `Corrupt` for anything else.
    pub fn open(sealed: &[u8], key: &KeyBytes) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(Failure::new("open what a request was asked by"));
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let opened = aead(key).open_in_place(nonce(), Aad::empty(), &mut bytes).map_err(|_| corrupt())?;
        let text = str::from_utf8(opened).map_err(|_| corrupt())?;
        Ok(Self::new(text))
    }

    /// The text, for the certificate of the request that it was given with.
    pub fn expose_for_certificate(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(***)")
    }
}

/// A key of its own, so that the nonce is none twice: lists and drafts have others.
fn aead(key: &KeyBytes) -> LessSafeKey {
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.lend()), LABEL);
    let Ok(key) = UnboundKey::new(&AES_256_GCM, key.as_ref()) else { unreachable!("HMAC-SHA-256 gives 32 bytes") };
    LessSafeKey::new(key)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

const LABEL: &[u8] = b"ledgerline/erasure/given/v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> KeyBytes {
        KeyBytes::take(vec![byte; 32]).unwrap()
    }

    #[test]
    fn it_opens_under_its_requests_key_alone_and_is_printed_nowhere() {
        let given = Given::new(" cust_hash_9f86d08 ");
        let sealed = given.sealed(&key(7));
        assert_eq!(Given::open(&sealed, &key(7)).unwrap().expose_for_certificate(), "cust_hash_9f86d08");
        assert!(!sealed.windows(4).any(|four| four == b"cust"));
        assert_eq!(format!("{given:?}"), "Given(***)");
        let mut altered = sealed.clone();
        altered[2] ^= 1;
        for (sealed, key) in [(&sealed[..], key(8)), (&altered, key(7)), (b"", key(7))] {
            assert!(matches!(Given::open(sealed, &key), Err(StoreError::Corrupt(_))));
        }
    }
}
