//! Identifiers, normalisation, pseudonyms, the masking policy: what may be stored in clear, and what stands for the rest;
//! and instants, which events, fields and access requests read alike.
//!
//! Invariant: raw personal data leaves this crate only as a keyed pseudonym, ref or alias. It has a type of its own ([`Personal`])
//! that can neither be serialised nor printed, and what may be persisted has another ([`Clear`]) that only the policy
//! makes. The crate does no I/O and holds no clock; keys arrive unwrapped from the caller and are zeroed on drop.

pub mod clear;
pub mod identifier;
pub mod instant;
pub mod joinable;
pub mod personal;
mod phone;
pub mod policy;
pub mod pseudonym;
pub mod region;
pub mod suppression;
// Word lists, packed by hand: one word a line would make 700 lines of them.
#[rustfmt::skip]
mod vocabulary;
pub mod words;

pub use clear::{Clear, View};
pub use identifier::{Identifier, Kind, RULES};
pub use joinable::{JoinKey, Joinable};
pub use personal::Personal;
pub use policy::{FieldRule, Masked, Policy, Rest, Rule, Seal, Side, Store};
pub use pseudonym::{EventKey, KeyRing, Pseudonym, PseudonymKey};
pub use region::{BadRegion, BadRegions, Region, Regions};
pub use suppression::{SuppressionKey, SuppressionRing};
pub use vocabulary::MEDIA;
