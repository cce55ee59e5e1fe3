//! The end-to-end tests, one binary.

mod chain;
mod erasure;
mod evidence;
mod guides;
mod killed;
mod operator;
mod requests;
mod roles;
mod schedules;
mod sealed;
mod sources;
mod table;
