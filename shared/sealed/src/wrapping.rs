//! Party keys wrapped to a month's public key: RFC 9180 (HPKE), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//! One encapsulation a run; each party key is sealed under a key that HPKE exports for it alone.
//!
//! Invariant: a [`Sender`] wraps and cannot unwrap: `ring` keeps its private key to itself and uses it once, and KMS has the month's.
//! [`unwrap`] is for the holder of the opened private key. An exported key seals one party key, so that its nonce may be constant.

use std::fmt;

use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use crate::key::PartyKey;
use crate::mac::{Secret, aes_256_gcm, hmac};

/// The bytes of a wrapped key: the key and a tag.
pub const WRAPPED_BYTES: usize = 32 + 16;

/// A month's public key: an uncompressed point of P-256. Whether it is on the curve shows when somebody seals to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthKey([u8; POINT_BYTES]);

impl MonthKey {
    /// The key in what KMS gives: DER of a SubjectPublicKeyInfo. `None` if it is of another curve or form.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        Self::from_point(der.strip_prefix(&P256_DER_PREFIX)?)
    }

    /// The key of a stored point.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        let point: [u8; POINT_BYTES] = point.try_into().ok()?;
        (point[0] == UNCOMPRESSED).then_some(Self(point))
    }

    /// The point, to be stored.
    pub fn as_point(&self) -> &[u8] {
        &self.0
    }
}

/// One run's encapsulation to a month's key.
pub struct Sender {
    enc: [u8; POINT_BYTES],
    exporter: Secret,
}

impl Sender {
    /// An encapsulation by a fresh ephemeral key.
    ///
    /// # Errors
    /// The month's key is not on the curve, or the system has no random bytes.
    pub fn to(month: &MonthKey, deployment: &str) -> Result<Self, UnusableKey> {
        let unusable = |_| UnusableKey;
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(unusable)?;
        let public = own.compute_public_key().map_err(unusable)?;
        let enc: [u8; POINT_BYTES] = public.as_ref().try_into().map_err(|_| UnusableKey)?;
        let to = UnparsedPublicKey::new(&ECDH_P256, month.0);
        let shared = agreement::agree_ephemeral(own, &to, |dh| shared_secret(dh, &enc, &month.0));
        Ok(Self { enc, exporter: exporter_secret(&shared.map_err(unusable)?, &info(deployment)) })
    }

    /// The encapsulated key: what a holder of the month's private key needs beside the wrapped keys.
    pub fn enc(&self) -> &[u8] {
        &self.enc
    }

    /// Wraps a key of `record`, `<org>/<record>` as its entries have it. One exported key wraps one key, always to the
    /// same bytes.
    pub fn wrap(&self, record: &str, key: &PartyKey) -> [u8; WRAPPED_BYTES] {
        let exported = export(&self.exporter, &export_context(record, key.id().as_str()));
        let mut wrapped = [0; WRAPPED_BYTES];
        let (secret, tag_place) = wrapped.split_at_mut(32);
        secret.copy_from_slice(&**key.secret());
        let Ok(tag) = aes_256_gcm(&exported).seal_in_place_separate_tag(nonce(), Aad::empty(), secret) else {
            unreachable!("AES-GCM seals 32 bytes")
        };
        tag_place.copy_from_slice(tag.as_ref());
        wrapped
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender(***)")
    }
}

/// A month's key that nothing can be sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be sealed to the month's public key")]
pub struct UnusableKey;

/// HPKE's `info` of a deployment.
pub fn info(deployment: &str) -> Vec<u8> {
    [INFO_LABEL, &[SEPARATOR], deployment.as_bytes()].concat()
}

/// The context for which a key's wrapping key is exported.
pub fn export_context(record: &str, key_id: &str) -> Vec<u8> {
    [record.as_bytes(), &[SEPARATOR], key_id.as_bytes()].concat()
}

/// Opens a wrapped key by what its month's private key exported for it.
///
/// # Errors
/// It was changed or is another record's or key's, or what it holds is not the key of this id.
pub fn unwrap(exported: &[u8; 32], key_id: &str, wrapped: &[u8]) -> Result<PartyKey, UnwrapError> {
    let mut bytes = Zeroizing::new(wrapped.to_vec());
    let exported = Zeroizing::new(*exported);
    let opened = aes_256_gcm(&exported).open_in_place(nonce(), Aad::empty(), &mut bytes);
    let secret: &[u8; 32] = opened.ok().and_then(|secret| (&*secret).try_into().ok()).ok_or(UnwrapError::Changed)?;
    let key = PartyKey::of(secret);
    if key.id().as_str() == key_id { Ok(key) } else { Err(UnwrapError::WrongKey) }
}

/// Why a wrapped key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// It was changed, or wrapped for another record, key id, run, month or deployment.
    #[error("the wrapped key does not belong to this row")]
    Changed,
    /// It opens, to another key.
    #[error("the wrapped key is not the one that its id names")]
    WrongKey,
}

/// RFC 9180, 4.1: DHKEM's shared secret.
fn shared_secret(dh: &[u8], enc: &[u8], public: &[u8]) -> Secret {
    let prk = extract(KEM_SUITE, b"", b"eae_prk", dh);
    expand(KEM_SUITE, &prk, b"shared_secret", &[enc, public])
}

/// RFC 9180, 5.1: the key schedule of base mode, as far as its exporter.
fn exporter_secret(shared: &Secret, info: &[u8]) -> Secret {
    let psk_id = extract(HPKE_SUITE, b"", b"psk_id_hash", b"");
    let info = extract(HPKE_SUITE, b"", b"info_hash", info);
    let secret = extract(HPKE_SUITE, &**shared, b"secret", b"");
    expand(HPKE_SUITE, &secret, b"exp", &[&[BASE_MODE], &*psk_id, &*info])
}

/// RFC 9180, 5.3: a secret for a context.
fn export(exporter: &Secret, context: &[u8]) -> Secret {
    expand(HPKE_SUITE, exporter, b"sec", &[context])
}

/// RFC 9180, 4: LabeledExtract.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Secret {
    hmac(salt, &[HPKE_VERSION, suite, label, ikm])
}

/// RFC 9180, 4: LabeledExpand to 32 bytes, which are one block of HKDF (RFC 5869).
fn expand(suite: &[u8], prk: &Secret, label: &[u8], info: &[&[u8]]) -> Secret {
    let head: [&[u8]; 4] = [&32_u16.to_be_bytes(), HPKE_VERSION, suite, label];
    hmac(&**prk, &[&head, info, &[&[1]]].concat())
}

/// Each exported key seals once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

const INFO_LABEL: &[u8] = b"ledgerline/party/v1";
/// No record, deployment or key id has this byte.
const SEPARATOR: u8 = 0x1F;
const POINT_BYTES: usize = 65;
const UNCOMPRESSED: u8 = 4;
/// RFC 5480: what comes before the point in the DER of a P-256 key.
const P256_DER_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const HPKE_VERSION: &[u8] = b"HPKE-v1";
/// DHKEM(P-256, HKDF-SHA256).
const KEM_SUITE: &[u8] = b"KEM\x00\x10";
/// The same, HKDF-SHA256, AES-256-GCM.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x02";
const BASE_MODE: u8 = 0;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// CFRG's vector of the suite; the folder's README says where it is from.
    const VECTOR: &str = include_str!("../tests/vectors/hpke_p256_sha256_aes256gcm_base.json");

    fn hex(value: &Value) -> Vec<u8> {
        let digits = value.as_str().unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    #[test]
    fn from_the_shared_secret_on_the_sender_does_as_the_vector_says() {
        let vector: Value = serde_json::from_str(VECTOR).unwrap();
        let shared: [u8; 32] = hex(&vector["shared_secret"]).try_into().unwrap();
        let exporter = exporter_secret(&Zeroizing::new(shared), &hex(&vector["info"]));
        assert_eq!(exporter.to_vec(), hex(&vector["exporter_secret"]));
        let exports = vector["exports"].as_array().unwrap();
        assert_eq!(exports.len(), 3);
        for one in exports {
            assert_eq!(export(&exporter, &hex(&one["exporter_context"])).to_vec(), hex(&one["exported_value"]));
        }
    }

    #[test]
    fn a_month_key_is_an_uncompressed_point_in_the_der_of_its_curve() {
        let vector: Value = serde_json::from_str(VECTOR).unwrap();
        let point = hex(&vector["pkRm"]);
        let der = [&P256_DER_PREFIX, &point[..]].concat();
        assert_eq!(der.len(), 91);
        let key = MonthKey::from_der(&der).unwrap();
        assert_eq!(key.as_point(), point);
        assert_eq!(MonthKey::from_point(&point), Some(key));
        let mut other_curve = der.clone();
        other_curve[20] ^= 1;
        let mut compressed = der.clone();
        compressed[26] = 2;
        for bad in [&other_curve, &compressed, &der[..90], &[&der[..], &[0]].concat()] {
            assert_eq!(MonthKey::from_der(bad), None);
        }
    }

    #[test]
    fn nothing_is_sealed_to_a_point_that_is_not_on_the_curve() {
        let vector: Value = serde_json::from_str(VECTOR).unwrap();
        let mut point = hex(&vector["pkRm"]);
        assert!(Sender::to(&MonthKey::from_point(&point).unwrap(), "d").is_ok());
        point[64] ^= 1;
        assert_eq!(Sender::to(&MonthKey::from_point(&point).unwrap(), "d").unwrap_err(), UnusableKey);
    }
}
