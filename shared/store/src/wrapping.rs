//! The port of the key that wraps data keys.

use std::fmt;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::pseudonym::KeyBytes;

/// What a wrapped key is bound to: its encryption context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyContext {
    /// The deployment.
    pub deployment: String,
    /// What the key is for.
    pub purpose: &'static str,
    /// Its version.
    pub version: u32,
}

/// Makes and opens data keys.
#[async_trait]
pub trait Wrapping: fmt::Debug + Send + Sync {
    /// A new key of 32 bytes, wrapped under the context.
    async fn generate(&self, what: &str, context: &KeyContext) -> Result<Vec<u8>, StoreError>;

    /// The key that was wrapped under the context.
    async fn unwrap(&self, what: &str, wrapped: &[u8], context: &KeyContext) -> Result<KeyBytes, StoreError>;
}
