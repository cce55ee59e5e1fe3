//! 8. Other systems that were told of the person: none is connected, and an answer about the request says so.
//!
//! | crash leaves | done again |
//! |---|---|
//! | nothing | nothing |

use async_trait::async_trait;
use ledgerline_ledger::store::StoreError;
use ledgerline_saga::{Outcome, Position, Step};

use crate::request::Request;

pub(super) struct Systems;

#[async_trait]
impl<'a> Step<Request<'a>> for Systems {
    fn name(&self) -> &'static str {
        "systems"
    }

    async fn run(&self, _: &Request<'a>, _: &Position, _: i64) -> Result<Outcome, StoreError> {
        Ok(Outcome::Done)
    }
}
