//! The company's own among an object's identifiers: they name nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ledgerline_custody::own::{OwnList, Standing};

use crate::reading::Named;

/// Lists of own numbers, addresses and domains, by their orgs.
pub(crate) type Lists = BTreeMap<String, Arc<OwnList>>;

/// The lists that an object's reading knows, and what they say of its identifiers.
#[derive(Debug)]
pub(crate) struct Own<'a> {
    /// The one that counts in every org.
    everywhere: &'a OwnList,
    lists: Lists,
    /// Which identifiers are whose own: each is looked up once per object and org.
    asked: HashMap<String, HashMap<usize, bool>>,
}

impl<'a> Own<'a> {
    pub(crate) fn new(everywhere: &'a OwnList, lists: Lists) -> Self {
        Self { everywhere, lists, asked: HashMap::new() }
    }

    /// Takes more lists.
    pub(crate) fn learn(&mut self, lists: Lists) {
        self.lists.extend(lists);
    }

    /// Whether the org's list is here.
    pub(crate) fn knows(&self, org: &str) -> bool {
        self.lists.contains_key(org)
    }

    /// Whether the identifier at this place is the org's own.
    pub(crate) fn names(&mut self, org: &str, place: usize, Named { pseudonyms, domain, .. }: &Named) -> bool {
        if let Some(is_own) = self.asked.get(org).and_then(|asked| asked.get(&place)) {
            return *is_own;
        }
        let domain = domain.as_ref().map(|domain| domain.expose_for_pseudonym());
        let lists = [Some(self.everywhere), self.lists.get(org).map(|list| &**list)];
        let standing = |list: &OwnList| list.standing(pseudonyms.iter().map(String::as_str), domain);
        let is_own = lists.into_iter().flatten().any(|list| standing(list) == Standing::InForce);
        self.asked.entry(org.to_owned()).or_default().insert(place, is_own);
        is_own
    }
}
