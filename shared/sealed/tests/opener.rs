//! The holder of a month's private key, by the `hpke` crate; held by the published vector itself.

use std::collections::BTreeMap;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, Serializable as _};
use ledgerline_sealed::{KeyRow, MonthKey, PartyKey, Sender, UnwrapError, WRAPPED_BYTES, export_context, info, unwrap};
use serde_json::Value;

pub(crate) type PrivateKey = <DhP256HkdfSha256 as Kem>::PrivateKey;
type Receiver = hpke::aead::AeadCtxR<AesGcm256, HkdfSha256, DhP256HkdfSha256>;

/// A month's pair of keys.
pub(crate) fn pair(seed: u8) -> (PrivateKey, MonthKey) {
    let (private, public) = DhP256HkdfSha256::derive_keypair(&[seed; 32]);
    (private, MonthKey::from_point(&public.to_bytes()).unwrap())
}

fn receiver(private: &PrivateKey, enc: &[u8], info: &[u8]) -> Receiver {
    let enc = <DhP256HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).unwrap();
    hpke::setup_receiver(&OpModeR::Base, private, &enc, info).unwrap()
}

fn exported(receiver: &Receiver, context: &[u8]) -> [u8; 32] {
    let mut exported = [0; 32];
    receiver.export(context, &mut exported).unwrap();
    exported
}

/// Opens one wrapped key.
fn opened(
    private: &PrivateKey,
    enc: &[u8],
    (deployment, record, key_id): (&str, &str, &str),
    wrapped: &[u8],
) -> Result<PartyKey, UnwrapError> {
    let receiver = receiver(private, enc, &info(deployment));
    unwrap(&exported(&receiver, &export_context(record, key_id)), key_id, wrapped)
}

/// Opens all keys of a row, which is `record`'s.
pub(crate) fn keys(private: &PrivateKey, deployment: &str, record: &str, row: &KeyRow) -> BTreeMap<String, PartyKey> {
    let open = |id: &String, wrapped: &[u8]| opened(private, &row.enc, (deployment, record, id), wrapped).unwrap();
    row.keys.iter().map(|(id, key)| (id.clone(), open(id, &key.wrapped))).collect()
}

pub(crate) fn from_hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_opener_does_as_the_vector_says() {
    let vector = include_str!("vectors/hpke_p256_sha256_aes256gcm_base.json");
    let vector: Value = serde_json::from_str(vector).unwrap();
    let hex = |name: &str| from_hex(&vector[name]);
    let private = PrivateKey::from_bytes(&hex("skRm")).unwrap();
    assert_eq!(DhP256HkdfSha256::sk_to_pk(&private).to_bytes().to_vec(), hex("pkRm"));
    let mut receiver = receiver(&private, &hex("enc"), &hex("info"));
    for one in vector["exports"].as_array().unwrap() {
        assert_eq!(exported(&receiver, &from_hex(&one["exporter_context"])).to_vec(), from_hex(&one["exported_value"]));
    }
    let messages = vector["encryptions"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    for one in messages {
        let mut message = from_hex(&one["ct"]);
        let tag = message.split_off(message.len() - 16);
        let tag = hpke::aead::AeadTag::from_bytes(&tag).unwrap();
        let text = hpke::inout::InOutBuf::from(&mut message[..]);
        receiver.open_inout_detached(text, &from_hex(&one["aad"]), &tag).unwrap();
        assert_eq!(message, from_hex(&one["pt"]));
    }
}

#[test]
fn the_private_key_opens_what_was_wrapped_and_nothing_else_does() {
    let (private, month) = pair(1);
    let sender = Sender::to(&month, "d").unwrap();
    let keys = [1, 2].map(|byte| PartyKey::of(&[byte; 32]));
    let [wrapped, other] = [0, 1].map(|at| sender.wrap("acme/c-1", &keys[at]));
    let (id, other_id) = (keys[0].id().as_str(), keys[1].id().as_str());
    let open = |of: (&str, &str, &str), wrapped: &[u8]| {
        opened(&private, sender.enc(), of, wrapped).map(|key| key.id().to_string())
    };
    assert_eq!(wrapped.len(), WRAPPED_BYTES);
    assert_eq!(open(("d", "acme/c-1", id), &wrapped).unwrap(), id);
    assert_eq!(open(("d", "acme/c-1", other_id), &other).unwrap(), other_id);
    for of in [("e", "acme/c-1", id), ("d", "acme/c-2", id), ("d", "acme/c-1", other_id)] {
        assert_eq!(open(of, &wrapped), Err(UnwrapError::Changed), "{of:?}");
    }
    for at in 0..WRAPPED_BYTES {
        let mut changed = wrapped;
        changed[at] ^= 1;
        assert_eq!(open(("d", "acme/c-1", id), &changed), Err(UnwrapError::Changed));
    }
    assert_eq!(open(("d", "acme/c-1", id), &wrapped[..47]), Err(UnwrapError::Changed));
    let another_run = Sender::to(&month, "d").unwrap();
    let by = |private: &PrivateKey, enc: &[u8]| opened(private, enc, ("d", "acme/c-1", id), &wrapped).map(drop);
    assert_eq!(by(&private, another_run.enc()), Err(UnwrapError::Changed));
    assert_eq!(by(&pair(2).0, sender.enc()), Err(UnwrapError::Changed));
}

#[test]
fn a_key_that_was_wrapped_under_anothers_id_is_told() {
    // By somebody who can wrap, and wants a block to seem destroyed or another's.
    let exported = [9; 32];
    let key = ring::aead::LessSafeKey::new(ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &exported).unwrap());
    let mut wrapped = vec![1; 32];
    let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, ring::aead::Aad::empty(), &mut wrapped).unwrap();
    let ids = [1, 2].map(|byte| PartyKey::of(&[byte; 32]).id().to_string());
    assert_eq!(unwrap(&exported, &ids[0], &wrapped).unwrap().id().as_str(), ids[0]);
    assert_eq!(unwrap(&exported, &ids[1], &wrapped).unwrap_err(), UnwrapError::WrongKey);
    let mut short = vec![1; 31];
    let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce, ring::aead::Aad::empty(), &mut short).unwrap();
    assert_eq!(unwrap(&exported, &ids[0], &short).unwrap_err(), UnwrapError::Changed);
}
