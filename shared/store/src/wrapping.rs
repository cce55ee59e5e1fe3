//! The port of the key that wraps data keys.
//!
//! Invariant: a wrapped key is unwrapped only under the context that it was made under, so that one purpose's key cannot
//! stand in for another's.

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
    /// The key's version.
    pub version: u32,
}

/// Makes data keys and unwraps them. Errors name attempts by `what`, with ids only.
#[async_trait]
pub trait Wrapping: fmt::Debug + Send + Sync {
    /// A new key, wrapped: its bytes come from [`Wrapping::unwrap`] alone.
    async fn generate(&self, what: &str, context: &Context) -> Result<Vec<u8>, StoreError>;

    /// The key. `Corrupt` if it was not wrapped under this context.
    async fn unwrap(&self, what: &str, context: &Context, wrapped: &[u8]) -> Result<KeyBytes, StoreError>;
}
