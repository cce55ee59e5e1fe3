//! Answers data subject access requests from the ledger.
