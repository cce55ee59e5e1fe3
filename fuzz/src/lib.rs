//! What must hold of any bytes that a source may send, and bytes to try it on.
//!
//! Invariant: a property is a plain function that panics where it does not hold. The tests run each over the seeds and over some
//! thousand changes of them, the same at every run; `cargo xtask fuzz` runs the same functions under libFuzzer for as long as wanted.
//! A finding becomes a test of the crate that it is about.
//!
//! Left out: what needs a store, and whether a reading is the right one. The crates' own tests say that.

pub mod change;
pub mod properties;
pub mod seeds;

/// A property of bytes, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// No byte of a record is lost or read twice, and what is split off as a document is one.
    Splitter,
    /// What the one pass says of a document, the adapter says.
    BytePass,
    /// Every document is adapted or refused, and named alike however it is laid out.
    Adapters,
    /// What was cut is a document without any sensitive value.
    Cutter,
    /// Bytes that are not JSON are cut without a panic, and not by more than what they hold.
    Garbage,
    /// What is taken of values that no description lists is short, printable and bounded.
    Unlisted,
    /// What is sealed opens to the same, and no other bytes open.
    Sealed,
    /// A body that somebody posts is taken apart into documents or refused, and a signature's header is one or none.
    Capture,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Splitter,
        Self::BytePass,
        Self::Adapters,
        Self::Cutter,
        Self::Garbage,
        Self::Unlisted,
        Self::Sealed,
        Self::Capture,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Splitter => "splitter",
            Self::BytePass => "byte-pass",
            Self::Adapters => "adapters",
            Self::Cutter => "cutter",
            Self::Garbage => "garbage",
            Self::Unlisted => "unlisted",
            Self::Sealed => "sealed",
            Self::Capture => "capture",
        }
    }

    /// The target of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Whether the property holds.
    ///
    /// # Panics
    /// It does not.
    pub fn check(self, input: &[u8]) {
        match self {
            Self::Splitter => properties::splitter(input),
            Self::BytePass => properties::byte_pass(input),
            Self::Adapters => properties::adapters(input),
            Self::Cutter => properties::cutter(input),
            Self::Garbage => properties::garbage(input),
            Self::Unlisted => properties::unlisted(input),
            Self::Sealed => properties::sealed(input),
            Self::Capture => properties::capture(input),
        }
    }
}
