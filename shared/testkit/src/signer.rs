//! A signing key that can fail: its signatures are real, so that what verifies them verifies the product's.

use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_ledger::signing::LocalSigner;
use ledgerline_ledger::store::StoreError;
use ledgerline_store::signer::Sign;

use crate::calls::Calls;
use crate::faults::Faults;

/// An Ed25519 key in memory, always the same one.
#[derive(Clone, Debug)]
pub struct FakeSigner {
    name: &'static str,
    signer: Arc<LocalSigner>,
    faults: Faults,
    calls: Calls,
}

impl FakeSigner {
    /// The key of all tests. `name` is the template's, for calls held against its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls) -> Self {
        Self::with_seed(name, [7; 32], faults, calls)
    }

    /// Another key.
    pub fn with_seed(name: &'static str, seed: [u8; 32], faults: Faults, calls: Calls) -> Self {
        let signer = LocalSigner::from_seed("testkit", &seed).expect("a name without spaces");
        Self { name, signer: Arc::new(signer), faults, calls }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Sign> {
        Arc::new(self.clone())
    }

    /// The same key, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    /// Its public half.
    pub fn key(&self) -> [u8; 32] {
        self.signer.public_key_bytes()
    }
}

#[async_trait]
impl Sign for FakeSigner {
    async fn public_key(&self) -> Result<[u8; 32], StoreError> {
        tokio::task::yield_now().await;
        self.calls.touch("kms:GetPublicKey", self.name, String::new(), "");
        Ok(self.key())
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], StoreError> {
        const CALL: &str = "kms:Sign";
        self.faults.latency().await;
        self.calls.add(CALL, 1);
        self.calls.touch(CALL, self.name, String::new(), "");
        // To its caller a signature that was lost on its way is one that was never made.
        if self.faults.strike(CALL).is_some() {
            return Err(Faults::error(CALL));
        }
        Ok(self.signer.sign_now(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[tokio::test]
    async fn a_struck_signature_is_never_handed_out() {
        let calls = Calls::default();
        let fake = FakeSigner::new("SigningKey", Faults::at(0, Fault::PersistedButErrored), calls.clone());
        let port = fake.port();
        assert_eq!(port.sign(b"x").await.unwrap_err().kind(), "unknown");
        let signature = port.sign(b"x").await.unwrap();
        assert_eq!(port.public_key().await.unwrap(), fake.key());
        let other = FakeSigner::with_seed("SigningKey", [8; 32], Faults::none(), Calls::default());
        assert_ne!(other.port().sign(b"x").await.unwrap(), signature);
        let actions: Vec<_> = calls.touched().into_iter().map(|one| one.action).collect();
        assert_eq!(actions, ["kms:GetPublicKey", "kms:Sign"]);
    }
}
