//! Subjects, claims, links and access requests: the model and its ports.

pub mod access;
pub mod answer;
pub mod claims;
pub mod order;
pub mod page;
pub mod query;
pub mod subjects;
