//! HMAC-SHA-256 and AES-256-GCM, whose keys have one length and therefore no errors.

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// 32 bytes that are zeroed when they are dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// HMAC-SHA-256 over the parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC accepts keys of any length") };
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A key of AES-256-GCM. The schedule that `ring` makes of it is not zeroed, and is made again for every use.
pub(crate) fn aes_256_gcm(key: &Secret) -> LessSafeKey {
    let Ok(key) = UnboundKey::new(&AES_256_GCM, &**key) else { unreachable!("AES-256-GCM accepts keys of 32 bytes") };
    LessSafeKey::new(key)
}
