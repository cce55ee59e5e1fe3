//! Subjects, claims, links and access requests: the model and its ports.

pub mod claims;
pub mod query;
pub mod subjects;
pub mod access;
