//! The type of raw personal data: a phone number, an e-mail address, a name, as a source sent it.
//!
//! Invariant: it has neither `Serialize` nor `Display`, its `Debug` prints `***`, and its memory is zeroed when it is
//! dropped. The one way to read it is [`Personal::expose_for_pseudonym`], a name to grep for.
//!
//! What can be serialised is what the policy made of it:
//!
//! ```
//! fn persist(value: &impl serde::Serialize) -> String {
//!     serde_json::to_string(value).unwrap()
//! }
//! use ledgerline_privacy::{Identifier, Kind, PseudonymKey, Region};
//! let caller = Identifier::parse(Kind::Phone, "tel:+15555550142", Region::US).unwrap();
//! let pseudonym = PseudonymKey::new(1, [7; 32]).pseudonym(&caller);
//! assert!(persist(&pseudonym).starts_with("\"p1_"));
//! ```
//!
//! The raw value cannot; the same lines do not compile:
//!
//! ```compile_fail,E0277
//! fn persist(value: &impl serde::Serialize) -> String {
//!     serde_json::to_string(value).unwrap()
//! }
//! use ledgerline_privacy::Personal;
//! let caller = Personal::new("tel:+15555550142");
//! persist(&caller);
//! ```
//!
//! ```compile_fail,E0277
//! use ledgerline_privacy::Personal;
//! let caller = Personal::new("tel:+15555550142");
//! println!("{caller}");
//! ```

use std::cmp::Ordering;
use std::fmt;

use zeroize::Zeroizing;

/// Raw personal data. See the module for what it deliberately cannot do.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(Zeroizing<String>);

impl Personal {
    /// Takes a value out of a source's document.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The raw value, to be normalised or hashed under a key and for nothing else.
    pub fn expose_for_pseudonym(&self) -> &str {
        &self.0
    }
}

impl Ord for Personal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl PartialOrd for Personal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_stars_even_inside_other_types() {
        assert_eq!(format!("{:?}", Some(Personal::new("+15555550142"))), "Some(***)");
    }
}
