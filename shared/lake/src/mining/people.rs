//! Whom a log names, and how.
//!
//! Invariant: an agent has silver's pseudonym or one of the recipient's own, by which two recipients cannot compare what they know; a customer is
//! not named unless that is asked for.

use std::borrow::Cow;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Who is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    recipient: Option<String>,
    customers: bool,
}

impl People {
    /// Agents under names that are this recipient's, and customers if it is to be so.
    pub fn new(recipient: Option<String>, customers: bool) -> Self {
        Self { recipient, customers }
    }

    /// The name of an agent.
    pub fn agent<'a>(&self, silver: &'a str) -> Cow<'a, str> {
        match &self.recipient {
            Some(recipient) => Cow::Owned(renamed(silver, recipient)),
            None => Cow::Borrowed(silver),
        }
    }

    /// The name of a customer, if customers are named.
    pub fn customer<'a>(&self, silver: Option<&'a str>) -> Option<Cow<'a, str>> {
        silver.filter(|_| self.customers).map(|silver| self.agent(silver))
    }

    /// Whether customers are named.
    pub fn names_customers(&self) -> bool {
        self.customers
    }
}

/// `r_` and 32 hex digits of HMAC-SHA-256 under silver's name, over the recipient's. Silver's name is itself an HMAC, or random: without it
/// nobody makes this one, and from this one nobody comes to it.
fn renamed(silver: &str, recipient: &str) -> String {
    // Unwrap safety: HMAC takes keys of any length.
    #[allow(clippy::unwrap_used, reason = "see above")]
    let mut mac = Hmac::<Sha256>::new_from_slice(silver.as_bytes()).unwrap();
    mac.update(PURPOSE);
    mac.update(recipient.as_bytes());
    mac.finalize().into_bytes().iter().take(16).fold("r_".to_owned(), |mut name, byte| {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

const PURPOSE: &[u8] = b"ledgerline mining recipient\x1f";
