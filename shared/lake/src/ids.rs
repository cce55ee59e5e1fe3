//! The id of a bronze object, by which everything that became of it is named, and the ids of the events in it.
//!
//! Invariant: one bucket and key give one id, for good: silver files, plans, claims and OBJ rows all carry it. An event's id
//! follows from its object and its line, and from nothing that the event says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::keys::PlanOf;

/// The first 16 bytes of SHA-256(bucket ‖ "\n" ‖ decoded key); 32 hex digits where it is written out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 16]);

impl ObjectId {
    /// The id of the object at this key; the key as S3 stores it, not as a notification encodes it.
    pub fn of(bucket: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(bucket);
        // No bucket's name holds a newline, so no other bucket and key give the same bytes.
        hash.update("\n");
        hash.update(key);
        Self(first_half(hash))
    }

    /// The id of a plan that no bronze object is behind: of the ledger's own acts done for this purpose. No bucket's name
    /// holds a colon, so no bronze object has it.
    pub fn of_act(purpose: &str) -> Self {
        Self(first_half(Sha256::new().chain_update("ledgerline:act:").chain_update(purpose)))
    }

    /// The id of the event in a line of this object, or of an act in a line of its plan: [`PlanOf::event_id`].
    pub fn event_id(self, of: PlanOf, line: u64) -> String {
        of.event_id(&self.to_hex(), line)
    }

    /// The 32 lower-case hex digits.
    pub fn to_hex(self) -> String {
        self.to_string()
    }
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let digest = hash.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

/// A text that should have been an object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an object id: 32 lower-case hex digits")]
pub struct BadObjectId;

impl FromStr for ObjectId {
    type Err = BadObjectId;

    fn from_str(text: &str) -> Result<Self, BadObjectId> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(BadObjectId);
        }
        u128::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| BadObjectId)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_the_first_half_of_the_digest() {
        // printf 'a-bucket\nbronze/a key' | sha256sum | cut -c1-32
        assert_eq!(ObjectId::of("a-bucket", "bronze/a key").to_hex(), KNOWN);
    }

    #[test]
    fn the_id_of_an_act_is_no_bronze_objects() {
        // printf 'ledgerline:act:hold/1' | sha256sum | cut -c1-32
        assert_eq!(ObjectId::of_act("hold/1").to_hex(), KNOWN_ACT);
    }

    /// By hand, from the documented text.
    #[test]
    fn an_event_id_follows_from_the_object_and_the_line() {
        let object = ObjectId::of("a-bucket", "bronze/a key");
        assert_eq!(object.event_id(PlanOf::Bronze, 0), KNOWN_EVENT);
        // printf 'ledgerline act%s1' "$(printf 'ledgerline:act:hold/1' | sha256sum | cut -c1-32)" | sha256sum | cut -c1-32
        assert_eq!(ObjectId::of_act("hold/1").event_id(PlanOf::Acts, 1), "e1e49d1b7114c08cd07ca98501f1e128");
        for line in [1, 10, u64::MAX] {
            let by_hand = format!("ledgerline event{KNOWN}{line}");
            let digest: String = Sha256::digest(by_hand).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(object.event_id(PlanOf::Bronze, line), digest[..32]);
            assert_ne!(object.event_id(PlanOf::Acts, line), digest[..32]);
        }
    }

    #[test]
    fn reads_what_it_writes_and_rejects_the_rest() {
        let id = ObjectId::of("b", "k");
        assert_eq!(id.to_hex().parse(), Ok(id));
        assert_eq!(serde_json::from_str::<ObjectId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        for bad in ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"g".repeat(32), &"+".repeat(32)] {
            assert_eq!(bad.parse::<ObjectId>(), Err(BadObjectId), "{bad}");
        }
    }

    const KNOWN_ACT: &str = "c56a9b138614f8a35b8a35b58704c265";
    const KNOWN: &str = "c52d901c47bbf2321195a38e6ff49594";
    /// `printf 'ledgerline eventc52d901c47bbf2321195a38e6ff495940' | sha256sum | cut -c1-32`
    const KNOWN_EVENT: &str = "fad9540a66a3065a5720b7760f17ec0a";
}
