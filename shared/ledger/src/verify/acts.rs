//! Acts of the ledger's own that verification must know of: which of them count.
//!
//! Invariant: an act counts only if it is the committed entry of its place. An altered segment is read like any other, and
//! what stands in it must not add a key or excuse what is gone.

use super::evidence::{Evidence, EvidenceFault};
use super::logs::Check;
use super::reader::{Act, ActKind};
use crate::tree::Hash;

impl<E: Evidence + ?Sized> Check<'_, E> {
    pub(super) fn note_acts(&mut self, acts: Vec<Act>) {
        for act in acts {
            match &act.what {
                ActKind::KeyAdded(key) => self.keys.add(act.entry, act.leaf, key),
                ActKind::PrunedTo(_) => self.acts.push(act),
            }
        }
    }

    /// Acts count only if they are the committed entries of their places. Those below the last root that was vouched for
    /// are; of the others the tiles tell.
    pub(super) fn forget_acts(
        &mut self,
        is_committed: impl Fn(&Hash, Option<Hash>) -> bool,
    ) -> Result<(), EvidenceFault> {
        let (settled, tree) = (self.settled, &mut self.tree);
        let mut is_committed = |entry, leaf: &Hash| -> Result<bool, EvidenceFault> {
            Ok(entry < settled || is_committed(leaf, tree.leaf_by_tiles(entry)?))
        };
        self.keys.keep_added(&mut is_committed)?;
        for act in std::mem::take(&mut self.acts) {
            if is_committed(act.entry, &act.leaf)? {
                self.acts.push(act);
            }
        }
        Ok(())
    }
}
