//! Every SDK call: the adapters of the ports.

pub mod athena;
pub mod bucket;
pub mod config;
pub mod evidence;
pub mod firehose;
#[cfg(feature = "operator")]
pub mod operator;
pub mod signer;
pub mod sqs;
pub mod table;
pub mod wrapping;
