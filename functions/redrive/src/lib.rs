//! Reads Firehose error objects and feeds their records back.
