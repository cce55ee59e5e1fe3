//! The company's own among an object's identifiers: they name nobody.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ledgerline_custody::own::{OwnList, Standing};
use ledgerline_ledger::store::StoreError;

use crate::config::Settings;
use crate::reading::{Named, Read};
use crate::stores::Stores;

/// Identifiers that are the company's own, by the org whose list has them.
#[derive(Debug, Default)]
pub(crate) struct OwnMentions(BTreeMap<String, HashSet<usize>>);

impl OwnMentions {
    /// Looks the mentioned identifiers up in their orgs' lists. An object that mentions none reads no list.
    ///
    /// Notes those orgs first, own identifiers counted: who asks for the company's hotline must be told that it is one. A crash after
    /// it leaves an org without subjects, of whom an access request finds nobody.
    pub(crate) async fn read(
        stores: &Stores,
        settings: &Settings,
        now_ms: i64,
        read: &Read,
    ) -> Result<Self, StoreError> {
        let mut by_org: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for line in read.adapted().filter(|line| !line.identifiers.is_empty()) {
            by_org.entry(read.org(line)).or_default().extend(&line.identifiers);
        }
        let mut own = Self::default();
        for (org, mentioned) in by_org {
            stores.note_org(org).await?;
            let list = stores.own.of(org, now_ms).await?;
            let is_own = |identifier: &usize| {
                let Named { pseudonyms, domain, .. } = &read.identifiers[*identifier];
                let domain = domain.as_ref().map(|domain| domain.expose_for_pseudonym());
                let lists = [&settings.own_numbers, &*list];
                let standing = |list: &&OwnList| list.standing(pseudonyms.iter().map(String::as_str), domain);
                lists.iter().any(|list| standing(list) == Standing::InForce)
            };
            own.0.insert(org.to_owned(), mentioned.into_iter().filter(is_own).collect());
        }
        Ok(own)
    }

    /// Whether the identifier is this org's own.
    pub(crate) fn names(&self, identifier: usize, org: &str) -> bool {
        self.0.get(org).is_some_and(|own| own.contains(&identifier))
    }
}
