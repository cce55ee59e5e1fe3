//! The authorizer's decision beside the one thing that it cannot do without: the signature, checked by ring.
//!
//! Keys are given, so that a decision waits for nobody; no log line is written.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerline_authorizer::{Authorizer, Issuer, KeySet, Keys, PersonClaims, handle};
use ledgerline_lambda::clock::FixedClock;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};
use xtask::tools::say;

use super::pair;

/// Decisions of a turn.
const CALLS: usize = 2_000;
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "ledgerline";
/// 2026-03-02T14:00:00Z, when the token of RS256 holds.
const NOW_S: i64 = 1_772_460_000;
/// RS256's one token: ring makes no RSA keys.
const RS256: &str = include_str!("../../../functions/authorizer/tests/rs256.json");

/// Measures a decision by each algorithm.
pub(super) fn measure() -> Result<(), String> {
    let rs: Value = serde_json::from_str(RS256).map_err(|error| error.to_string())?;
    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|error| error.to_string())?;
    let form = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(form, &random).map_err(|error| error.to_string())?;
    let ec = EcdsaKeyPair::from_pkcs8(form, pkcs8.as_ref(), &random).map_err(|error| error.to_string())?;
    let (ed_public, ec_public) = (ed.public_key().as_ref(), ec.public_key().as_ref());
    let ed_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": b64(ed_public) });
    let ec_jwk =
        json!({ "kty": "EC", "crv": "P-256", "kid": "ES256", "x": b64(&ec_public[1..33]), "y": b64(&ec_public[33..]) });
    let keys = json!({ "keys": [ed_jwk, ec_jwk, rs["jwk"]] }).to_string();
    let keys = KeySet::parse(keys.as_bytes()).map_err(|_| "the keys cannot be read")?;
    let issuer = Issuer { name: ISSUER.to_owned(), audience: AUDIENCE.to_owned(), person: PersonClaims::default() };
    let authorizer = Authorizer::with(Some((issuer, Keys::Given(keys))));

    let modulus = bytes(rs["jwk"]["n"].as_str().unwrap_or_default())?;
    let exponent = bytes(rs["jwk"]["e"].as_str().unwrap_or_default())?;
    let rsa = RsaPublicKeyComponents { n: modulus, e: exponent };
    let es = message("ES256");
    let es_signature = ec.sign(&random, es.as_bytes()).map_err(|error| error.to_string())?;
    let ed_message = message("EdDSA");
    let ed_signature = ed.sign(ed_message.as_bytes());
    let (es_key, ed_key) =
        (UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec_public), UnparsedPublicKey::new(&ED25519, ed_public));
    compare("RS256", &authorizer, rs["token"].as_str().unwrap_or_default(), |message, signature| {
        rsa.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    })?;
    compare("ES256", &authorizer, &format!("{es}.{}", b64(es_signature)), |message, signature| {
        es_key.verify(message, signature).is_ok()
    })?;
    compare("EdDSA", &authorizer, &format!("{ed_message}.{}", b64(ed_signature)), |message, signature| {
        ed_key.verify(message, signature).is_ok()
    })
}

/// One algorithm: the signature alone, and the whole decision, from event to policy.
fn compare(
    algorithm: &str,
    authorizer: &Authorizer,
    token: &str,
    verify: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
    let (event, signature) = (event(token), bytes(signature)?);
    let decide = || runtime.block_on(handle(authorizer, &FixedClock(NOW_S * 1_000), &event)).is_ok();
    if !verify(signed.as_bytes(), &signature) || !decide() {
        return Err(format!("the token of {algorithm} does not hold"));
    }
    let pair = pair::time_pair(
        CALLS,
        || (0..CALLS).for_each(|_| _ = black_box(verify(black_box(signed.as_bytes()), &signature))),
        || (0..CALLS).for_each(|_| _ = black_box(decide())),
    );
    say(&format!("authorizer, {algorithm}: floor = the signature alone, by ring; event = a decision\n{pair}"));
    Ok(())
}

/// What is signed by a key, whose id is its algorithm's name.
fn message(algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "kid": algorithm, "typ": "at+jwt" });
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": NOW_S - 60, "exp": NOW_S + 600,
        "scope": "dsar:read" });
    format!("{}.{}", b64(header.to_string()), b64(claims.to_string()))
}

/// An access request, as API Gateway asks about it.
fn event(token: &str) -> String {
    let path = "/api/v1/compliance/dsar/audit-trail";
    let authorization = format!("Bearer {token}");
    json!({
        "type": "REQUEST", "resource": path, "path": path, "httpMethod": "POST",
        "methodArn": format!("arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/live/POST{path}"),
        "headers": { "accept": "*/*", "x-api-key": "key", "Authorization": authorization },
        "multiValueHeaders": { "accept": ["*/*"], "x-api-key": ["key"], "Authorization": [authorization] },
        "requestContext": { "requestId": "6f0d3a52-4f3e-4d5c-9b1a-0c6a2b7e9d11", "identity": { "sourceIp": "192.0.2.10" } },
    })
    .to_string()
}

/// What a deployed function is told of an issuer, by names of variables.
pub(super) fn environment() -> Result<[(String, String); 3], String> {
    let rs: Value = serde_json::from_str(RS256).map_err(|error| error.to_string())?;
    let keys = json!({ "keys": [rs["jwk"]] }).to_string();
    Ok([("TOKEN_ISSUER", ISSUER), ("TOKEN_AUDIENCE", AUDIENCE), ("TOKEN_JWKS", &keys)]
        .map(|(name, value)| (name.to_owned(), value.to_owned())))
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())
}
