//! The steps of an erasure, in their order.
//!
//! Invariant: each is one file whose comment says what a crash in it leaves. A step may be repeated from its last cursor, and done by two
//! slices at once. What destroys comes after what says that it is gone; what finds somebody's records goes after they are dealt with.

mod approve;
mod certificate;
mod close;
mod deletions;
mod enumerate;
mod links;
mod objects;
mod readback;
mod records;
mod settle;
mod subjects;
mod systems;
mod tombs;

use ledgerline_saga::Step;

use crate::request::Request;

pub(crate) use deletions::is_put_off;

/// The step that an erasure begins with.
pub(crate) const FIRST: &str = tombs::NAME;

/// All of them.
pub(crate) fn all<'a>() -> [&'a dyn Step<Request<'a>>; STEPS] {
    [
        &tombs::Tombs,
        &subjects::Subjects,
        &enumerate::Enumerate,
        &approve::Approve,
        &records::Records,
        &links::Links,
        &objects::Objects,
        &systems::Systems,
        &settle::Settle,
        &readback::Readback,
        &deletions::Deletions,
        &certificate::Certify,
        &close::Close,
    ]
}

const STEPS: usize = 13;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledgerline_store::{Erasure, Family};

    use super::*;

    #[test]
    fn every_family_that_an_erasure_takes_something_from_names_a_step() {
        let steps: BTreeSet<&str> = all().iter().map(|step| step.name()).collect();
        assert_eq!(steps.len(), STEPS, "no two steps have one name");
        assert_eq!(all()[0].name(), FIRST);
        for family in Family::ALL {
            if let Erasure::Erased(step) = family.erasure() {
                assert!(steps.contains(step), "{family:?} names the step {step}");
            }
        }
    }
}
