//! What a certificate will say, while the ledger does not hold its digest yet: sealed under the request's key, put once.
//!
//! Invariant: the body that is stored first counts, for every slice and whoever repeats the step: its digest is recorded once. The key seals
//! one content: what was not stored leaves this process nowhere.

use ledgerline_certificate::Body;
use ledgerline_ledger::store::StoreError;

use crate::list::{aead, open_json, seal_json};

const LABEL: &[u8] = b"ledgerline/erasure/certificate/v1";

/// Packs and seals a body, which will lie at this key.
///
/// # Errors
/// `Corrupt`, which would be a defect.
pub(crate) fn seal(body: &Body, request_key: &[u8; 32], key: &str) -> Result<Vec<u8>, StoreError> {
    seal_json("seal a certificate", body, &aead(request_key, &[LABEL]), key)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// `Corrupt` for anything else.
pub(crate) fn open(bytes: &[u8], request_key: &[u8; 32], key: &str) -> Result<Body, StoreError> {
    open_json("open a certificate", bytes, &aead(request_key, &[LABEL]), key)
}
