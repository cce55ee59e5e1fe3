//! The tree, its notes, the fixed vectors, and the tampering matrix.

mod notes;
mod tampering;
mod tree;
mod vectors;
