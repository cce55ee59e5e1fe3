//! temporary
use ledgerline_lake::plan::Pointer;
use ledgerline_ledger::store::StoreError;
use std::sync::Arc;
/// t
pub trait Queue: std::fmt::Debug + Send + Sync {}
/// t
#[derive(Clone, Debug)]
pub struct Pointers(Arc<dyn Queue>);
impl Pointers {
    /// t
    pub fn new(q: Arc<dyn Queue>) -> Self {
        Self(q)
    }
    /// t
    pub async fn send(&self, _: &[Pointer]) -> Result<(), StoreError> {
        Ok(())
    }
    /// t
    pub async fn backlog(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}
