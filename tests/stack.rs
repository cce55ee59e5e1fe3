//! The end-to-end tests, one binary.

mod approval;
mod callers;
mod chain;
mod compliance;
mod erasing;
mod erasure;
mod evidence;
mod guides;
mod killed;
mod operator;
mod requests;
mod residue;
mod roles;
mod schedules;
mod sealed;
mod sources;
mod table;
