//! Whether a request names the company itself: a hotline's number, an address of its own domain.
//!
//! Invariant: the lists of all orgs count, and the parameter beside them, as an answer spans all orgs. Identifiers are compared
//! as transform compares them. Left out: an upstream hash of a number, which no list can know; a pseudonym or subject id of an
//! address whose domain is the company's, which no longer shows its domain.

use ledgerline_custody::own::{OwnList, Standing, domain_of};
use ledgerline_custody::query::{Query, Who};
use ledgerline_ledger::store::StoreError;
use ledgerline_privacy::Pseudonym;
use ledgerline_store::subject::SubjectState;

use crate::config::Config;
use crate::keys::Keys;
use crate::stores::Stores;

/// What of a request is the company's own.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// Of identifiers that are on a list: their pseudonyms under all versions of the key.
    pub(crate) in_force: Vec<String>,
    /// An identifier was on a list: what came then was linked to nobody.
    pub(crate) formerly: bool,
}

impl Own {
    /// Looks the request's identifiers up, and those of the `active` subjects that it names by their ids. Without a key nobody
    /// was ever linked.
    pub(crate) async fn of(
        stores: &Stores,
        config: &Config,
        query: &Query,
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
                active.iter().filter_map(|(_, state)| state.pseudonym.clone()).map(|name| (vec![name], None)).collect()
            }
        };
        let stored = stores.own.of_all(now_ms).await?;
        let parameter = OwnList::of(&config.own_numbers, Some(ring));
        for (names, domain) in asked {
            let of = |list: &OwnList| list.standing(names.iter().map(String::as_str), domain);
            match of(&stored).max(of(&parameter)) {
                Standing::InForce => own.in_force.extend(names),
                Standing::Formerly => own.formerly = true,
                Standing::Never => {}
            }
        }
        Ok(own)
    }

    /// Whether a subject is one of an identifier on a list, from before it came on it.
    pub(crate) fn names(&self, subject: &SubjectState) -> bool {
        subject.pseudonym.as_ref().is_some_and(|name| self.in_force.contains(name))
    }
}
