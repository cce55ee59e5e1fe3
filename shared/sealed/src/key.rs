//! Party keys: 32 random bytes, from which the key that seals follows, and an id that commits to both.
//!
//! Invariant: a key's id is a digest of the key under a label of its own. Anyone who has an entry and a key knows before opening
//! whether they belong together, and no second key has the same id: AES-GCM alone does not promise that.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::Random;
use crate::mac::{Secret, hmac};

/// What one owner's content of one record and one bronze object is sealed under.
pub struct PartyKey {
    secret: Secret,
    seal: Secret,
    id: KeyId,
}

impl PartyKey {
    /// A new key.
    pub fn draw(random: Random<'_>) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        random(&mut *secret);
        Self::of(&secret)
    }

    /// The key of these bytes.
    pub fn of(secret: &[u8; 32]) -> Self {
        let id = KeyId(URL_SAFE_NO_PAD.encode(*hmac(secret, &[KEY_ID_LABEL])));
        Self { secret: Zeroizing::new(*secret), seal: hmac(secret, &[SEAL_LABEL]), id }
    }

    /// Its id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The bytes, to be wrapped.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What seals.
    pub(crate) fn seal(&self) -> &Secret {
        &self.seal
    }
}

impl fmt::Debug for PartyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartyKey({}, ***)", self.id)
    }
}

/// A key's id: 43 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SEAL_LABEL: &[u8] = b"ledgerline/sealed/v1/seal";
const KEY_ID_LABEL: &[u8] = b"ledgerline/sealed/v1/key-id";

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, by Python: `hmac.new(bytes([7]) * 32, label, "sha256")`.
    #[test]
    fn what_follows_from_a_key_is_what_another_implementation_computes() {
        let key = PartyKey::of(&[7; 32]);
        assert_eq!(URL_SAFE_NO_PAD.encode(**key.seal()), "B3mf5Ux1VKwUV1C7EOx2oLqEaY3VMNiZ3R4fJMLkp1A");
        assert_eq!(key.id().as_str(), "jJ1-ckOty_TxA2QVA8Od24Rf-rPc29EuTp4wyvtcj9Y");
        assert_eq!(key.id().as_str().len(), 43);
        assert_eq!(format!("{key:?}"), "PartyKey(jJ1-ckOty_TxA2QVA8Od24Rf-rPc29EuTp4wyvtcj9Y, ***)");
    }

    #[test]
    fn a_drawn_key_is_the_random_bytes() {
        let key = PartyKey::draw(&|bytes| bytes.fill(7));
        assert_eq!((**key.secret(), key.id()), ([7; 32], PartyKey::of(&[7; 32]).id()));
    }
}
