//! What an event says of people, sealed for its owner: party keys, blocks, the plaintext in them, and how the keys are wrapped
//! to a month's public key. `docs/sealed-fields.md` has the format.
//!
//! Invariant: what seals cannot open. A key leaves this crate wrapped, under a public key whose private half the sealing function
//! never has; in clear it lives as long as the object that is being read. Nothing here prints a key or a value.
//!
//! Left out on purpose: whose content a value is, and which fields are sealed, which the description of the sources says;
//! reading and writing rows. No AWS, no I/O, no clock. Random bytes come from the caller, but for the ephemeral key of a run's
//! encapsulation: `ring` draws that itself, from the system, and takes none.

mod block;
mod card;
mod content;
mod key;
mod key_row;
mod mac;
pub mod unlisted;
mod wrapping;

pub use block::{OpenError, Opened, PADDED_BYTES, Place, open};
pub use content::{Buffer, Content, Member, Seals};
pub use key::{KeyId, PartyKey};
pub use key_row::{KeyRow, WrappedKey};
pub use wrapping::{MonthKey, Sender, UnusableKey, UnwrapError, WRAPPED_BYTES, export_context, info, unwrap};

/// Fills a buffer with random bytes.
pub type Random<'a> = &'a (dyn Fn(&mut [u8]) + Send + Sync);
