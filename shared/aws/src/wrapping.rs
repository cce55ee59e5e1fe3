//! The KMS key that wraps data keys and the private halves of months' keys.

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeyPairSpec, DataKeySpec};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::pseudonym::KeyBytes;
use ledgerline_store::table::corrupt;
use ledgerline_store::wrapping::{Context, NewPair, Wrapping};

use crate::config::store_error;

/// A wrapping key in KMS.
#[derive(Clone, Debug)]
pub struct KmsWrapping {
    client: Client,
    key: String,
}

impl KmsWrapping {
    /// The key of this ARN.
    pub fn new(client: Client, key: impl Into<String>) -> Self {
        Self { client, key: key.into() }
    }
}

#[async_trait]
impl Wrapping for KmsWrapping {
    /// The plain key that KMS sends along is dropped: every start unwraps what is stored, the first one too.
    async fn generate(&self, what: &str, context: &Context) -> Result<Vec<u8>, StoreError> {
        self.generate_open(what, context).await.map(|(wrapped, _)| wrapped)
    }

    async fn generate_open(&self, what: &str, context: &Context) -> Result<(Vec<u8>, KeyBytes), StoreError> {
        let generate = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        let made = generate.set_encryption_context(Some(pairs(context).into())).send().await;
        let made = made.map_err(|error| store_error(what, error))?;
        let wrapped = made.ciphertext_blob.ok_or_else(|| corrupt(what))?.into_inner();
        let plain = made.plaintext.ok_or_else(|| corrupt(what))?.into_inner();
        Ok((wrapped, KeyBytes::take(plain).ok_or_else(|| corrupt(what))?))
    }

    async fn generate_pair(&self, what: &str, context: &Context) -> Result<NewPair, StoreError> {
        let generate = self.client.generate_data_key_pair_without_plaintext().key_id(&self.key);
        let generate = generate.key_pair_spec(DataKeyPairSpec::EccNistP256);
        let made = generate.set_encryption_context(Some(pairs(context).into())).send().await;
        let made = made.map_err(|error| store_error(what, error))?;
        match (made.public_key, made.private_key_ciphertext_blob) {
            (Some(public), Some(private)) => {
                Ok(NewPair { public_der: public.into_inner(), wrapped: private.into_inner() })
            }
            _ => Err(corrupt(what)),
        }
    }

    async fn unwrap(&self, what: &str, context: &Context, wrapped: &[u8]) -> Result<KeyBytes, StoreError> {
        let decrypt = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(wrapped));
        let opened = decrypt.set_encryption_context(Some(pairs(context).into())).send().await;
        let opened = opened.map_err(|error| store_error(what, error))?;
        let plain = opened.plaintext.ok_or_else(|| corrupt(what))?;
        KeyBytes::take(plain.into_inner()).ok_or_else(|| corrupt(what))
    }
}

fn pairs(context: &Context) -> [(String, String); 3] {
    let Context { deployment, purpose, version } = context;
    let pair = |name: &str, value: &String| (name.to_owned(), value.clone());
    [pair("deployment", deployment), pair("purpose", purpose), pair("version", version)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_the_one_that_stored_keys_were_wrapped_under() {
        let [deployment, purpose, version] = ["d", "event", "12"].map(str::to_owned);
        let pairs = pairs(&Context { deployment, purpose, version });
        let pairs = pairs.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(pairs, [("deployment", "d"), ("purpose", "event"), ("version", "12")]);
    }
}
