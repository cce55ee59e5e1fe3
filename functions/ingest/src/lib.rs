//! The Firehose transformation: every record becomes bronze lines or quarantine.
