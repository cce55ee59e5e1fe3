//! The key that signs checkpoints: Ed25519 in KMS, asked for raw messages, so that its signatures are plain RFC 8032 ones.
//!
//! Invariant: a key that does not answer costs a caller a few seconds and nothing else: the client has its own, short,
//! time-outs, since commits and answers wait for it.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use ledgerline_ledger::signing::public_key_of_spki;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_store::signer::Sign;
use tokio::sync::OnceCell;

use crate::config::store_error;

/// A signing key in KMS.
#[derive(Clone, Debug)]
pub struct KmsSigner {
    client: Client,
    key: String,
    public_key: OnceCell<[u8; 32]>,
}

impl KmsSigner {
    /// The key of this id or ARN; its spec is `ECC_NIST_EDWARDS25519`.
    pub fn new(config: &SdkConfig, key: impl Into<String>) -> Self {
        let config = aws_sdk_kms::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(ATTEMPT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            )
            .build();
        Self { client: Client::from_conf(config), key: key.into(), public_key: OnceCell::new() }
    }

    async fn fetch_public_key(&self) -> Result<[u8; 32], StoreError> {
        let what = "read the public signing key";
        let sent = self.client.get_public_key().key_id(&self.key).send().await;
        let der = sent.map_err(|error| store_error(what, error))?.public_key.unwrap_or_else(|| Blob::new([]));
        public_key_of_spki(der.as_ref()).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
    }
}

#[async_trait]
impl Sign for KmsSigner {
    /// Asked for once: a key's public half never changes.
    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        self.public_key.get_or_try_init(|| self.fetch_public_key()).await.copied()
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], StoreError> {
        let what = "sign a checkpoint";
        let sent = self
            .client
            .sign()
            .key_id(&self.key)
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
            .message(Blob::new(message))
            .send()
            .await;
        let signature = sent.map_err(|error| store_error(what, error))?.signature.unwrap_or_else(|| Blob::new([]));
        signature.as_ref().try_into().map_err(|_| StoreError::Corrupt(Failure::new(format!("{what}: not 64 bytes"))))
    }
}

/// KMS answers within some 10 ms. Two attempts of 2 s at the very worst, once in ten seconds per log.
const ATTEMPTS: u32 = 2;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
