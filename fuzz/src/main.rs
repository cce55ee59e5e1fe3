//! `cargo xtask fuzz`. Without `--cfg fuzzing`, the command: it builds this crate again with that, and starts what came of it. With it, the
//! fuzz target: libFuzzer around one property, chosen by `LEDGERLINE_FUZZ_TARGET`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod guided {
    use std::sync::LazyLock;

    use ledgerline_fuzz::Target;

    static TARGET: LazyLock<Option<Target>> = LazyLock::new(|| {
        let name = std::env::var_os("LEDGERLINE_FUZZ_TARGET")?;
        Target::from_name(name.to_str()?)
    });

    libfuzzer_sys::fuzz_target!(|data: &[u8]| {
        if let Some(target) = *TARGET {
            target.check(data);
        }
    });
}

#[cfg(not(fuzzing))]
mod search;

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    xtask::fault::exit(search::run(clap::Parser::parse()))
}
