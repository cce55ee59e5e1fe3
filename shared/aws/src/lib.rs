//! Every SDK call: the adapters of the ports.

pub mod bucket;
pub mod config;
pub mod evidence;
#[cfg(feature = "operator")]
pub mod operator;
pub mod stream;
pub mod table;
