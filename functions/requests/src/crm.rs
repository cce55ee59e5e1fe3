//! A CRM's load: each customer's tier, product and owner, for silver's columns.
//!
//! Invariant: no row is put of whom a tombstone suppresses, or of a record that an erasure took whole; nothing that names a person outlives
//! this module but as a pseudonym; of what is said only what the policy lets through is stored. The same load again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use ledgerline_custody::crm::{Load, LoadName, LoadRow};
use ledgerline_event::catalogue::built_in;
use ledgerline_json::Json;
use ledgerline_lambda::caller::Orgs;
use ledgerline_ledger::store::{Failure, StoreError};
use ledgerline_privacy::PseudonymKey;
use ledgerline_store::crm::{CrmName, CrmPut, CrmRow, rows_of_put};
use ledgerline_store::tombstone::Suppression;
use serde_json::json;

use crate::keys::Keys;
use crate::problem::Problem;
use crate::{Answered, Call};

/// Items of one transaction: DynamoDB's limit.
const ITEMS_PER_WRITE: usize = 100;
/// How often rows are tried again since erasures reached whom they are about.
const ROUNDS: usize = 4;

/// One straight line: open the keys, find the org, mask, note by what its CRM names, put.
pub(crate) async fn load(call: &Call<'_>, load: &Load) -> Result<Answered, Problem> {
    let keys = call.keys().await?.filter(|keys| keys.ring.is_current()).ok_or_else(Problem::no_key)?;
    let by = call.alias(&keys).await?;
    let org = org(call, load.org.as_deref()).await?;
    let mut masked = Masked::default();
    let (mut pending, mut kinds, mut refused) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for (index, row) in load.rows.iter().enumerate() {
        if row.names.is_empty() {
            refused.push(index);
            continue;
        }
        kinds.insert(row.kind.label().to_owned());
        let said = masked.clear(keys.ring.newest(), row);
        for name in &row.names {
            let (name, pseudonyms) = names_of(&keys, name);
            // Of two rows about one customer the later stays.
            let one = pending.entry(name).or_insert_with(|| Pending { pseudonyms, ..Pending::default() });
            one.said = said.clone();
            one.rows.insert(index);
        }
    }
    let mut suppressed = BTreeSet::new();
    if !kinds.is_empty() {
        call.stores().crm_orgs.note(&org, &kinds).await?;
        suppressed = put_all(call, &keys, &org, pending).await?;
    }
    let loaded = load.rows.len() - refused.len() - suppressed.len();
    tracing::info!(loaded, suppressed = suppressed.len(), refused = refused.len(), "CRM rows taken");
    let Masked { tier, product } = masked;
    let body = json!({
        "org": org, "loaded": loaded, "suppressed": suppressed.len(), "refused": refused,
        "masked": { "tier": tier, "product": product },
    });
    Ok(Answered { status: 200, what: "CRM loaded", request: None, state: None, by: Some(by), body: body.into() })
}

/// The org whose customers these are. It need not have events yet: what is loaded before them is in their rows.
async fn org(call: &Call<'_>, asked: Option<&str>) -> Result<String, Problem> {
    match (asked, &call.caller.orgs) {
        (Some(org), orgs) if orgs.allows(org) => Ok(org.to_owned()),
        (Some(_), _) => Err(Problem::no_org()),
        (None, Orgs::Only(orgs)) => match orgs.len() {
            1 => orgs.iter().next().cloned().ok_or_else(Problem::which_org),
            _ => Err(Problem::which_org()),
        },
        (None, Orgs::All) => match &call.stores().orgs.first(2).await?[..] {
            [only] => Ok(only.clone()),
            _ => Err(Problem::which_org()),
        },
    }
}

/// A customer whose row is to be put.
#[derive(Default)]
struct Pending {
    /// The identifier's pseudonyms under all versions of the key: a tombstone of any suppresses it. None of a record.
    pseudonyms: Vec<String>,
    said: CrmRow,
    /// The load's rows that are about it.
    rows: BTreeSet<usize>,
}

/// What a row is stored under, and all that its customer's tombstones may lie under.
fn names_of(keys: &Keys, name: &LoadName) -> (CrmName, Vec<String>) {
    match name {
        LoadName::Record(id) => (CrmName::Record(id.clone()), Vec::new()),
        LoadName::Identifier(identifier) => {
            let newest = keys.ring.newest().pseudonym(identifier).as_str().to_owned();
            let all = keys.ring.pseudonyms(identifier).into_iter().map(|one| one.as_str().to_owned());
            (CrmName::Pseudonym(newest), all.collect())
        }
    }
}

/// How many values the policy did not let through. An owner is a person: words, or else a pseudonym.
#[derive(Default)]
struct Masked {
    tier: usize,
    product: usize,
}

impl Masked {
    fn clear(&mut self, key: &PseudonymKey, row: &LoadRow) -> CrmRow {
        let clear = |name: &'static str, said: Option<&String>| {
            let said = Json::from(said?.as_str());
            let masked = built_in().policy().mask(key, [(name, &said)]);
            Some(masked.clear.first().and_then(|(_, clear)| clear.as_text()).map(str::to_owned))
        };
        let (tier, product) = (clear("crm_tier", row.tier.as_ref()), clear("crm_product", row.product.as_ref()));
        self.tier += usize::from(tier == Some(None));
        self.product += usize::from(product == Some(None));
        CrmRow {
            tier: tier.flatten(),
            product: product.flatten(),
            owner: clear("crm_owner", row.owner.as_ref()).flatten(),
        }
    }
}

/// Puts the rows of all that nothing suppresses; the load's rows that are about others.
async fn put_all(
    call: &Call<'_>,
    keys: &Keys,
    org: &str,
    mut pending: BTreeMap<CrmName, Pending>,
) -> Result<BTreeSet<usize>, Problem> {
    let mut suppressed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let seen = Seen::read(call, keys, org, &pending).await?;
        pending.retain(|name, one| {
            let is_free = seen.is_free(name, one, call.now_ms);
            if !is_free {
                suppressed.extend(one.rows.iter().copied());
            }
            is_free
        });
        for names in transactions(&pending, keys.suppression.versions()) {
            let put = |name: &CrmName| CrmPut { name: name.clone(), row: pending[name].said.clone() };
            let puts: Vec<CrmPut> = names.iter().map(put).collect();
            // Under a key of other rules two identifiers may have one pseudonym.
            let whom: BTreeSet<&String> = names.iter().flat_map(|name| &pending[name].pseudonyms).collect();
            let unchanged = call.stores().tombs.unchanged(whom.into_iter().filter_map(|one| seen.tombs.get(one)));
            match call.stores().crm.put(org, &puts, unchanged).await {
                Ok(()) => pending.retain(|name, _| !names.contains(name)),
                // An erasure reached one of them, or another load writes the same: all of these are asked about again.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if pending.is_empty() {
            return Ok(suppressed);
        }
    }
    Err(StoreError::Conflict(Failure::new(format!("put what a CRM says: others wrote {ROUNDS} times"))).into())
}

/// What suppresses customers.
struct Seen {
    /// By pseudonym.
    tombs: BTreeMap<String, Suppression>,
    /// Records that erasures took whole.
    closed: BTreeSet<String>,
}

impl Seen {
    async fn read(
        call: &Call<'_>,
        keys: &Keys,
        org: &str,
        pending: &BTreeMap<CrmName, Pending>,
    ) -> Result<Self, StoreError> {
        let pseudonyms: BTreeSet<&String> = pending.values().flat_map(|one| &one.pseudonyms).collect();
        let whom: Vec<(&str, &str)> = pseudonyms.iter().map(|pseudonym| (org, pseudonym.as_str())).collect();
        let tombs = match whom.is_empty() {
            true => Vec::new(),
            false => call.stores().tombs.read(&keys.suppression, &whom).await?,
        };
        let id = |name: &CrmName| match name {
            CrmName::Record(id) => Some(id.clone()),
            CrmName::Pseudonym(_) => None,
        };
        let ids: Vec<String> = pending.keys().filter_map(id).collect();
        let records: Vec<String> = ids.iter().map(|id| format!("{org}/{id}")).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let parties = match records.is_empty() {
            true => Vec::new(),
            false => call.stores().parties.read(&records).await?,
        };
        let closed = ids.into_iter().zip(parties).filter(|(_, party)| party.cutoff.is_some());
        Ok(Self {
            tombs: pseudonyms.into_iter().cloned().zip(tombs).collect(),
            closed: closed.map(|(id, _)| id).collect(),
        })
    }

    fn is_free(&self, name: &CrmName, one: &Pending, now_ms: i64) -> bool {
        let is_closed = matches!(name, CrmName::Record(id) if self.closed.contains(id));
        let mut tombs = one.pseudonyms.iter().filter_map(|pseudonym| self.tombs.get(pseudonym));
        !is_closed && tombs.all(|tomb| tomb.cutoff(now_ms).is_none())
    }
}

/// The names in groups of which each fits into one transaction; a pseudonym has a tombstone's row under each of so many versions.
fn transactions(pending: &BTreeMap<CrmName, Pending>, versions: usize) -> Vec<Vec<CrmName>> {
    let mut groups: Vec<(usize, Vec<CrmName>)> = Vec::new();
    for (name, one) in pending {
        let items = rows_of_put(name, one.pseudonyms.len() * versions);
        match groups.last_mut() {
            Some((all, names)) if *all + items <= ITEMS_PER_WRITE => {
                *all += items;
                names.push(name.clone());
            }
            _ => groups.push((items, vec![name.clone()])),
        }
    }
    groups.into_iter().map(|(_, names)| names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_the_tombstones_that_they_hang_on_fit_into_a_transaction() {
        let one = |at: usize| {
            (
                CrmName::Pseudonym(format!("{at:03}")),
                Pending { pseudonyms: vec![format!("{at:03}"), format!("old {at}")], ..Pending::default() },
            )
        };
        let record = (CrmName::Record("c-1".to_owned()), Pending::default());
        let pending: BTreeMap<_, _> = (0..100).map(one).chain([record]).collect();
        // Two pseudonyms under three versions, and the row itself: fourteen of them are 98.
        let groups = transactions(&pending, 3);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [14, 14, 14, 14, 14, 14, 14, 3]);
        assert_eq!(groups.concat(), pending.into_keys().collect::<Vec<_>>());
    }
}
