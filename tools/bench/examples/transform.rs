//! What `cargo xtask bench transform` starts: the measure under the allocator that the function has.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match ledgerline_bench::measure_transform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            xtask::tools::say(&format!("error: {fault}"));
            ExitCode::FAILURE
        }
    }
}
