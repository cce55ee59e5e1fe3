//! The end-to-end tests, one binary.

mod approval;
mod callers;
mod capture;
mod chain;
mod compliance;
mod erasure;
mod evidence;
mod figures;
mod guides;
mod killed;
mod operator;
mod replay;
mod requests;
mod roles;
mod schedules;
mod sealed;
mod sources;
mod table;
