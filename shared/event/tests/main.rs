//! The sources, whole: documents in, events out.

mod adapters;
mod documents;
mod foreign_forms;
mod guides;
mod heads;
mod policy;
mod readings;
mod support;
