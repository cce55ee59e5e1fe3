//! A signing key that can fail: its signatures are real, so that whatever verifies them verifies the product's.

use std::sync::Arc;

use ledgerline_ledger::ports::Sign;
use ledgerline_ledger::signing::LocalSigner;
use ledgerline_ledger::store::StoreError;

use crate::fakes::calls::Calls;
use crate::faults::Faults;

/// An Ed25519 key in memory, always the same one.
#[derive(Clone, Debug)]
pub struct FakeSigner {
    signer: Arc<LocalSigner>,
    faults: Faults,
    calls: Calls,
}

impl FakeSigner {
    /// The key of all tests.
    pub fn new(faults: Faults, calls: Calls) -> Self {
        Self::with_seed([7; 32], faults, calls)
    }

    /// Another key.
    pub fn with_seed(seed: [u8; 32], faults: Faults, calls: Calls) -> Self {
        let signer = LocalSigner::from_seed("testkit", &seed).expect("a name without spaces");
        Self { signer: Arc::new(signer), faults, calls }
    }

    /// Its public half.
    pub fn key(&self) -> [u8; 32] {
        self.signer.public_key_bytes()
    }
}

impl Sign for FakeSigner {
    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        tokio::task::yield_now().await;
        Ok(self.key())
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], StoreError> {
        const CALL: &str = "kms:Sign";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        // To its caller a signature that was lost on its way is one that was never made.
        if self.faults.strike(CALL).is_some() {
            return Err(Faults::error(CALL));
        }
        Ok(self.signer.sign_now(message))
    }
}
