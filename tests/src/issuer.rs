//! The local stack's issuer of tokens, which signs what a test tells it to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::stack::Stack;

/// An issuer with a key.
pub struct Issuer<'a> {
    stack: &'a Stack,
    key: SigningKey,
}

impl<'a> Issuer<'a> {
    /// The stack's own.
    pub fn of(stack: &'a Stack) -> Self {
        let text = std::fs::read_to_string(&stack.description().issuer.key_file).unwrap();
        let seed: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
        Self { stack, key: SigningKey::from_bytes(&seed.try_into().unwrap()) }
    }

    /// Somebody with another key, who says to be the stack's.
    pub fn forged(stack: &'a Stack) -> Self {
        Self { stack, key: SigningKey::from_bytes(&[7; 32]) }
    }

    /// The token of a person who has just signed in and may read, with these claims and members of the header in place of its own; null
    /// takes one away.
    pub fn token(&self, claims: Value, header: Value) -> String {
        let issuer = &self.stack.description().issuer;
        let now = now();
        let own = json!({ "iss": issuer.name, "aud": issuer.audience, "sub": "test|u-1", "iat": now - 5,
            "auth_time": now - 5, "exp": now + 600, "scope": "dsar:read" });
        let parts = [(json!({ "alg": "EdDSA", "kid": issuer.key_id }), header), (own, claims)];
        let parts = parts.map(|(mut part, other)| {
            part.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            part.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            URL_SAFE_NO_PAD.encode(part.to_string())
        });
        let message = parts.join(".");
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token of a person who has just signed in, with these scopes in every organisation.
    pub fn person(&self, subject: &str, scopes: &str) -> String {
        self.token(json!({ "sub": subject, "scope": scopes }), json!({}))
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are good or bad by the machine's clock")]
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}
