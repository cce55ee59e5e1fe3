//! What the company's CRM says of an object's customers, for silver's columns. A miss is null, counted, and never a reason to wait.
//!
//! Invariant: nothing is asked of an event that an erasure covers, and nothing is kept from one object to the next but which orgs have a
//! CRM: a row must not outlive its person's erasure in a warm process. What a row says is checked by the policy again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use ledgerline_json::Json;
use ledgerline_ledger::entry::Record;
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::{KeyRing, Policy, Pseudonym, PseudonymKey};
use ledgerline_store::crm::{CrmKind, CrmName, CrmOrgs, CrmRow};

use crate::config::Settings;
use crate::gate::Gate;
use crate::reading::{Event, Named, Read};
use crate::stores::Stores;

/// How long it counts by which kinds an org's CRM names customers: what is loaded is in silver a minute later.
const KINDS_TTL_MS: i64 = 60_000;

/// Rows that are asked for at a time: ten calls of the table's hundred, some 200 KB of names.
const NAMES_AT_ONCE: usize = 1_000;

/// Kinds by org, and since when they count.
type Kept = BTreeMap<String, (i64, Arc<BTreeSet<String>>)>;

/// By which kinds orgs' CRMs name customers, each read again once it is older than [`KINDS_TTL_MS`].
#[derive(Debug)]
pub(crate) struct CrmKinds {
    orgs: CrmOrgs,
    kept: Mutex<Kept>,
}

impl CrmKinds {
    pub(crate) fn new(orgs: CrmOrgs) -> Self {
        Self { orgs, kept: Mutex::default() }
    }

    async fn of(&self, org: &str, now_ms: i64) -> Result<Arc<BTreeSet<String>>, StoreError> {
        if let Some((since_ms, kinds)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(org)
            && now_ms.saturating_sub(*since_ms) < KINDS_TTL_MS
        {
            return Ok(Arc::clone(kinds));
        }
        let kinds = Arc::new(self.orgs.kinds(org).await?);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(org.to_owned(), (now_ms, Arc::clone(&kinds)));
        Ok(kinds)
    }
}

/// What CRMs say of an object's events.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// By event id.
    rows: HashMap<String, Arc<CrmRow>>,
    /// Events of orgs with a CRM of which nothing is said.
    pub(crate) misses: u64,
    /// Values in rows that the policy does not let through.
    pub(crate) masked: u64,
}

impl Said {
    /// What is said of an event.
    pub(crate) fn of(&self, event_id: &str) -> Option<&CrmRow> {
        self.rows.get(event_id).map(|row| &**row)
    }

    /// Of how many events anything is said.
    pub(crate) fn hits(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// Reads what CRMs say of the events that this object owns and no erasure covers: of the first of an event's identifiers of which anything
/// is said, under the newest key that any is under, else of its record.
pub(crate) async fn read(
    stores: &Stores,
    settings: &Settings,
    now_ms: i64,
    read: &Read,
    gate: &Gate<'_>,
    owned: &[&Event],
) -> Result<Said, StoreError> {
    let mut kinds: BTreeMap<&str, Arc<BTreeSet<String>>> = BTreeMap::new();
    let mut asked: Vec<(&Event, Vec<(&str, CrmName)>)> = Vec::new();
    for event in owned.iter().copied().filter(|event| !gate.suppresses(&event.adapted)) {
        let org = read.org(&event.adapted);
        if !kinds.contains_key(org) {
            kinds.insert(org, stores.crm_kinds.of(org, now_ms).await?);
        }
        let names = names_of(read, &settings.pseudonyms, event, org, &kinds[org]);
        if !names.is_empty() {
            asked.push((event, names));
        }
    }
    let mut names: Vec<(&str, CrmName)> = asked.iter().flat_map(|(_, names)| names.iter().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    let mut said = Said::default();
    let mut rows: BTreeMap<(&str, CrmName), Arc<CrmRow>> = BTreeMap::new();
    for names in names.chunks(NAMES_AT_ONCE) {
        let found = stores.crm.read(&names.iter().cloned().collect()).await?;
        for (name, row) in found {
            let row = clear(settings.policy, settings.pseudonyms.newest(), row, &mut said.masked);
            rows.insert(name, Arc::new(row));
        }
    }
    for (event, names) in asked {
        match names.iter().find_map(|name| rows.get(name)) {
            Some(row) => drop(said.rows.insert(event.event_id.clone(), Arc::clone(row))),
            None => said.misses += 1,
        }
    }
    Ok(said)
}

/// What an event's customer may stand under in the org's CRM.
fn names_of<'r>(
    read: &'r Read,
    ring: &KeyRing,
    event: &Event,
    org: &'r str,
    kinds: &BTreeSet<String>,
) -> Vec<(&'r str, CrmName)> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let identifiers = event.adapted.identifiers.iter().map(|&at| &read.identifiers[at]);
    let identifiers = identifiers.filter(|Named { kind, .. }| kinds.contains(kind.label()));
    // Under another rule's key a value's pseudonym may be what somebody else was normalised to.
    let is_of_today = |name: &&String| Pseudonym::parse(name).is_some_and(|name| ring.is_of_today(&name));
    let pseudonyms = identifiers.flat_map(|Named { pseudonyms, .. }| pseudonyms).filter(is_of_today);
    let pseudonyms = pseudonyms.cloned().map(CrmName::Pseudonym);
    let record = match &read.records[event.adapted.record].about {
        Record::Interaction(id) if kinds.contains(CrmKind::Record.label()) => Some(CrmName::Record(id.clone())),
        Record::Interaction(_) | Record::Entity { .. } => None,
    };
    pseudonyms.chain(record).map(|name| (org, name)).collect()
}

/// What of a row may stand in silver.
fn clear(policy: &Policy, key: &PseudonymKey, row: CrmRow, masked: &mut u64) -> CrmRow {
    let mut checked = |name: &'static str, said: Option<String>| {
        let said = said?;
        // An owner who is a person is a pseudonym already.
        let is_name = name == OWNER && Pseudonym::parse(&said).is_some();
        let is_clear = is_name || {
            let value = Json::from(said.as_str());
            let kept = policy.mask(key, [(name, &value)]);
            kept.clear.first().and_then(|(_, clear)| clear.as_text()) == Some(said.as_str())
        };
        *masked += u64::from(!is_clear);
        is_clear.then_some(said)
    };
    let CrmRow { tier, product, owner } = row;
    CrmRow { tier: checked(TIER, tier), product: checked(PRODUCT, product), owner: checked(OWNER, owner) }
}

const TIER: &str = "crm_tier";
const PRODUCT: &str = "crm_product";
const OWNER: &str = "crm_owner";

#[cfg(test)]
mod tests {
    use ledgerline_event::catalogue::built_in;

    use super::*;

    #[test]
    fn what_a_row_says_passes_the_policy_or_is_masked_and_counted() {
        let (policy, key) = (built_in().policy(), PseudonymKey::new(1, [7; 32]));
        let row = |tier: &str, product: &str, owner: &str| CrmRow {
            tier: Some(tier.to_owned()),
            product: Some(product.to_owned()),
            owner: Some(owner.to_owned()),
        };
        let pseudonym = format!("p1_{}", "0f".repeat(32));
        for good in [row("Gold", "Credit card", &pseudonym), row("vip", "Mobile", "Enterprise team")] {
            let mut masked = 0;
            assert_eq!((clear(policy, &key, good.clone(), &mut masked), masked), (good, 0));
        }
        // Somebody wrote past the API.
        let mut masked = 0;
        let bad = row("Ludmila Zaborowska", "+15555550142", "Ludmila Zaborowska");
        assert_eq!((clear(policy, &key, bad, &mut masked), masked), (CrmRow::default(), 3));
        let mut masked = 0;
        assert_eq!((clear(policy, &key, row(&pseudonym, "Mobile", "vip"), &mut masked).tier, masked), (None, 1));
    }
}
