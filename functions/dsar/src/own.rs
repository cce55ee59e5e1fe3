//! Whether a request names the company itself: a hotline's number, an address of its own domain.
//!
//! Invariant: an org's list counts in that org alone, as its subjects do, and the parameter in every org that is asked. Identifiers are
//! compared as transform compares them. Left out: an upstream hash of a number, which no list can know; a pseudonym or subject id of an
//! address whose domain is the company's, which no longer shows its domain.

use std::collections::BTreeSet;

use ledgerline_custody::keys::Keys;
use ledgerline_custody::own::{OwnList, Standing, domain_of};
use ledgerline_custody::query::{Query, Who};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Pseudonym;
use ledgerline_store::subject::SubjectState;

use crate::config::Config;
use crate::stores::Stores;

/// What of a request is the company's own.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// Of identifiers that are on an org's list: the org, and their pseudonyms under all versions of the key.
    pub(crate) in_force: BTreeSet<(String, String)>,
    /// An identifier was on a list: what came then was linked to nobody.
    pub(crate) formerly: bool,
}

impl Own {
    /// Looks the request's identifiers up in the lists of `orgs`, and those of the `active` subjects that it names by their ids in
    /// their own orgs'. Without a key nobody was ever linked.
    pub(crate) async fn of(
        stores: &Stores,
        config: &Config,
        query: &Query,
        orgs: &[String],
        active: &[(String, SubjectState)],
        keys: Option<&Keys>,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let mut own = Self::default();
        let Some(Keys { ring, .. }) = keys else { return Ok(own) };
        let text = |name: &Pseudonym| name.as_str().to_owned();
        let asked: Vec<(Vec<String>, Option<&str>)> = match &query.who {
            Who::Identifiers(all) => {
                all.iter().map(|one| (ring.pseudonyms(one).iter().map(text).collect(), domain_of(one))).collect()
            }
            Who::Pseudonym(one) => vec![(vec![text(one)], None)],
            Who::Subject(_) => {
                let names = active.iter().filter_map(|(_, state)| state.name.as_ref());
                names.map(|name| (vec![name.pseudonym.clone()], None)).collect()
            }
        };
        // A subject that is named by its id is of one org: no other's list says anything of it.
        let counts =
            |org: &String| !matches!(query.who, Who::Subject(_)) || active.iter().any(|(_, one)| one.is_of(org));
        let orgs: Vec<String> = orgs.iter().filter(|org| counts(org)).cloned().collect();
        let lists = stores.own.of_each(&orgs, now_ms).await?;
        let parameter = OwnList::of(&config.own_numbers, Some(ring));
        for (names, domain) in &asked {
            for (org, list) in orgs.iter().zip(&lists) {
                let of = |list: &OwnList| list.standing(names.iter().map(String::as_str), *domain);
                match of(list).max(of(&parameter)) {
                    Standing::InForce => own.in_force.extend(names.iter().map(|name| (org.clone(), name.clone()))),
                    Standing::Formerly => own.formerly = true,
                    Standing::Never => {}
                }
            }
        }
        Ok(own)
    }

    /// Whether a subject is one of an identifier on a list, from before it came on it.
    pub(crate) fn names(&self, subject: &SubjectState) -> bool {
        let name = subject.name.as_ref();
        name.is_some_and(|name| self.in_force.contains(&(name.org.clone(), name.pseudonym.clone())))
    }
}
