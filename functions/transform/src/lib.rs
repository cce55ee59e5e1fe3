//! Bronze objects become silver rows and a ledger plan, once.
