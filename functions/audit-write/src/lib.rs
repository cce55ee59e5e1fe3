//! Appends planned chunks to the ledger: one segment, one transaction.
