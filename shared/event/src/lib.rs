//! What a source sent, read: documents out of Firehose records, the canonical event out of a document, its identity,
//! its lineage token.
//!
//! Everything here is pure and works on bytes that anybody may have written: nothing panics, nothing is quadratic,
//! and what cannot be read is named by a closed [`Rejection`], never dropped. Raw personal values leave this crate
//! only as references into the parsed document or as [`ledgerline_privacy`] types that refuse to be printed.

pub mod adapters;
pub mod batch;
pub mod capture;
pub mod catalogue;
pub mod content_id;
pub mod document;
pub mod head;
pub mod lineage;
pub mod names;
pub mod pieces;
pub mod replayed;
pub mod sensitive;
pub mod source_event;
pub mod text_layer;

pub use adapters::adapt;
pub use content_id::{ContentId, content_id};
pub use document::Rejection;
pub use ledgerline_privacy::instant;
pub use source_event::{Context, Field, JsonKind, Lifecycle, LineageFrom, Links, Named, Record, SourceEvent, Unlisted};
