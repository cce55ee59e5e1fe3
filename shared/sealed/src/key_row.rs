//! The rows of wrapped keys: what `INT#<org>/<record>` / `PARTY#<object id>#<run>` in the keys table hold.
//!
//! Invariant: a row has all that opening its keys takes beside the month's private key, and none of its keys in clear. A key can be
//! taken out of a row by its id, without reading the row.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_ledger::entry::Party;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Keys of one record, one object and one run, all wrapped by one encapsulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The month whose public key they are wrapped to, `yyyy-mm`.
    pub month: String,
    /// The encapsulated key, 65 bytes.
    pub enc: ByteBuf,
    /// The keys by their ids.
    pub keys: BTreeMap<String, WrappedKey>,
}

/// A wrapped key, and what an erasure asks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Whose content it seals.
    pub party: Party,
    /// The subjects whom its owner's identifiers resolved; none: it is treated as joint, or is the agent's.
    pub subjects: BTreeSet<String>,
    /// Up to where an erasure must reach to cover anything that is sealed under it: when the first such event occurred, or was received if
    /// that was earlier. RFC 3339, UTC, three decimals.
    pub first: String,
    /// The key and a tag.
    pub wrapped: ByteBuf,
}

impl KeyRow {
    /// The rows that hold these keys: one, or as many as it takes to keep each within [`Self::BYTES_MAX`].
    pub fn rows(month: &str, enc: &[u8], keys: BTreeMap<String, WrappedKey>) -> Vec<Self> {
        let new = || Self { month: month.to_owned(), enc: ByteBuf::from(enc), keys: BTreeMap::new() };
        let (mut rows, mut bytes): (Vec<Self>, usize) = (Vec::new(), 0);
        for (id, key) in keys {
            let more = key.bytes(&id);
            if rows.is_empty() || bytes + more > Self::BYTES_MAX {
                let row = new();
                bytes = row.bytes();
                rows.push(row);
            }
            bytes += more;
            if let Some(row) = rows.last_mut() {
                row.keys.insert(id, key);
            }
        }
        rows
    }

    /// What the row counts for in DynamoDB, its own key aside.
    pub fn bytes(&self) -> usize {
        let own = text("month", self.month.len()) + text("enc", self.enc.len()) + text("keys", COLLECTION);
        own + self.keys.iter().map(|(id, key)| key.bytes(id)).sum::<usize>()
    }

    /// The most that a row has, of the 400 KB that DynamoDB takes: some 1,500 keys of one subject each.
    pub const BYTES_MAX: usize = 300_000;
}

impl WrappedKey {
    /// What it counts for under its id.
    fn bytes(&self, id: &str) -> usize {
        let subjects = COLLECTION + self.subjects.iter().map(|subject| subject.len() + ELEMENT).sum::<usize>();
        let members = [
            text("party", self.party.as_str().len()),
            text("subjects", subjects),
            text("first", self.first.len()),
            text("wrapped", self.wrapped.len()),
        ];
        id.len() + COLLECTION + ELEMENT + members.iter().map(|member| member + ELEMENT).sum::<usize>()
    }
}

/// A name and a value of so many bytes.
fn text(name: &str, value: usize) -> usize {
    name.len() + value
}

/// A list or map counts for so much beside what is in it.
const COLLECTION: usize = 3;
/// Each element of a list, or member of a map, counts for so much beside its own.
const ELEMENT: usize = 1;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_dynamo::AttributeValue;

    use super::*;

    fn key(number: u32) -> (String, WrappedKey) {
        let key = WrappedKey {
            party: Party::ALL[number as usize % 3],
            subjects: (0..number % 3).map(|subject| format!("s_{subject:064x}")).collect(),
            first: "2026-03-02T14:00:00.350Z".to_owned(),
            wrapped: ByteBuf::from(vec![number as u8; 48]),
        };
        (format!("{number:043}"), key)
    }

    /// As DynamoDB's developer guide counts ("Item sizes and formats").
    fn counted(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::B(bytes) => bytes.len(),
            AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + counted(item)).sum::<usize>(),
            AttributeValue::M(members) => {
                3 + members.iter().map(|(name, value)| 1 + name.len() + counted(value)).sum::<usize>()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_comes_back_from_a_table_and_counts_for_what_it_says() {
        for keys in [0, 1, 7] {
            let keys: BTreeMap<_, _> = (0..keys).map(key).collect();
            let row = KeyRow { month: "2026-03".to_owned(), enc: ByteBuf::from(vec![4; 65]), keys };
            let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&row).unwrap();
            assert_eq!(row.bytes(), item.iter().map(|(name, value)| name.len() + counted(value)).sum::<usize>());
            assert!(matches!(item["enc"], AttributeValue::B(_)));
            assert_eq!(serde_dynamo::from_item::<_, KeyRow>(item).unwrap(), row);
        }
    }

    #[test]
    fn many_keys_take_several_rows_none_of_them_too_large_and_none_needless() {
        let keys: BTreeMap<_, _> = (0..5_000).map(key).collect();
        let rows = KeyRow::rows("2026-03", &[4; 65], keys.clone());
        assert!(rows.iter().all(|row| row.bytes() <= KeyRow::BYTES_MAX));
        assert!(rows.windows(2).all(|pair| pair[0].bytes() + pair[1].bytes() > KeyRow::BYTES_MAX));
        assert!(rows.len() > 2);
        assert!(rows.iter().flat_map(|row| &row.keys).eq(&keys));
        assert!(KeyRow::rows("2026-03", &[4; 65], BTreeMap::new()).is_empty());
    }
}
