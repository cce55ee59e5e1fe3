//! Tokens and headers that must let nobody in, each by its reason, and none with a server error; and those that let somebody in, which is
//! what tells a refusal from a function that refuses everything.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use lambda_runtime::Diagnostic;
use ledgerline_authorizer::{
    Answer, Authorizer, Failure, Issuer, JwkSource, KeySet, Keys, PersonClaims, RETRY_MS, TOKEN_BYTES, handle,
};
use ledgerline_lambda::caller::{Caller, Orgs};
use ledgerline_lambda::clock::FixedClock;
use ledgerline_lambda::routes::{ROUTES, SCOPES};
use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

/// 2026-03-02T14:00:00Z.
const NOW: i64 = 1_772_460_000;
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "ledgerline";
const DSAR: &str = "/api/v1/compliance/dsar/audit-trail";

/// An issuer of three keys. The one of RS256 has signed its one token.
struct Id {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    /// The key of `ec` once more, signing in the other form of ECDSA.
    ec_der: EcdsaKeyPair,
    rs: Value,
}

impl Id {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = |form| EcdsaKeyPair::from_pkcs8(form, ec.as_ref(), &random).unwrap();
        Self {
            ed: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            ec: pair(&ECDSA_P256_SHA256_FIXED_SIGNING),
            ec_der: pair(&ECDSA_P256_SHA256_ASN1_SIGNING),
            rs: serde_json::from_str(include_str!("rs256.json")).unwrap(),
        }
    }

    fn jwks(&self) -> String {
        let point = self.ec.public_key().as_ref();
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": b64(self.ed.public_key()) });
        let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "ec-1", "x": b64(&point[1..33]), "y": b64(&point[33..]) });
        json!({ "keys": [ed, ec, self.rs["jwk"]] }).to_string()
    }

    fn authorizer(&self) -> Authorizer {
        authorizer(Keys::Given(KeySet::parse(self.jwks().as_bytes()).unwrap()))
    }

    /// A token by the key of EdDSA.
    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": "ed-1", "typ": "JWT" }).to_string(), &claims.to_string())
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        format!("{message}.{}", b64(self.ed.sign(message.as_bytes())))
    }

    fn sign_ec(&self, pair: &EcdsaKeyPair, header: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims(json!({})).to_string()));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", b64(signature))
    }
}

fn authorizer(keys: Keys) -> Authorizer {
    authorizer_of(keys, PersonClaims::default())
}

fn authorizer_of(keys: Keys, person: PersonClaims) -> Authorizer {
    Authorizer::with(Some((Issuer { name: ISSUER.to_owned(), audience: AUDIENCE.to_owned(), person }, keys)))
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a good token says, with other members in their place; null takes one away, and `"null"` makes it null.
fn claims(other: Value) -> Value {
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": NOW - 60, "exp": NOW + 600, "scope": "dsar:read" });
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            Value::String(null) if null == "null" => claims[name] = Value::Null,
            _ => claims[name] = value.clone(),
        }
    }
    claims
}

/// The event of a request with this `Authorization` header.
fn event(method: &str, resource: &str, authorization: Option<&str>) -> Value {
    let path = ["{id}", "{record+}", "{interactionId}"]
        .iter()
        .fold(resource.to_owned(), |path, name| path.replace(name, "r_0123"));
    let mut headers = json!({ "accept": "*/*", "x-api-key": "key" });
    let mut all = json!({ "accept": ["*/*"], "x-api-key": ["key"] });
    if let Some(value) = authorization {
        (headers["Authorization"], all["Authorization"]) = (json!(value), json!([value]));
    }
    json!({
        "type": "REQUEST",
        "methodArn": format!("arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/live/{method}{path}"),
        "resource": resource, "path": path, "httpMethod": method, "headers": headers, "multiValueHeaders": all,
        "requestContext": { "requestId": "6f0d3a52-4f3e-4d5c-9b1a-0c6a2b7e9d11", "identity": { "sourceIp": "192.0.2.10" } },
    })
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is decided, and the one line of the log. The runtime can neither connect nor wait: keys that are given are not fetched.
fn decide(authorizer: &Authorizer, event: &Value, now_ms: i64) -> (Result<Answer, Failure>, String) {
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let decided = tracing::subscriber::with_default(log, || {
        runtime.block_on(handle(authorizer, &FixedClock(now_ms), &event.to_string()))
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (decided, text)
}

/// As which caller a token is let in for access requests, or why not.
fn ask(authorizer: &Authorizer, authorization: Option<&str>) -> Result<Caller, String> {
    let (decided, log) = decide(authorizer, &event("POST", DSAR, authorization), NOW * 1000);
    let line: Value = serde_json::from_str(&log).unwrap();
    let fields = &line["fields"];
    let reason = || fields["reason"].as_str().unwrap().to_owned();
    match decided {
        Err(Failure::Unauthorized) => {
            assert_eq!(fields["message"], "refused");
            Err(reason())
        }
        Err(other) => panic!("{other:?}"),
        Ok(answer) => {
            let answer = serde_json::to_value(answer).unwrap();
            let statement = &answer["policyDocument"]["Statement"][0];
            if statement["Effect"] == "Deny" {
                assert_eq!((&fields["message"], &answer["context"]), (&json!("refused"), &json!({})));
                return Err(reason());
            }
            assert_eq!((&fields["message"], &statement["Effect"]), (&json!("allowed"), &json!("Allow")));
            Ok(Caller::read(&answer["context"].to_string()).unwrap())
        }
    }
}

fn bearer(authorizer: &Authorizer, token: &str) -> Result<Caller, String> {
    ask(authorizer, Some(&format!("Bearer {token}")))
}

#[test]
fn a_token_of_each_algorithm_lets_its_holder_in() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let tokens = [
        id.token(&claims(json!({}))),
        id.sign_ec(&id.ec, &json!({ "alg": "ES256", "kid": "ec-1", "typ": "at+jwt" })),
        id.rs["token"].as_str().unwrap().to_owned(),
    ];
    for token in tokens {
        let caller = bearer(&authorizer, &token).unwrap();
        assert_eq!((caller.issuer.as_str(), caller.subject.as_str(), caller.orgs), (ISSUER, "u-1", Orgs::All));
        assert_eq!(caller.scopes, ["dsar:read".to_owned()].into());
    }
}

/// The file in `events/`, as it is and with a token in the place that guide 003 leaves for one.
#[test]
fn what_api_gateway_asks_is_answered() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/apigw-authorizer.json")).unwrap();
    let event = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (decided, log) = decide(&authorizer, &event(&text), NOW * 1000);
    assert_eq!(decided.unwrap_err(), Failure::Unauthorized);
    assert!(log.contains("malformed") && log.contains("192.0.2.10") && log.contains("6f0d3a52"), "{log}");
    let text = text.replace("<access_token>", &id.token(&claims(json!({}))));
    let (decided, _) = decide(&authorizer, &event(&text), NOW * 1000);
    let answer = serde_json::to_value(decided.unwrap()).unwrap();
    let opened = event(&text)["methodArn"].clone();
    assert_eq!(
        answer,
        json!({
            "principalId": "u-1",
            "policyDocument": { "Version": "2012-10-17", "Statement":
                [{ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": opened }] },
            "context": { "iss": ISSUER, "sub": "u-1", "orgs": "*", "scopes": "dsar:read", "client": "false", "person": "false" },
        })
    );
}

#[test]
fn claims_that_do_not_hold_are_refused_by_their_reason() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let many: Vec<String> = (0..101).map(|number| format!("org-{number}")).collect();
    for (other, reason) in [
        (json!({ "exp": NOW - 10 }), "expired"),
        (json!({ "exp": 0 }), "expired"),
        (json!({ "nbf": NOW + 11 }), "not_yet"),
        (json!({ "iat": NOW + 3600 }), "not_yet"),
        (json!({ "nbf": 1e300 }), "not_yet"),
        (json!({ "aud": "other" }), "audience"),
        (json!({ "aud": ["other", "ledgerline2"] }), "audience"),
        (json!({ "aud": [] }), "audience"),
        (json!({ "iss": "https://id.example/" }), "issuer"),
        (json!({ "iss": "https://evil.example" }), "issuer"),
        (json!({ "exp": null }), "claims"),
        (json!({ "aud": null }), "claims"),
        (json!({ "iss": null }), "claims"),
        (json!({ "sub": null }), "claims"),
        (json!({ "iss": [ISSUER] }), "claims"),
        (json!({ "exp": "tomorrow" }), "claims"),
        (json!({ "exp": format!("{}", NOW + 600) }), "claims"),
        (json!({ "exp": "null" }), "claims"),
        (json!({ "exp": -1 }), "claims"),
        (json!({ "exp": [NOW + 600] }), "claims"),
        (json!({ "nbf": "null" }), "claims"),
        (json!({ "nbf": "0" }), "claims"),
        (json!({ "iat": true }), "claims"),
        (json!({ "aud": 7 }), "claims"),
        (json!({ "aud": { "ledgerline": true } }), "claims"),
        (json!({ "sub": "" }), "claims"),
        (json!({ "sub": 7 }), "claims"),
        (json!({ "sub": "a\nb" }), "claims"),
        (json!({ "sub": "x".repeat(256) }), "claims"),
        // A limit that cannot be read is not none.
        (json!({ "org": "null" }), "orgs"),
        (json!({ "org": "" }), "orgs"),
        (json!({ "org": [] }), "orgs"),
        (json!({ "org": "*" }), "orgs"),
        (json!({ "org": "a b" }), "orgs"),
        (json!({ "org": ["acme", "a/b"] }), "orgs"),
        (json!({ "org": ["acme", 7] }), "orgs"),
        (json!({ "org": [["acme"]] }), "orgs"),
        (json!({ "org": true }), "orgs"),
        (json!({ "org": many }), "orgs"),
        (json!({ "scope": null }), "scope"),
        (json!({ "scope": "null" }), "scope"),
        (json!({ "scope": 7 }), "scope"),
        (json!({ "scope": ["dsar:read", 7] }), "scope"),
    ] {
        let refused = bearer(&authorizer, &id.token(&claims(other.clone()))).unwrap_err();
        assert_eq!(refused, reason, "{other}");
    }
    // A claim that is named twice, of which a reader may take either.
    let twice = claims(json!({})).to_string().replacen('{', r#"{"scope":"dsar:read","#, 1);
    let header = json!({ "alg": "EdDSA", "kid": "ed-1" }).to_string();
    assert_eq!(bearer(&authorizer, &id.sign(&header, &twice)).unwrap_err(), "claims");
    for text in ["", "7", "[]", "null", "{", "\u{1}"] {
        assert_eq!(bearer(&authorizer, &id.sign(&header, text)).unwrap_err(), "claims", "{text}");
    }
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let id = Id::new();
    let authorizer = id.authorizer();
    for good in [
        json!({ "exp": NOW - 9 }),
        json!({ "nbf": NOW + 10, "iat": NOW + 10 }),
        json!({ "exp": NOW as f64 + 0.5 }),
        json!({ "aud": ["other", AUDIENCE] }),
        json!({ "iat": null }),
    ] {
        assert!(bearer(&authorizer, &id.token(&claims(good.clone()))).is_ok(), "{good}");
    }
}

#[test]
fn a_header_that_names_its_own_way_of_being_verified_is_refused() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let good = claims(json!({})).to_string();
    let evil = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let own_key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": b64(evil.public_key()) });
    let by_evil = |header: Value| {
        let message = format!("{}.{}", b64(header.to_string()), b64(&good));
        format!("{message}.{}", b64(evil.sign(message.as_bytes())))
    };
    for (token, reason) in [
        (by_evil(json!({ "alg": "EdDSA", "kid": "ed-1" })), "signature"),
        (by_evil(json!({ "alg": "EdDSA", "kid": "ed-1", "jwk": own_key })), "signature"),
        (
            by_evil(
                json!({ "alg": "EdDSA", "kid": "ed-1", "jku": "http://127.0.0.1/keys", "x5u": "http://127.0.0.1/" }),
            ),
            "signature",
        ),
        (by_evil(json!({ "alg": "EdDSA", "kid": "evil" })), "unknown_key"),
        (by_evil(json!({ "alg": "EdDSA", "kid": "../../etc/passwd" })), "unknown_key"),
        (by_evil(json!({ "alg": "EdDSA", "kid": "' OR 1=1 --" })), "unknown_key"),
        (by_evil(json!({ "alg": "EdDSA" })), "no_key_id"),
        (by_evil(json!({ "alg": "EdDSA", "kid": "" })), "no_key_id"),
        (by_evil(json!({ "alg": "EdDSA", "kid": null })), "no_key_id"),
        (by_evil(json!({ "alg": "EdDSA", "kid": 7 })), "malformed"),
        (by_evil(json!({ "kid": "ed-1" })), "malformed"),
        (by_evil(json!({ "alg": "EdDSA", "kid": "ed-1", "typ": "logout+jwt" })), "malformed"),
    ] {
        assert_eq!(bearer(&authorizer, &token).unwrap_err(), reason, "{token}");
    }
    // Signed by the issuer, and still not to be understood here.
    for header in [
        json!({ "alg": "EdDSA", "kid": "ed-1", "crit": ["exp"], "exp": 1 }),
        json!({ "alg": "EdDSA", "kid": "ed-1", "crit": [] }),
        json!({ "alg": "EdDSA", "kid": "ed-1", "crit": ["b64"], "b64": false }),
        json!({ "alg": "EdDSA", "kid": "ed-1", "typ": "secevent+jwt" }),
    ] {
        assert_eq!(bearer(&authorizer, &id.sign(&header.to_string(), &good)).unwrap_err(), "malformed", "{header}");
    }
    let twice = r#"{"alg":"none","alg":"EdDSA","kid":"ed-1"}"#;
    assert_eq!(bearer(&authorizer, &id.sign(twice, &good)).unwrap_err(), "malformed");
}

#[test]
fn no_signature_and_no_other_algorithm_will_do() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let body = b64(claims(json!({})).to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for kid in ["ed-1", "ec-1", "rsa-1"] {
            let head = b64(json!({ "alg": alg, "kid": kid }).to_string());
            for signature in ["", "AA", &b64([0; 64])] {
                assert_eq!(
                    bearer(&authorizer, &format!("{head}.{body}.{signature}")).unwrap_err(),
                    "malformed",
                    "{alg}"
                );
            }
        }
    }
    // A public key taken for the secret of an HMAC, in each form that it has.
    let (pem, n) = (id.rs["pem"].as_str().unwrap(), id.rs["jwk"]["n"].as_str().unwrap());
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let secrets: [&[u8]; 7] = [
        pem.as_bytes(),
        pem.trim().as_bytes(),
        &der,
        n.as_bytes(),
        &URL_SAFE_NO_PAD.decode(n).unwrap(),
        id.ed.public_key().as_ref(),
        id.ec.public_key().as_ref(),
    ];
    for (alg, form) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        for secret in secrets {
            for kid in ["rsa-1", "ed-1", "ec-1"] {
                let message = format!("{}.{body}", b64(json!({ "alg": alg, "kid": kid }).to_string()));
                let tag = hmac::sign(&hmac::Key::new(form, secret), message.as_bytes());
                assert_eq!(bearer(&authorizer, &format!("{message}.{}", b64(tag))).unwrap_err(), "algorithm");
            }
        }
    }
    // A signature that holds under one key, said to be another's.
    for (alg, kid) in [
        ("EdDSA", "ec-1"),
        ("EdDSA", "rsa-1"),
        ("ES256", "ed-1"),
        ("RS256", "ed-1"),
        ("ES384", "ec-1"),
        ("PS256", "rsa-1"),
    ] {
        let header = json!({ "alg": alg, "kid": kid }).to_string();
        assert_eq!(bearer(&authorizer, &id.sign(&header, &claims(json!({})).to_string())).unwrap_err(), "algorithm");
    }
    let header = json!({ "alg": "ES256", "kid": "ec-1" });
    assert_eq!(bearer(&authorizer, &id.sign_ec(&id.ec_der, &header)).unwrap_err(), "signature", "ECDSA in DER");
    for psychic in [vec![0; 64], vec![0xff; 64], vec![0; 63], vec![0; 65], vec![]] {
        let token = format!("{}.{body}.{}", b64(header.to_string()), b64(psychic));
        assert_eq!(bearer(&authorizer, &token).unwrap_err(), "signature");
    }
}

#[test]
fn a_token_of_another_form_is_refused() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let token = id.token(&claims(json!({})));
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!() };
    let padded = URL_SAFE.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
    for other in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        head.to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!(".{body}.{signature}"),
        format!("{head}..{signature}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{head}.{body}.{signature}.{signature}.{signature}"),
        format!("{head}.{body}.{padded}"),
        format!("{token} {token}"),
        format!("{token},"),
        format!("\"{token}\""),
        format!("{token}\u{0}"),
        b64(&token),
        "a".repeat(TOKEN_BYTES),
        "a.".repeat(TOKEN_BYTES / 2),
        format!("{}.a.a", b64("[".repeat(4_000))),
    ] {
        let reason = bearer(&authorizer, &other).unwrap_err();
        assert!(["malformed", "no_bearer", "signature", "claims"].contains(&reason.as_str()), "{reason}: {other}");
    }
    let oversized = id.token(&claims(json!({ "padding": "x".repeat(TOKEN_BYTES) })));
    assert_eq!(bearer(&authorizer, &oversized).unwrap_err(), "too_long");
    let large = id.token(&claims(json!({ "padding": "x".repeat(4_096) })));
    assert!(bearer(&authorizer, &large).is_ok());
    for (scheme, reason) in [("Basic", "no_bearer"), ("", "no_bearer"), ("DPoP", "no_bearer"), ("Bearer:", "no_bearer")]
    {
        assert_eq!(ask(&authorizer, Some(&format!("{scheme} {token}"))).unwrap_err(), reason);
    }
    assert_eq!(ask(&authorizer, Some(&token)).unwrap_err(), "no_bearer");
    assert_eq!(ask(&authorizer, None).unwrap_err(), "no_token");
    let none = Authorizer::with(None);
    assert_eq!(bearer(&none, &token).unwrap_err(), "no_issuer");
}

/// Each place of each token gets another letter, so that also the last bits of a part, which hold nothing, may not be others.
#[test]
fn no_letter_of_a_token_may_be_another() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let ec = id.sign_ec(&id.ec, &json!({ "alg": "ES256", "kid": "ec-1" }));
    for token in [id.token(&claims(json!({}))), ec, id.rs["token"].as_str().unwrap().to_owned()] {
        assert!(bearer(&authorizer, &token).is_ok());
        for at in 0..token.len() {
            for letter in ['A', 'B', 'z', '9', '_', '.'] {
                let mut other = token.clone();
                other.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
                assert!(other == token || bearer(&authorizer, &other).is_err(), "{at} {letter}");
            }
        }
    }
}

#[test]
fn each_scope_opens_its_methods_and_no_other() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let effect = |scopes: Value, method: &str, resource: &str| {
        let token = id.token(&claims(json!({ "scope": null, "scp": scopes })));
        let event = event(method, resource, Some(&format!("Bearer {token}")));
        let (decided, log) = decide(&authorizer, &event, NOW * 1000);
        let answer = serde_json::to_value(decided.unwrap()).unwrap();
        let statement = answer["policyDocument"]["Statement"][0].clone();
        let opened = event["methodArn"].as_str().unwrap().replace("r_0123", "*");
        let resource = if statement["Effect"] == "Allow" { json!(opened) } else { json!("*") };
        assert_eq!((&statement["Action"], &statement["Resource"]), (&json!("execute-api:Invoke"), &resource));
        assert!(log.contains(r#""principal":"u-1""#) && log.contains("192.0.2.10"), "{log}");
        statement["Effect"] == "Allow"
    };
    for route in ROUTES {
        for scope in SCOPES {
            let opens = route.scopes.contains(&scope);
            assert_eq!(effect(json!([scope]), route.method, route.path), opens, "{scope}: {route:?}");
            assert_eq!(effect(json!(format!("openid {scope}")), route.method, route.path), opens, "{scope}: {route:?}");
            for near in [
                scope.to_uppercase(),
                format!("{scope}2"),
                format!("api/{scope}"),
                scope.replace(':', "."),
                format!("{scope},"),
            ] {
                assert!(!effect(json!([near]), route.method, route.path), "{near}: {route:?}");
            }
        }
        for wild in ["*", "dsar:*", "request:*", "dsar", "request", "admin", ""] {
            assert!(!effect(json!([wild]), route.method, route.path), "{wild}: {route:?}");
        }
        // All scopes there are, and another method or path.
        for (method, path) in
            [("DELETE", route.path), ("post ", route.path), (route.method, "/"), (route.method, "/api/v1/other")]
        {
            assert!(!effect(json!(SCOPES), method, path), "{method} {path}");
        }
    }
}

#[test]
fn whom_a_token_names_reaches_the_function() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let caller = |other: Value| bearer(&authorizer, &id.token(&claims(other))).unwrap();
    let only = |orgs: &[&str]| Orgs::Only(orgs.iter().map(|org| (*org).to_owned()).collect());
    assert_eq!(caller(json!({ "org": "acme" })).orgs, only(&["acme"]));
    assert_eq!(caller(json!({ "org": ["acme", "b.2", "acme"] })).orgs, only(&["acme", "b.2"]));
    assert_eq!(caller(json!({ "sub": "ada@example.com" })).subject, "ada@example.com");
    for mark in [
        json!({ "gty": "client-credentials" }),
        json!({ "gty": ["refresh_token", "client-credentials"] }),
        json!({ "idtyp": "app" }),
        json!({ "client_id": "u-1" }),
        json!({ "azp": "u-1" }),
    ] {
        assert!(caller(mark.clone()).is_client, "{mark}");
    }
    for mark in [json!({}), json!({ "gty": "password", "idtyp": "user", "client_id": "portal", "azp": 7 })] {
        assert!(!caller(mark.clone()).is_client, "{mark}");
    }
    // The same text, however JSON spells it, and no other: who it is must not depend on a spelling.
    let spelled = claims(json!({})).to_string().replace("\"u-1\"", "\"\\u0075-1\"");
    let token = id.sign(&json!({ "alg": "EdDSA", "kid": "ed-1" }).to_string(), &spelled);
    assert_eq!(bearer(&authorizer, &token).unwrap().principal(), caller(json!({})).principal());
    for other in ["U-1", "u-1 ", " u-1", "u-1\u{200b}"] {
        assert_ne!(caller(json!({ "sub": other })).principal(), caller(json!({})).principal(), "{other:?}");
    }
    let scopes = caller(json!({ "scope": "openid email dsar:read crm:write root", "scp": ["gold:read"] })).scopes;
    assert_eq!(scopes, ["crm:write", "dsar:read", "gold:read"].map(str::to_owned).into());
}

/// A program whose token has none of the marks of one must not pass for a person.
#[test]
fn only_a_token_that_says_so_is_a_persons() {
    let id = Id::new();
    let keys = || Keys::Given(KeySet::parse(id.jwks().as_bytes()).unwrap());
    let said = |authorizer: &Authorizer, other: Value| {
        let caller = bearer(authorizer, &id.token(&claims(other))).unwrap();
        (caller.is_person, caller.is_client)
    };
    let usual = authorizer(keys());
    for sign in [json!({ "auth_time": NOW - 60 }), json!({ "amr": ["pwd", "mfa"] }), json!({ "amr": "pwd" })] {
        assert_eq!(said(&usual, sign.clone()), (true, false), "{sign}");
    }
    for none in [
        json!({}),
        json!({ "gty": "password", "idtyp": "user", "azp": "portal", "preferred_username": "service-account-x" }),
        json!({ "auth_time": 0 }),
        json!({ "auth_time": -1 }),
        json!({ "auth_time": "null" }),
        json!({ "auth_time": false, "amr": [] }),
        json!({ "amr": "" }),
        json!({ "amr": [""] }),
        json!({ "amr": {} }),
        json!({ "AUTH_TIME": NOW, "auth_time ": NOW }),
    ] {
        assert_eq!(said(&usual, none.clone()), (false, false), "{none}");
    }
    // Both at once: Cognito puts `auth_time` into a program's token, whose `sub` is its `client_id`.
    assert_eq!(said(&usual, json!({ "auth_time": NOW - 60, "client_id": "u-1" })), (true, true));
    let by = |text: &str| authorizer_of(keys(), PersonClaims::parse(text).unwrap());
    let entra = by("idtyp=user");
    assert_eq!(said(&entra, json!({ "idtyp": "user" })), (true, false));
    assert_eq!(said(&entra, json!({ "idtyp": "app" })), (false, true));
    assert_eq!(said(&entra, json!({ "auth_time": NOW - 60 })), (false, false), "only what is configured counts");
    let own = by("https://ledgerline.example/person");
    assert_eq!(said(&own, json!({ "https://ledgerline.example/person": true })), (true, false));
    // Named twice, which of the two counts depends on who reads it.
    let header = json!({ "alg": "EdDSA", "kid": "ed-1" }).to_string();
    let twice = claims(json!({ "auth_time": 0 })).to_string().replacen('{', &format!(r#"{{"auth_time":{NOW},"#), 1);
    assert_eq!(bearer(&usual, &id.sign(&header, &twice)).unwrap_err(), "claims");
}

#[test]
fn a_log_line_names_who_whence_and_why_and_nothing_of_the_token() {
    let id = Id::new();
    let authorizer = id.authorizer();
    let secret =
        json!({ "sub": "ada@example.com", "name": "Ada Lovelace", "jti": "jti-4711", "email": "ada@example.com" });
    let mut late = secret.clone();
    late["exp"] = json!(NOW - 100);
    for (other, who) in [(secret, true), (late, false)] {
        let token = id.token(&claims(other));
        let (_, log) = decide(&authorizer, &event("POST", DSAR, Some(&format!("Bearer {token}"))), NOW * 1000);
        assert_eq!(log.contains(r#""principal":"sha256:"#), who, "{log}");
        assert!(log.contains("192.0.2.10") && log.contains("6f0d3a52") && log.contains(DSAR), "{log}");
        for hidden in token.split('.').chain(["ada", "Ada", "jti-4711", "ed-1", "id.example", "key\""]) {
            assert!(!log.contains(hidden), "{hidden}: {log}");
        }
    }
}

/// Counts how often its keys are fetched.
struct Counted(String, AtomicUsize);

#[async_trait]
impl JwkSource for Counted {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        self.1.fetch_add(1, Ordering::SeqCst);
        if self.0.is_empty() { Err("no answer".to_owned()) } else { Ok(self.0.clone().into_bytes()) }
    }
}

#[test]
fn a_storm_of_unknown_keys_fetches_no_more_than_it_may() {
    let id = Id::new();
    let source = Arc::new(Counted(id.jwks(), AtomicUsize::new(0)));
    let authorizer = authorizer(Keys::from(source.clone()));
    let header = |kid: &str| json!({ "alg": "EdDSA", "kid": kid }).to_string();
    let claims = claims(json!({})).to_string();
    for second in 0..60 {
        for number in 0..5 {
            let token = id.sign(&header(&format!("kid-{second}-{number}")), &claims);
            let event = event("POST", DSAR, Some(&format!("Bearer {token}")));
            let (decided, log) = decide(&authorizer, &event, (NOW + second) * 1000);
            assert_eq!(decided.unwrap_err(), Failure::Unauthorized);
            assert!(log.contains("unknown_key"), "{log}");
        }
    }
    // The first token, and once more after half a minute; a good token waits for neither.
    assert_eq!(source.1.load(Ordering::SeqCst), 2);
    assert!(bearer(&authorizer, &id.sign(&header("ed-1"), &claims)).is_ok());
    assert_eq!(source.1.load(Ordering::SeqCst), 2);
}

#[test]
fn without_any_keys_nobody_can_tell_and_a_bad_form_is_still_refused() {
    let id = Id::new();
    let source = Arc::new(Counted(String::new(), AtomicUsize::new(0)));
    let authorizer = authorizer(Keys::from(source.clone()));
    let asked = |authorization: &str, now_ms: i64| {
        let event = event("POST", DSAR, Some(authorization));
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(handle(
            &authorizer,
            &FixedClock(now_ms),
            &event.to_string(),
        ))
    };
    assert_eq!(asked("Bearer a.b.c", 0).unwrap_err(), Failure::Unauthorized);
    assert_eq!(source.1.load(Ordering::SeqCst), 0, "what is no token fetches nothing");
    let good = format!("Bearer {}", id.token(&claims(json!({}))));
    for at in [0, 1, RETRY_MS - 1] {
        assert_eq!(asked(&good, at).unwrap_err(), Failure::NoKeys);
    }
    assert_eq!(source.1.load(Ordering::SeqCst), 1);
    // API Gateway makes a 401 of exactly this word, and of any other what the template's AUTHORIZER_FAILURE says.
    let said = |failure: Failure| Diagnostic::from(failure).error_message;
    assert_eq!(said(Failure::Unauthorized), "Unauthorized");
    assert_ne!(said(Failure::NoKeys), "Unauthorized");
}

/// JSON of any shape, as large as a request's headers.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}|Bearer [a-zA-Z0-9_.-]{0,40}|[Bb]earer +\\PC{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = "\\PC{0,6}|[Aa]uthorization|headers|multiValueHeaders|requestContext|methodArn";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..4).prop_map(|all| json!(all)),
        ]
    })
}

proptest! {
    #[test]
    fn junk_in_any_place_is_refused_and_breaks_nothing(headers in any_json(), all in any_json(), context in any_json(), whole in any_json()) {
        let authorizer = Id::new().authorizer();
        let mut event = event("POST", DSAR, None);
        (event["headers"], event["multiValueHeaders"], event["requestContext"]) = (headers, all, context);
        for event in [event, whole] {
            let (decided, log) = decide(&authorizer, &event, NOW * 1000);
            prop_assert_eq!(decided.unwrap_err(), Failure::Unauthorized);
            prop_assert!(!log.contains("Bearer"), "{}", log);
        }
    }

    #[test]
    fn three_parts_of_anything_are_refused(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 3), json in any_json()) {
        let authorizer = Id::new().authorizer();
        let [head, body, signature] = &parts[..] else { panic!() };
        let good = json!({ "alg": "EdDSA", "kid": "ed-1" }).to_string();
        for (head, body) in [(head.as_slice(), body.as_slice()), (json.to_string().as_bytes(), body), (good.as_bytes(), json.to_string().as_bytes())] {
            let token = format!("{}.{}.{}", b64(head), b64(body), b64(signature));
            prop_assert!(bearer(&authorizer, &token).is_err());
        }
    }
}

/// Keys that an issuer might have under a vector's id, none of them the vector's.
fn decoys(id: &Id, name: &Value) -> Vec<Authorizer> {
    let jwks: Value = serde_json::from_str(&id.jwks()).unwrap();
    let under_its_id = |key: &Value| {
        let mut key = key.clone();
        key["kid"] = name.clone();
        authorizer(Keys::Given(KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()))
    };
    jwks["keys"].as_array().unwrap().iter().map(under_its_id).collect()
}

/// Project Wycheproof's JSON web signatures. Their payloads are no claims: what passes the signature is refused for its claims, and
/// nothing else is. Those of keys that are none here (HMAC, PSS, other sizes and curves, keys that encrypt) are asked of keys that are.
#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the corpus is where its variable says, or is skipped"
)]
fn published_signatures_are_accepted_or_refused_as_published() {
    let Ok(corpus) = std::env::var("LEDGERLINE_CORPUS") else {
        eprintln!("SKIPPED published_signatures_are_accepted_or_refused_as_published: LEDGERLINE_CORPUS is not set");
        return;
    };
    let file = PathBuf::from(corpus).join("crypto/wycheproof/json_web_signature_test.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let id = Id::new();
    // Verified by their own keys, and held; asked of other keys, and by each of those looked at.
    let (mut verified, mut held, mut elsewhere, mut looked_at) = (0_u64, 0, 0_u64, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        // A group has one key, symmetric ones under their other name.
        let key = group.get("public").unwrap_or(&group["private"]);
        let own = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes());
        let own = own.map(|keys| authorizer(Keys::Given(keys)));
        let decoys = decoys(&id, &key["kid"]);
        for test in group["tests"].as_array().unwrap() {
            let named = format!("{} {} {}", group["comment"], test["tcId"], test["comment"]);
            let jws = test["jws"].as_str().unwrap();
            let Ok(own) = &own else {
                elsewhere += 1;
                for decoy in &decoys {
                    let reason = bearer(decoy, jws).unwrap_err();
                    assert_ne!(reason, "claims", "{named}");
                    looked_at += usize::from(["algorithm", "signature"].contains(&reason.as_str()));
                }
                continue;
            };
            let holds = bearer(own, jws).unwrap_err() == "claims";
            assert_eq!(holds, test["result"] == "valid", "{named}");
            (verified, held) = (verified + 1, held + usize::from(holds));
        }
    }
    assert_eq!(vectors["numberOfTests"], verified + elsewhere);
    assert_eq!((verified, held), (272, 10), "by their own keys");
    // Thirty are of no form that a token has, of no algorithm that is known, or of another id.
    assert_eq!((elsewhere, looked_at), (129, 3 * 99), "by others' keys");
}
