//! A wrapping key in memory, strict: what was wrapped under one context is not unwrapped under another.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_store::wrapping::{Context, Wrapping};

use crate::calls::Calls;
use crate::faults::Faults;

/// The key; clones share it. A wrapped key is its number, so nothing stored tells the key itself.
#[derive(Clone, Debug)]
pub struct FakeWrapping {
    name: &'static str,
    made: Arc<Mutex<Vec<Context>>>,
    faults: Faults,
    calls: Calls,
}

impl FakeWrapping {
    /// A key that wrapped nothing yet. `name` is the template's, for calls held against its roles.
    pub fn new(name: &'static str, faults: Faults, calls: Calls) -> Self {
        Self { name, made: Arc::default(), faults, calls }
    }

    /// As the product takes it.
    pub fn port(&self) -> Arc<dyn Wrapping> {
        Arc::new(self.clone())
    }

    /// The same key, with other faults and a count of calls of its own.
    #[must_use]
    pub fn seen_by(&self, faults: Faults, calls: Calls) -> Self {
        Self { faults, calls, ..self.clone() }
    }

    async fn call(&self, call: &'static str, context: &Context) -> Result<(), StoreError> {
        self.faults.latency().await;
        self.calls.add(call, 1);
        self.calls.touch(call, self.name, context.purpose.clone(), &context.purpose);
        self.faults.read(call)
    }
}

#[async_trait]
impl Wrapping for FakeWrapping {
    async fn generate(&self, _: &str, context: &Context) -> Result<Vec<u8>, StoreError> {
        self.call("kms:GenerateDataKey", context).await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(context.clone());
        Ok(format!("wrapped {}", made.len() - 1).into_bytes())
    }

    async fn unwrap(&self, what: &str, context: &Context, wrapped: &[u8]) -> Result<KeyBytes, StoreError> {
        self.call("kms:Decrypt", context).await?;
        let corrupt = || StoreError::Corrupt(Failure::new(what));
        let number = std::str::from_utf8(wrapped).ok().and_then(|text| text.strip_prefix("wrapped ")?.parse().ok());
        let number: usize = number.ok_or_else(corrupt)?;
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(number).filter(|made| *made == context).ok_or_else(corrupt)?;
        KeyBytes::take([[number as u8; 16], [0x5a; 16]].concat()).ok_or_else(corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_unwrapped_under_its_own_context_alone() {
        let port = FakeWrapping::new("DataKey", Faults::none(), Calls::default()).port();
        let context =
            |purpose: &str, version| Context { deployment: "d".to_owned(), purpose: purpose.to_owned(), version };
        let event = port.generate("", &context("event", 1)).await.unwrap();
        let other = port.generate("", &context("event", 2)).await.unwrap();
        let first = port.unwrap("", &context("event", 1), &event).await.unwrap();
        let second = port.unwrap("", &context("event", 2), &other).await.unwrap();
        assert_ne!(first.lend(), second.lend());
        for (context, wrapped) in [
            (context("pseudonym", 1), &event[..]),
            (context("event", 2), &event),
            (Context { deployment: "e".to_owned(), ..context("event", 1) }, &event),
            (context("event", 1), b"wrapped 7"),
            (context("event", 1), b"\xff"),
        ] {
            assert_eq!(port.unwrap("", &context, wrapped).await.unwrap_err().kind(), "corrupt");
        }
    }
}
