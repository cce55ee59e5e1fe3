//! What an entry holds of its event's personal content: blocks that only the holder of a key opens, and the keys' ids.
//!
//! Invariant: a checked [`Sealed`] has each key id once, sorted, and at most one block of each party, in the parties' order; where it
//! has blocks, each key id is one block's. `docs/sealed-fields.md` has the format; this crate neither seals nor opens.

use serde::{Deserialize, Serialize};

/// A side of an interaction, in the order in which blocks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Who called, wrote or was called.
    Customer,
    /// Both, or neither of them alone.
    Joint,
    /// Who served.
    Agent,
}

impl Party {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Joint, Self::Agent];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Joint => "joint",
            Self::Agent => "agent",
        }
    }
}

/// The lengths that a block may have: base64url of a nonce of 12 bytes, content that is padded to 192, 384 … 24,576, and a tag of 16.
pub const BLOCK_CHARS: [usize; 8] = {
    let mut chars = [0; 8];
    let mut step = 0;
    while step < chars.len() {
        chars[step] = ((12 + (192 << step) + 16) * 4usize).div_ceil(3);
        step += 1;
    }
    chars
};

/// A sealed block, as an entry has it. A member that the format does not name could hold what an erasure cannot reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Nonce, ciphertext and tag, in base64url without padding: as many characters as one of [`BLOCK_CHARS`].
    pub b: String,
    /// The key's place in the entry's `keyIds`.
    pub k: usize,
    /// Whose content it is.
    pub p: Party,
}

/// The two members of an entry that are about what is sealed. Reads from a whole entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    /// The ids of the blocks' keys, sorted; without blocks, of keys that an erasure destroyed, which is what its act says.
    pub key_ids: Vec<String>,
    /// The blocks.
    #[serde(rename = "sealed")]
    pub blocks: Vec<Block>,
}

impl Sealed {
    /// Checks the form; of a block that is its base64url and its length.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), SealedError> {
        let mut form = Form::default();
        self.key_ids.iter().try_for_each(|id| form.key_id(id))?;
        self.blocks.iter().try_for_each(|Block { b, k, p }| form.block(b, *k, p.as_str()))?;
        form.finish()
    }
}

/// The rules of the form, held against one part after the other, without an allocation: key ids first, then blocks.
#[derive(Default)]
pub(super) struct Form<'a> {
    pub(super) key_ids: usize,
    last_id: Option<&'a str>,
    pub(super) blocks: usize,
    /// How many parties have passed, with or without a block.
    parties: usize,
    /// A bit for each key id that a block uses; a block of each party is all that there can be.
    used: u8,
}

impl<'a> Form<'a> {
    pub(super) fn key_id(&mut self, id: &'a str) -> Result<(), SealedError> {
        if !is_key_id(id) || self.last_id.is_some_and(|last| last >= id) {
            return Err(SealedError::KeyIds);
        }
        self.last_id = Some(id);
        self.key_ids += 1;
        Ok(())
    }

    pub(super) fn block(&mut self, b: &str, k: usize, party: &str) -> Result<(), SealedError> {
        let place = Party::ALL.iter().position(|known| known.as_str() == party).filter(|place| *place >= self.parties);
        self.parties = place.ok_or(SealedError::Parties)? + 1;
        if k >= self.key_ids.min(Party::ALL.len()) || self.used & (1 << k) != 0 {
            return Err(SealedError::Keys);
        }
        self.used |= 1 << k;
        self.blocks += 1;
        (BLOCK_CHARS.contains(&b.len()) && is_base64url(b)).then_some(()).ok_or(SealedError::Block)
    }

    pub(super) fn finish(&self) -> Result<(), SealedError> {
        (self.blocks == 0 || self.blocks == self.key_ids).then_some(()).ok_or(SealedError::Keys)
    }
}

/// Why an entry's sealed part is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not sorted, not distinct, or not each 43 characters of base64url.
    #[error("the entry's key ids are not in order, or not key ids")]
    KeyIds,
    /// Not in the parties' order, or two of one.
    #[error("the entry's blocks are not in order")]
    Parties,
    /// A block without a key id, a key id without a block, or one with two.
    #[error("the entry's blocks do not use each key id once")]
    Keys,
    /// Not base64url, or not of a length that a block has.
    #[error("an entry's block is not of a block's form")]
    Block,
}

/// Whether a text has a key id's form: 32 bytes in base64url without padding.
fn is_key_id(text: &str) -> bool {
    text.len() == KEY_ID_CHARS && is_base64url(text)
}

/// Whether a text is base64url without padding in its one spelling: unused bits are zero.
fn is_base64url(text: &str) -> bool {
    let bytes = text.as_bytes();
    let all = bytes.iter().fold(0, |all, byte| all | SEXTETS[usize::from(*byte)]);
    let unused = match bytes.len() % 4 {
        0 => 0,
        1 => return false,
        2 => 0b1111,
        _ => 0b11,
    };
    all < NO_SEXTET && bytes.last().is_none_or(|last| SEXTETS[usize::from(*last)] & unused == 0)
}

/// What each byte stands for in base64url.
const SEXTETS: [u8; 256] = {
    let mut table = [NO_SEXTET; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table
};
const NO_SEXTET: u8 = 64;
const KEY_ID_CHARS: usize = 43;

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn id(byte: u8) -> String {
        URL_SAFE_NO_PAD.encode([byte; 32])
    }

    fn block(p: Party, k: usize) -> Block {
        Block { b: "A".repeat(BLOCK_CHARS[0]), k, p }
    }

    #[test]
    fn the_members_of_an_entry_are_read_and_written() {
        let b = block(Party::Customer, 0).b;
        let text = format!(r#"{{"keyIds":["{}"],"sealed":[{{"b":"{b}","k":0,"p":"customer"}}]}}"#, id(1));
        let sealed: Sealed = serde_json::from_str(&text).unwrap();
        assert_eq!(sealed, Sealed { key_ids: vec![id(1)], blocks: vec![block(Party::Customer, 0)] });
        assert_eq!(serde_json::to_string(&sealed).unwrap(), text);
        assert_eq!(sealed.check(), Ok(()));
        assert_eq!(Sealed::default().check(), Ok(()));
        let with_more = text.replace(r#""p":"customer""#, r#""p":"customer","x":"+15555550142""#);
        assert!(serde_json::from_str::<Sealed>(&with_more).is_err());
        for party in Party::ALL {
            assert_eq!(serde_json::to_value(party).unwrap(), party.as_str());
        }
    }

    #[test]
    fn each_rule_is_held() {
        use Party::{Agent, Customer, Joint};
        let sealed = |ids: &[String], blocks: &[Block]| Sealed { key_ids: ids.to_vec(), blocks: blocks.to_vec() };
        let two = [block(Customer, 1), block(Agent, 0)];
        assert_eq!(sealed(&[id(1), id(2)], &two).check(), Ok(()));
        assert_eq!(sealed(&[id(1), id(2)], &[]).check(), Ok(()));
        assert_eq!(sealed(&[id(2), id(1)], &two).check(), Err(SealedError::KeyIds));
        assert_eq!(sealed(&[id(1), id(1)], &two).check(), Err(SealedError::KeyIds));
        assert_eq!(sealed(&["AA".to_owned(), id(1)], &two).check(), Err(SealedError::KeyIds));
        for (first, second) in [(Agent, Customer), (Joint, Joint), (Agent, Joint)] {
            let blocks = [block(first, 0), block(second, 1)];
            assert_eq!(sealed(&[id(1), id(2)], &blocks).check(), Err(SealedError::Parties));
        }
        assert_eq!(sealed(&[id(1)], &two).check(), Err(SealedError::Keys));
        assert_eq!(sealed(&[id(1), id(2)], &two[..1]).check(), Err(SealedError::Keys));
        assert_eq!(sealed(&[id(1)], &[block(Customer, 0), block(Agent, 0)]).check(), Err(SealedError::Keys));
        let padded = "A".repeat(BLOCK_CHARS[1] - 1) + "=";
        for b in ["", "AAAA", &"A".repeat(BLOCK_CHARS[0] - 1), &"A".repeat(BLOCK_CHARS[0] + 1), &padded] {
            let bad = Block { b: b.to_owned(), ..block(Customer, 0) };
            assert_eq!(sealed(&[id(1)], &[bad]).check(), Err(SealedError::Block), "{}", b.len());
        }
        for chars in [294, 550, 1_062, 2_086, 4_134, 8_230, 16_422, 32_806] {
            let good = Block { b: "A".repeat(chars), ..block(Customer, 0) };
            assert_eq!(sealed(&[id(1)], &[good]).check(), Ok(()), "{chars}");
        }
        let four: Vec<String> = (1..=4).map(id).collect();
        assert_eq!(sealed(&four, &[block(Customer, 3)]).check(), Err(SealedError::Keys));
        assert_eq!(sealed(&four, &[block(Customer, 9)]).check(), Err(SealedError::Keys));
        assert_eq!(sealed(&four, &[]).check(), Ok(()));
    }

    proptest! {
        #[test]
        fn base64url_is_what_the_decoder_takes(
            text in prop_oneof!["[A-Za-z0-9_-]{0,9}", "[A-Za-z0-9_=+/-]{0,9}", any::<String>()],
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            prop_assert_eq!(is_base64url(&text), URL_SAFE_NO_PAD.decode(&text).is_ok());
            prop_assert!(is_base64url(&URL_SAFE_NO_PAD.encode(&bytes)));
        }
    }
}
