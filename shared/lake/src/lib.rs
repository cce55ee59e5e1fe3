//! Object keys, bronze lines, the plan, silver Parquet.

pub mod bronze;
pub mod ids;
pub mod keys;
pub mod plan;
pub mod ports;
pub mod silver;
