//! JSON as anybody may have written it: the lexer under every pass over foreign bytes, and one borrowed tree.
//!
//! Invariant: nothing here panics, and each byte is read a constant number of times. What is read is I-JSON (RFC 7493): an
//! object that names a member twice, a number beyond a double, bytes that are not UTF-8 are refused with a closed [`Flaw`]. The one
//! thing that I-JSON forbids and the tree takes is a lone surrogate in a value: some encoders cut texts through the middle of a
//! character, and the rest of their event is good. [`DAMAGE`] marks the place.

pub mod lexer;
mod tree;
pub mod walk;

pub use lexer::{DAMAGE, Flaw, MAX_DEPTH};
pub use tree::{Json, Number, Object, Stated, parse};
