//! `ledgerline`: checks, proves, shows and keeps the evidence of a deployment, from a folder or from the account itself.
//!
//! Exit codes: 0 it holds, 1 the evidence is broken, 2 it could not be checked. `main` alone reads the clock and the
//! terminal; everything below takes them as arguments.

fn main() {}
