//! Every SDK call: the adapters of the ports.

pub mod chunks;
pub mod config;
pub mod control;
pub mod data_keys;
pub mod index;
mod items;
pub mod keys;
pub mod ledger;
pub mod obj_rows;
pub mod objects;
pub mod postings;
pub mod queue;
pub mod reads;
pub mod release;
pub mod stream;
