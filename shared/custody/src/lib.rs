//! Subjects, claims, links, access requests, requests of persons, the ledger's own acts: the model and its ports.

pub mod access;
pub mod acts;
pub mod answer;
pub mod committed;
pub mod completion;
pub mod crm;
pub mod derivation;
pub mod holding;
pub mod journal;
pub mod keys;
pub mod order;
pub mod own;
pub mod page;
pub mod planned;
pub mod publication;
pub mod query;
pub mod reconciliation;
pub mod replay;
pub mod request;
pub mod resolve;
pub mod retention;
pub mod rotation;
pub mod subjects;
pub mod watch;
