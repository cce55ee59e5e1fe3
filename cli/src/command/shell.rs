//! `completions` and `man`: what the command line itself knows, for shells and readers.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::answer::{Answer, Answered, Raw};
use crate::args::Arguments;
use crate::fault::Fault;

/// A shell's completions.
pub(super) fn completions(shell: Shell) -> Box<dyn Answer> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ledgerline", &mut text);
    Box::new(Raw(text))
}

/// The manual page: the command's, and one section per subcommand behind it.
pub(super) fn manual() -> Answered {
    let mut text = Vec::new();
    let written = write_manual(&mut text);
    written.map_err(|error| Fault::caused_by("cannot write the manual page", &error, "free some memory"))?;
    Ok(Box::new(Raw(text)))
}

fn write_manual(text: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = Arguments::command();
    // Gives each subcommand its whole name.
    command.build();
    clap_mangen::Man::new(command.clone()).render(text)?;
    sections(&command, "LEDGERLINE", text)
}

/// One section per command below, and those below it.
fn sections(command: &clap::Command, above: &str, text: &mut Vec<u8>) -> std::io::Result<()> {
    for subcommand in command.get_subcommands() {
        let name = format!("{above} {}", subcommand.get_name().to_uppercase());
        text.extend(format!(".SH \"{name}\"\n").bytes());
        let man = clap_mangen::Man::new(subcommand.clone());
        let mut parts = Vec::new();
        man.render_description_section(&mut parts)?;
        man.render_synopsis_section(&mut parts)?;
        man.render_options_section(&mut parts)?;
        // They are parts of this section, not sections beside it.
        text.extend(String::from_utf8_lossy(&parts).replace(".SH ", ".SS ").bytes());
        sections(subcommand, &name, text)?;
    }
    Ok(())
}
