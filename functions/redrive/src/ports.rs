//! What redrive may do, wired together: the ports are the lake's.

/// The stores.
#[derive(Debug)]
pub struct Ports<Errors, Stream> {
    /// Reads and deletes error objects, keeps what cannot go back.
    pub errors: Errors,
    /// Takes records back.
    pub stream: Stream,
}
