//! Source adapters, the canonical event, event identity, lineage tokens.

pub mod adapters;
pub mod content_id;
pub mod document;
pub mod head;
pub mod lineage;
pub mod instant;
