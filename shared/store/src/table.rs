//! The port of the DynamoDB tables: reads and conditional writes as data.
//!
//! A family says what it wants as values of this module. One adapter turns them into DynamoDB's expressions, one fake
//! evaluates them in memory, and a test on the local stack holds the two against each other.
//!
//! Invariant: every read is consistent and whole, every write is done whole or not at all, and nothing is retried here
//! beyond what a batch left unprocessed.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ledgerline_ledger::store::{Failure, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
pub use serde_dynamo::AttributeValue as Value;

/// The attributes of a row, without its key.
pub type Row = HashMap<String, Value>;

/// The key of a row in any of the tables: attributes `pk` and `sk`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The partition.
    pub pk: String,
    /// The place in the partition.
    pub sk: String,
}

impl Key {
    /// The row `sk` of the partition `pk`.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pk, self.sk)
    }
}

/// What must hold of a row before a write touches it.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The row exists.
    Exists,
    /// There is no such row.
    Absent,
    /// The row has the attribute.
    Has(Path),
    /// The row has no such attribute.
    Lacks(Path),
    /// The attribute is this value.
    Equals(Path, Value),
    /// The attribute is a smaller number.
    Below(Path, Value),
    /// The attribute is this number or a smaller one.
    AtMost(Path, Value),
    /// The attribute is this number or a larger one.
    AtLeast(Path, Value),
    /// The attribute is a set without this member, or is not there.
    Excludes(Path, Value),
    /// The attribute has so many members, of a set, a list or a map; it is not there where that is none.
    Size(Path, usize),
    /// All of them hold.
    All(Vec<Self>),
}

impl Condition {
    /// The attribute is this value.
    pub fn equals(path: impl Into<Path>, value: impl IntoValue) -> Self {
        Self::Equals(path.into(), value.into_value())
    }

    /// The attribute is this value; it is not there where there is none.
    pub fn equals_or_lacks(path: impl Into<Path>, value: Option<impl IntoValue>) -> Self {
        let path = path.into();
        match value {
            Some(value) => Self::Equals(path, value.into_value()),
            None => Self::Lacks(path),
        }
    }

    /// The attribute is a smaller number.
    pub fn below(path: impl Into<Path>, value: impl IntoValue) -> Self {
        Self::Below(path.into(), value.into_value())
    }

    /// The attribute is this number or a smaller one.
    pub fn at_most(path: impl Into<Path>, value: impl IntoValue) -> Self {
        Self::AtMost(path.into(), value.into_value())
    }

    /// The attribute is this number or a larger one.
    pub fn at_least(path: impl Into<Path>, value: impl IntoValue) -> Self {
        Self::AtLeast(path.into(), value.into_value())
    }

    /// The attribute is a set without this member, or is not there.
    pub fn excludes(path: impl Into<Path>, value: impl IntoValue) -> Self {
        Self::Excludes(path.into(), value.into_value())
    }

    /// The attribute has so many members; it is not there where that is none.
    pub fn size(path: impl Into<Path>, members: usize) -> Self {
        Self::Size(path.into(), members)
    }

    /// The row has the attribute.
    pub fn has(path: impl Into<Path>) -> Self {
        Self::Has(path.into())
    }

    /// The row has no such attribute.
    pub fn lacks(path: impl Into<Path>) -> Self {
        Self::Lacks(path.into())
    }
}

/// An attribute, or a member of the map at an index of the list that it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// The attribute's name.
    pub attribute: String,
    /// The index in the list, and the member's name.
    pub inside: Option<(usize, String)>,
}

impl Path {
    /// `attribute[index].member`.
    pub fn inside(attribute: impl Into<String>, index: usize, member: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), inside: Some((index, member.into())) }
    }
}

impl<S: Into<String>> From<S> for Path {
    fn from(attribute: S) -> Self {
        Self { attribute: attribute.into(), inside: None }
    }
}

/// What an update does to one attribute of its row, which it makes if there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets the value.
    Set(String, Value),
    /// Sets the value unless there is one.
    SetIfAbsent(String, Value),
    /// Appends the values to the list that the attribute is.
    Append(String, Vec<Value>),
    /// Adds a number to a number, or members to a set; the attribute may not be there yet.
    Add(String, Value),
    /// Takes members from a set; with the last one the attribute goes.
    Take(String, Value),
    /// Takes the attribute away.
    Remove(String),
    /// Takes so many values from the front of the list that the attribute is.
    RemoveFirst(String, usize),
    /// Takes a member from the map that the attribute is; the map stays, with the last one gone, too.
    RemoveMember(String, String),
}

/// What one write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Puts the row in the place of what is there.
    Put(Row),
    /// Changes the row.
    Update(Vec<Change>),
    /// Deletes the row.
    Delete,
    /// Does nothing: a transaction's condition on a row that it does not write.
    Check,
}

/// One write of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which row.
    pub key: Key,
    /// What it does.
    pub action: Action,
    /// What must hold before.
    pub condition: Option<Condition>,
}

impl Write {
    /// Puts a row.
    pub fn put(key: Key, row: Row) -> Self {
        Self { key, action: Action::Put(row), condition: None }
    }

    /// Puts a row where there is none.
    pub fn create(key: Key, row: Row) -> Self {
        Self::put(key, row).when(Condition::Absent)
    }

    /// Changes nothing yet: [`Write::set`] and its like say what.
    pub fn update(key: Key) -> Self {
        Self { key, action: Action::Update(Vec::new()), condition: None }
    }

    /// Deletes a row.
    pub fn delete(key: Key) -> Self {
        Self { key, action: Action::Delete, condition: None }
    }

    /// Checks a row in a transaction.
    pub fn check(key: Key, condition: Condition) -> Self {
        Self { key, action: Action::Check, condition: Some(condition) }
    }

    /// Only when this holds, too.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            None => condition,
            Some(Condition::All(mut all)) => {
                all.push(condition);
                Condition::All(all)
            }
            Some(one) => Condition::All(vec![one, condition]),
        });
        self
    }

    /// An update that does this, too.
    #[must_use]
    pub fn and(mut self, change: Change) -> Self {
        match &mut self.action {
            Action::Update(changes) => changes.push(change),
            other => *other = Action::Update(vec![change]),
        }
        self
    }

    /// Sets an attribute.
    #[must_use]
    pub fn set(self, attribute: impl Into<String>, value: impl IntoValue) -> Self {
        self.and(Change::Set(attribute.into(), value.into_value()))
    }

    /// Sets an attribute unless there is one.
    #[must_use]
    pub fn set_if_absent(self, attribute: impl Into<String>, value: impl IntoValue) -> Self {
        self.and(Change::SetIfAbsent(attribute.into(), value.into_value()))
    }

    /// Adds a number, or members of a set.
    #[must_use]
    pub fn add(self, attribute: impl Into<String>, value: impl IntoValue) -> Self {
        self.and(Change::Add(attribute.into(), value.into_value()))
    }

    /// Takes members from a set.
    #[must_use]
    pub fn take(self, attribute: impl Into<String>, value: impl IntoValue) -> Self {
        self.and(Change::Take(attribute.into(), value.into_value()))
    }

    /// Takes an attribute away.
    #[must_use]
    pub fn remove(self, attribute: impl Into<String>) -> Self {
        self.and(Change::Remove(attribute.into()))
    }

    /// Takes a member from a map.
    #[must_use]
    pub fn remove_member(self, attribute: impl Into<String>, member: impl Into<String>) -> Self {
        self.and(Change::RemoveMember(attribute.into(), member.into()))
    }
}

/// Writes of another table in one transaction.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The other table, of the same kind and in the same account.
    pub table: Arc<dyn Table>,
    /// What is written there, or checked.
    pub writes: Vec<Write>,
}

/// What a write gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returning {
    /// Nothing.
    Nothing,
    /// The row as it was; empty if there was none.
    Before,
    /// The row as it is now.
    After,
    /// The attributes that the update names, as they are now.
    Changed,
}

/// The rows of one partition, in the order of their sort keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The partition.
    pub pk: String,
    /// Only sort keys that begin like this.
    pub prefix: Option<String>,
    /// Only sort keys that come after this one.
    pub after: Option<String>,
    /// At most so many rows.
    pub limit: Option<usize>,
}

impl Query {
    /// All rows of a partition.
    pub fn partition(pk: impl Into<String>) -> Self {
        Self { pk: pk.into(), prefix: None, after: None, limit: None }
    }

    /// Only sort keys that begin like this.
    #[must_use]
    pub fn beginning(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }
}

/// Which rows of a whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// All of them.
    All,
    /// Those of partitions that begin like one of these.
    Partitions(Vec<String>),
    /// Those whose sort keys begin like this.
    Rows(String),
}

/// Some rows of a table, and where to go on.
pub type ScanPage = (Vec<(Key, Row)>, Option<Key>);

/// One table. `what` names an attempt in its error, with ids only.
#[async_trait]
pub trait Table: fmt::Debug + Send + Sync {
    /// One row; `None` if there is none.
    async fn get(&self, what: &str, key: &Key) -> Result<Option<Row>, StoreError>;

    /// Rows in the order of `keys`, which are distinct.
    async fn batch_get(&self, what: &str, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError>;

    /// Rows of one partition with their sort keys.
    async fn query(&self, what: &str, query: &Query) -> Result<Vec<(String, Row)>, StoreError>;

    /// One write. `Conflict`: its condition does not hold.
    async fn write(&self, what: &str, write: Write, returning: Returning) -> Result<Row, StoreError>;

    /// Writes of distinct rows, those of the tables `beside` too, at most 100 in all, all or none. `Conflict`: a condition
    /// does not hold, or another transaction writes one of the rows.
    async fn transact(&self, what: &str, writes: Vec<Write>, beside: Vec<Beside>) -> Result<(), StoreError>;

    /// The table itself, so that another one can tell what it is [`Beside`].
    fn as_any(&self) -> &dyn Any;

    /// Puts and deletions of distinct rows, without conditions, in no particular order. After an error some may be done.
    async fn batch_write(&self, what: &str, writes: Vec<Write>) -> Result<(), StoreError>;

    /// One page of all rows that `scan` lets pass, behind the row `after`; with the row to go on behind, if there is more.
    async fn scan_page(&self, what: &str, scan: &Scan, after: Option<Key>) -> Result<ScanPage, StoreError>;
}

/// The row of a value: its fields are the attributes.
///
/// # Errors
/// `Corrupt` if the value is not one that a row can hold: a defect.
pub fn to_row(what: &str, value: &impl Serialize) -> Result<Row, StoreError> {
    serde_dynamo::to_item(value).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
}

/// The attribute of a value.
///
/// # Errors
/// `Corrupt` if the value is not one that an attribute can hold: a defect.
pub fn to_value(what: &str, value: &impl Serialize) -> Result<Value, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
}

/// The value in a row.
///
/// # Errors
/// `Corrupt` if an attribute is missing or of another form. Nobody writes a NULL: were one read as an attribute that is
/// missing, what was removed could come back in force.
pub fn read_row<T: DeserializeOwned>(what: &str, row: Row) -> Result<T, StoreError> {
    if row.values().any(|value| matches!(value, Value::Null(_))) {
        return Err(corrupt(format!("{what}: an attribute is NULL")));
    }
    serde_dynamo::from_item(row).map_err(|error| StoreError::Corrupt(Failure::caused_by(what, error)))
}

/// A row that is not what was written.
pub fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(Failure::new(what))
}

/// What an attribute can be set to.
pub trait IntoValue {
    /// The attribute's value.
    fn into_value(self) -> Value;
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::S(self.to_owned())
    }
}

impl IntoValue for &String {
    fn into_value(self) -> Value {
        Value::S(self.clone())
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::S(self)
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::B(self.to_vec())
    }
}

/// A set of texts. DynamoDB refuses an empty one.
impl IntoValue for &BTreeSet<String> {
    fn into_value(self) -> Value {
        Value::Ss(self.iter().cloned().collect())
    }
}

impl IntoValue for &[String] {
    fn into_value(self) -> Value {
        Value::L(self.iter().map(IntoValue::into_value).collect())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl IntoValue for $number {
            fn into_value(self) -> Value {
                Value::N(self.to_string())
            }
        }
    )* };
}

numbers!(u32, u64, i64, usize);
