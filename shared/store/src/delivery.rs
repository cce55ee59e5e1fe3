//! A plan on its way: kept once, found again, its pointers sent, its object marked planned.
//!
//! Invariant: once a plan is kept it is carried out as it is, whatever a later run would compute; and a crash between any
//! two of these steps is repaired by taking them again. A writer of plans takes them in this order: [`find`],
//! [`keep`], [`carry_out`].

use ledgerline_lake::ObjectId;
use ledgerline_lake::keys::PlanOf;
use ledgerline_lake::plan::{HEADER_READ_BYTES, Header, Plan};
use ledgerline_ledger::store::StoreError;

use crate::object_row::ObjectRows;
use crate::plan::{Plans, Put};
use crate::queue::Pointers;
use crate::table::corrupt;

/// A plan that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its header.
    pub header: Header,
    /// Where its first chunk begins.
    pub header_bytes: u64,
}

/// The object's plan, if it has one.
///
/// # Errors
/// The store's, and `Corrupt` for what is not a plan, or lies in another's place.
pub async fn find(plans: &Plans, of: PlanOf, object: ObjectId) -> Result<Option<Kept>, StoreError> {
    let Some(head) = plans.get_head(of, object, HEADER_READ_BYTES).await? else { return Ok(None) };
    let (header, header_bytes) = Header::read(&head)?;
    if (header.of(), header.object) != (of, object) {
        return Err(corrupt("a plan lies in the place of another"));
    }
    Ok(Some(Kept { header, header_bytes }))
}

/// Keeps the plan unless the object has one, and says which plan holds. A crash after it leaves a plan without pointers,
/// which the next run finds; of two runs at once one keeps its plan, and both carry out that one.
///
/// # Errors
/// The store's.
pub async fn keep(plans: &Plans, plan: Plan) -> Result<Kept, StoreError> {
    let Plan { header, header_bytes, bytes } = plan;
    let (of, object) = (header.of(), header.object);
    match plans.put_if_absent(of, object, bytes.into()).await? {
        Put::Created => Ok(Kept { header, header_bytes }),
        Put::Exists => find(plans, of, object).await?.ok_or_else(|| corrupt("a plan that exists cannot be read")),
    }
}

/// Sends one pointer per chunk, then marks the object planned with the plan's own counts. A crash after some or all
/// pointers sends all of them again: the queue drops what it saw in the last minutes, audit-write's markers the rest.
///
/// # Errors
/// The stores'.
pub async fn carry_out(queue: &Pointers, rows: &ObjectRows, plan: &Kept, now: &str) -> Result<(), StoreError> {
    queue.send(&plan.header.pointers(plan.header_bytes)).await?;
    rows.planned(&plan.header, now).await
}
