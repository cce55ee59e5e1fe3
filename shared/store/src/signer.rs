//! The port of the keys that sign checkpoints.

use std::fmt;

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;

/// Signs checkpoints with an Ed25519 key that never leaves its keeper.
#[async_trait]
pub trait Sign: fmt::Debug + Send + Sync {
    /// The raw public key.
    async fn public_key(&self) -> Result<[u8; 32], StoreError>;

    /// The Ed25519 signature (RFC 8032, no prehash) of these bytes.
    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], StoreError>;
}
