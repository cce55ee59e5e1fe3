//! Requests of persons, for their data or their erasure: what is asked, what may be done about it by whom and when, what an approval binds.
//!
//! Invariant: everything in here is decided from what it is given; clock, regime and the deployment's rules are arguments. Left out: who
//! calls (the API's authorizer) and carrying a request out.

pub mod acts;
pub mod ask;
pub mod clock;
pub mod given;
pub mod machine;
pub mod preview;
