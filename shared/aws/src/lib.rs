//! Every SDK call: the adapters of the ports.

pub mod bucket;
pub mod chunks;
pub mod config;
pub mod control;
pub mod data_keys;
pub mod evidence;
pub mod firehose;
pub mod index;
mod items;
pub mod keys;
pub mod ledger;
pub mod obj_rows;
pub mod objects;
#[cfg(feature = "operator")]
pub mod operator;
pub mod own;
pub mod planned;
pub mod postings;
pub mod queue;
pub mod reads;
pub mod release;
pub mod signer;
pub mod signing;
pub mod sqs;
pub mod stream;
pub mod sweep;
pub mod table;
mod versions;
pub mod watch;
pub mod wrapping;
