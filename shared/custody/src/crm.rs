//! The body of a CRM's load: what the company's CRM says of its customers, each named by an identifier, or by a record's id.
//!
//! Invariant: as in [`crate::query`]: what names a person becomes [`Identifier`]s at once, whose values cannot be printed, and no error
//! repeats anything of a body. A row of another form refuses the whole load; a value that names nobody refuses its row alone, since
//! every CRM holds some.

use ledgerline_json::{Json, Object};
use ledgerline_privacy::{Identifier, Region};
use ledgerline_store::crm::CrmKind;

use crate::query::{self, QueryError, only_members, text, unprocessable, value_of};
use crate::request::ask;

/// Rows of one load: with two versions of each key, 300 rows of transactions, of which one holds 100.
pub const MAX_ROWS: usize = 100;
/// Longest body that is read: so many rows of identifiers of 512 bytes and what is said of them, escaped, twice over.
pub const LOAD_BYTES: usize = 256 * 1024;
/// Longest value of what is said: an owner's name or id.
const MAX_SAID_CHARS: usize = 256;

/// A load as sent.
#[derive(Debug)]
pub struct Load {
    /// The organisation whose customers these are; the only one that the caller may see unless it is given.
    pub org: Option<String>,
    /// The rows.
    pub rows: Vec<LoadRow>,
}

/// What is said of one customer.
#[derive(Debug)]
pub struct LoadRow {
    /// What the customer is named by.
    pub kind: CrmKind,
    /// Whom it names: an address may stand for several; nobody where the value names nobody.
    pub names: Vec<LoadName>,
    /// The customer's tier.
    pub tier: Option<String>,
    /// What the customer has.
    pub product: Option<String>,
    /// Who looks after the account.
    pub owner: Option<String>,
}

/// Whom a row is about.
#[derive(Debug)]
pub enum LoadName {
    /// An identifier.
    Identifier(Identifier),
    /// The id of an interaction.
    Record(String),
}

impl Load {
    /// Reads the body of `POST …/reference/crm`. `region` is where phone numbers belong to that say no country.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub fn parse(body: &[u8], region: Region) -> Result<Self, QueryError> {
        let body = ask::object(body)?;
        only_members(&body, "The body", &["org", "rows"])?;
        let rows = match body.get("rows") {
            Some(Json::Array(rows)) if (1..=MAX_ROWS).contains(&rows.len()) => rows,
            _ => {
                return Err(unprocessable(format!(
                    "`rows` must be an array of 1 to {MAX_ROWS} objects of kind, value, and tier, product or owner."
                )));
            }
        };
        let rows = rows.iter().enumerate().map(|(index, row)| LoadRow::parse(index, row, region));
        Ok(Self { org: query::org(&body)?, rows: rows.collect::<Result<_, _>>()? })
    }
}

impl LoadRow {
    fn parse(index: usize, row: &Json<'_>, region: Region) -> Result<Self, QueryError> {
        let place = format!("`rows[{index}]`");
        let Json::Object(row) = row else { return Err(unprocessable(format!("{place} must be an object."))) };
        only_members(row, &place, MEMBERS)?;
        let kind = text(row, "kind", &format!("{place}.kind"))?.and_then(kind_of);
        let kind = kind.ok_or_else(|| {
            unprocessable(format!(
                "{place}.kind must be record, for an interaction's id, or a kind of identifier: phone, email, account, external_contact, messaging_address, phone_hash, email_hash, account_hash or customer_id_hash."
            ))
        })?;
        let value = value_of(row, &place)?;
        let names = match kind {
            CrmKind::Identifier(kind) => {
                query::readings(kind, &value, region).into_iter().map(LoadName::Identifier).collect()
            }
            CrmKind::Record if ask::is_interaction(&value) => vec![LoadName::Record(value.into_owned())],
            CrmKind::Record => Vec::new(),
        };
        let said = |name| said(row, name, &place);
        let row = Self { kind, names, tier: said("tier")?, product: said("product")?, owner: said("owner")? };
        if [&row.tier, &row.product, &row.owner].iter().all(|said| said.is_none()) {
            return Err(unprocessable(format!("{place} says nothing: give tier, product or owner.")));
        }
        Ok(row)
    }
}

/// `record`, or a kind of a customer's identifier.
fn kind_of(label: &str) -> Option<CrmKind> {
    if label.eq_ignore_ascii_case(CrmKind::Record.label()) {
        return Some(CrmKind::Record);
    }
    query::kind_of(label).map(CrmKind::Identifier)
}

/// What is said; blank is nothing.
fn said(row: &Object<'_>, name: &str, place: &str) -> Result<Option<String>, QueryError> {
    let Some(said) = text(row, name, &format!("{place}.{name}"))?.map(str::trim).filter(|said| !said.is_empty()) else {
        return Ok(None);
    };
    if said.chars().count() > MAX_SAID_CHARS {
        return Err(unprocessable(format!("{place}.{name} has more than {MAX_SAID_CHARS} characters.")));
    }
    Ok(Some(said.to_owned()))
}

const MEMBERS: &[&str] = &["kind", "value", "tier", "product", "owner"];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(body: &Value) -> Result<Load, QueryError> {
        Load::parse(body.to_string().as_bytes(), Region::US)
    }

    #[test]
    fn a_row_names_its_customer_or_nobody() {
        let row = |kind: &str, value: Value| json!({ "kind": kind, "value": value, "tier": " Gold ", "owner": "" });
        let body = json!({ "org": "acme", "rows": [
            row("phone", json!("(555) 555-0142")), row("Record", json!("c-9822-voice")), row("account", json!(1234)),
            row("messaging_address", json!("+15555550142")), row("phone", json!("anonymous")), row("record", json!("a b")),
        ] });
        let load = parse(&body).unwrap();
        let names: Vec<usize> = load.rows.iter().map(|row| row.names.len()).collect();
        assert_eq!((load.org.as_deref(), names), (Some("acme"), vec![1, 1, 1, 2, 0, 0]));
        let LoadRow { kind, names, tier, product, owner } = &load.rows[1];
        assert!(matches!(&names[..], [LoadName::Record(id)] if id == "c-9822-voice"));
        assert_eq!((kind, tier.as_deref(), product, owner), (&CrmKind::Record, Some("Gold"), &None, &None));
    }

    #[test]
    fn what_is_wrong_is_said_by_its_place_and_never_repeated() {
        let one = |row: Value| json!({ "rows": [{ "kind": "phone", "value": "+15555550142", "tier": "Gold" }, row] });
        let long = "planted".repeat(40);
        for (body, said) in [
            (json!({}), "`rows` must be an array of 1 to 100"),
            (json!({ "rows": [] }), "`rows` must be an array of 1 to 100"),
            (json!({ "rows": vec![json!({}); 101] }), "`rows` must be an array of 1 to 100"),
            (json!({ "rows": [{}], "planted": 1 }), "a member that is not known"),
            (one(json!("planted")), "`rows[1]` must be an object"),
            (one(json!({ "kind": "planted", "value": "x", "tier": "x" })), "`rows[1]`.kind must be record"),
            (one(json!({ "kind": "agent", "value": "x", "tier": "x" })), "`rows[1]`.kind must be record"),
            (one(json!({ "kind": "phone", "value": 1.5, "tier": "x" })), "`rows[1]`.value is a number"),
            (one(json!({ "kind": "phone", "value": "planted" })), "`rows[1]` says nothing"),
            (one(json!({ "kind": "phone", "value": "x", "tier": 7 })), "`rows[1]`.tier must be a string"),
            (one(json!({ "kind": "phone", "value": "x", "owner": long })), "`rows[1]`.owner has more than 256"),
            (one(json!({ "kind": "phone", "value": "x", "planted": "x" })), "`rows[1]` has a member"),
        ] {
            let error = parse(&body).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("planted"), "{error}");
        }
        assert!(matches!(
            parse(&json!({ "org": "a b", "rows": [{ "kind": "phone", "value": "1", "tier": "x" }] })),
            Err(QueryError::NoOrg)
        ));
    }
}
