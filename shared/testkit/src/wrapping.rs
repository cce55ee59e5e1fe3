//! A wrapping key in memory, strict: what was wrapped under one context is not unwrapped under another. A month's pair follows from
//! deployment and month, so that a check opens by [`month_pair`] what the product sealed and cannot open.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Kem as _, Serializable as _};
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_sealed::MonthKey;
use ledgerline_store::month_key;
use ledgerline_store::table::Action;
use ledgerline_store::wrapping::{Context, NewPair, Wrapping};

use crate::calls::Calls;
use crate::faults::Faults;
use crate::table::FakeTable;

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

    /// Something wrapped under this context.
    fn wrap(&self, context: &Context) -> Vec<u8> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(context.clone());
        format!("wrapped {}", made.len() - 1).into_bytes()
    }
}

/// A month's pair as the fake makes it: the private half, 32 bytes, which the product never sees, and the public one.
pub fn month_pair(deployment: &str, month: &str) -> ([u8; 32], MonthKey) {
    let (private, public) = DhP256HkdfSha256::derive_keypair(format!("the pair of {month} of {deployment}").as_bytes());
    (private.to_bytes().into(), MonthKey::from_point(&public.to_bytes()).expect("a point"))
}

/// Puts the rows of these months where there are none, as sweep does: no call of the product's.
pub fn put_month_keys(control: &FakeTable, deployment: &str, months: &[&str]) {
    for month in months {
        let public = month_pair(deployment, month).1;
        let write = month_key::created(month, &public, b"wrapped", "2026-01-01T00:00:00.000Z").expect("a row");
        let Action::Put(row) = write.action else { unreachable!("it creates the row") };
        control.tamper(|rows| {
            rows.entry(write.key).or_insert(row);
        });
    }
}

#[async_trait]
impl Wrapping for FakeWrapping {
    async fn generate(&self, _: &str, context: &Context) -> Result<Vec<u8>, StoreError> {
        self.call("kms:GenerateDataKey", context).await?;
        Ok(self.wrap(context))
    }

    async fn generate_open(&self, what: &str, context: &Context) -> Result<(Vec<u8>, KeyBytes), StoreError> {
        self.call("kms:GenerateDataKey", context).await?;
        let wrapped = self.wrap(context);
        let number = std::str::from_utf8(&wrapped).ok().and_then(|text| text.strip_prefix("wrapped ")?.parse().ok());
        let plain = number.and_then(plain_key).ok_or_else(|| StoreError::Corrupt(Failure::new(what)))?;
        Ok((wrapped, plain))
    }

    async fn generate_pair(&self, _: &str, context: &Context) -> Result<NewPair, StoreError> {
        self.call("kms:GenerateDataKeyPairWithoutPlaintext", context).await?;
        let public = month_pair(&context.deployment, &context.version).1;
        Ok(NewPair { public_der: [&P256_DER_PREFIX, public.as_point()].concat(), wrapped: self.wrap(context) })
    }

    async fn unwrap(&self, what: &str, context: &Context, wrapped: &[u8]) -> Result<KeyBytes, StoreError> {
        self.call("kms:Decrypt", context).await?;
        let corrupt = || StoreError::Corrupt(Failure::new(what));
        let number = std::str::from_utf8(wrapped).ok().and_then(|text| text.strip_prefix("wrapped ")?.parse().ok());
        let number: usize = number.ok_or_else(corrupt)?;
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(number).filter(|made| *made == context).ok_or_else(corrupt)?;
        plain_key(number).ok_or_else(corrupt)
    }
}

/// The key of a number.
fn plain_key(number: usize) -> Option<KeyBytes> {
    KeyBytes::take([[number as u8; 16], [0x5a; 16]].concat())
}

/// What KMS has before the point, RFC 5480.
const P256_DER_PREFIX: [u8; 26] =
    *b"\x30\x59\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07\x03\x42\x00";

#[cfg(test)]
mod tests {
    use hpke::Deserializable as _;

    use super::*;

    #[tokio::test]
    async fn a_key_is_unwrapped_under_its_own_context_alone() {
        let port = FakeWrapping::new("DataKey", Faults::none(), Calls::default()).port();
        let context = |purpose: &str, version: u32| Context {
            deployment: "d".to_owned(),
            purpose: purpose.to_owned(),
            version: version.to_string(),
        };
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
    #[tokio::test]
    async fn a_pair_is_its_months_and_its_private_half_is_the_one_that_tests_open_by() {
        let port = FakeWrapping::new("DataKey", Faults::none(), Calls::default()).port();
        let context = |deployment: &str, month: &str| Context {
            deployment: deployment.to_owned(),
            purpose: "party".to_owned(),
            version: month.to_owned(),
        };
        let made = port.generate_pair("", &context("d", "2026-03")).await.unwrap();
        let (private, public) = month_pair("d", "2026-03");
        assert_eq!(MonthKey::from_der(&made.public_der), Some(public));
        let private = <DhP256HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(&private).unwrap();
        assert_eq!(DhP256HkdfSha256::sk_to_pk(&private).to_bytes().to_vec(), public.as_point());
        for (deployment, month) in [("e", "2026-03"), ("d", "2026-04")] {
            let other = port.generate_pair("", &context(deployment, month)).await.unwrap();
            assert_ne!((other.public_der, other.wrapped), (made.public_der.clone(), made.wrapped.clone()));
        }
        assert!(port.unwrap("", &context("d", "2026-04"), &made.wrapped).await.is_err());
    }
}
