//! The port of the key that wraps data keys and the private halves of months' keys.
//!
//! Invariant: a wrapped key is unwrapped only under the context that it was made under, so that one purpose's key cannot
//! stand in for another's. A private half is never here in clear.

use std::fmt;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::pseudonym::KeyBytes;

/// What a data key is wrapped under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The deployment.
    pub deployment: String,
    /// What the key is for.
    pub purpose: String,
    /// The key's version: its number, or its month.
    pub version: String,
}

/// A new pair of keys on P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPair {
    /// The public half: DER of a SubjectPublicKeyInfo.
    pub public_der: Vec<u8>,
    /// The private half, wrapped.
    pub wrapped: Vec<u8>,
}

/// Makes data keys and unwraps them, and makes pairs. Errors name attempts by `what`, with ids only.
#[async_trait]
pub trait Wrapping: fmt::Debug + Send + Sync {
    /// A new key, wrapped: its bytes come from [`Wrapping::unwrap`] alone.
    async fn generate(&self, what: &str, context: &Context) -> Result<Vec<u8>, StoreError>;

    /// A new key, wrapped, and in clear for whoever made it to use once.
    async fn generate_open(&self, what: &str, context: &Context) -> Result<(Vec<u8>, KeyBytes), StoreError>;

    /// A new pair, its private half wrapped.
    async fn generate_pair(&self, what: &str, context: &Context) -> Result<NewPair, StoreError>;

    /// The key. `Corrupt` if it was not wrapped under this context.
    async fn unwrap(&self, what: &str, context: &Context, wrapped: &[u8]) -> Result<KeyBytes, StoreError>;
}
