//! Identifiers, normalisation, pseudonyms, the masking policy.

pub mod identifier;
pub mod personal;
pub mod policy;
pub mod pseudonym;
