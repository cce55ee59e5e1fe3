//! What the deployed functions weigh.

use std::io::Write as _;

use flate2::Compression;
use xtask::fault::Fault;
use xtask::local::{FUNCTIONS, bootstrap};
use xtask::tools::say;

/// What Lambda stores: the binary in a zip archive.
pub(super) fn measure() -> Result<(), Fault> {
    say("size: zipped as it is deployed (cargo lambda build --release)");
    for function in FUNCTIONS {
        let binary = bootstrap(function);
        let bytes = std::fs::read(&binary).map_err(|error| {
            Fault::caused_by(format!("cannot read {}", binary.display()), error, "run: cargo xtask bench size")
        })?;
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        let zipped = deflate.write_all(&bytes).and_then(|()| deflate.finish()).map_or(0, |zipped| zipped.len());
        say(&format!("  {function:12} {:5.2} MB zipped, {:5.2} MB unzipped", mb(zipped), mb(bytes.len())));
    }
    Ok(())
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
