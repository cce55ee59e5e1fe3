//! What a person reads on a terminal: titles, facts, checks, findings and tables.
//!
//! Invariant: without a terminal, or with NO_COLOR, what is written is plain text without a single escape; nothing is
//! said by colour alone.

use std::fmt;
use std::io::{self, Write};

use console::{Style, measure_text_width};

/// Where an answer is written.
pub(crate) struct Screen<'a> {
    out: &'a mut dyn Write,
    width: usize,
    colours: bool,
    /// The last line written was empty: one is enough.
    blank: bool,
}

impl<'a> Screen<'a> {
    /// A screen of a given width.
    pub(crate) fn new(out: &'a mut dyn Write, width: usize, colours: bool) -> Self {
        Self { out, width: width.clamp(WIDTH_MIN, WIDTH_MAX), colours, blank: false }
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// The first line: what was done, to what.
    pub(crate) fn title(&mut self, text: &str, of: &str) -> io::Result<()> {
        self.gap()?;
        let (strong, soft) = (self.style(Tone::Strong), self.style(Tone::Soft));
        self.line(format_args!("  {}  {}", strong.apply_to(text), soft.apply_to(plain(of))))?;
        self.gap()
    }

    /// A heading with a rule.
    pub(crate) fn section(&mut self, title: &str) -> io::Result<()> {
        let head = format!("── {title} ");
        let rule = "─".repeat(self.width.saturating_sub(measure_text_width(&head) + 4));
        let (strong, soft) = (self.style(Tone::Strong), self.style(Tone::Soft));
        self.gap()?;
        self.line(format_args!("  {}{}", strong.apply_to(head), soft.apply_to(rule)))?;
        self.gap()
    }

    /// A paragraph, wrapped.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width - 4) {
            self.line(format_args!("  {line}"))?;
        }
        Ok(())
    }

    /// A name and its value.
    pub(crate) fn fact(&mut self, name: &str, value: &str) -> io::Result<()> {
        for (number, line) in wrap(value, self.width.saturating_sub(NAME_WIDTH + 4)).iter().enumerate() {
            let left = if number == 0 { name } else { "" };
            self.line(format_args!("  {}  {line}", self.style(Tone::Soft).apply_to(format!("{left:<NAME_WIDTH$}"))))?;
        }
        Ok(())
    }

    /// Something that holds, does not, or deserves a look; and what was seen.
    pub(crate) fn check(&mut self, mark: Mark, what: &str, detail: &str) -> io::Result<()> {
        self.line(format_args!("  {} {}", self.style(mark.tone()).apply_to(mark.sign()), plain(what)))?;
        if !detail.is_empty() {
            for line in wrap(detail, self.width - 6) {
                self.line(format_args!("    {}", self.style(Tone::Soft).apply_to(line)))?;
            }
        }
        Ok(())
    }

    /// Rows under headings; numbers to the right.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
        let widths: Vec<usize> = (0..headings.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell));
                cells.chain([measure_text_width(headings[column])]).max().unwrap_or(0)
            })
            .collect();
        let numeric: Vec<bool> = (0..headings.len())
            .map(|column| rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell)))
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
            let padded = cells.enumerate().map(|(column, cell)| {
                let missing = " ".repeat(widths[column].saturating_sub(measure_text_width(cell)));
                if numeric[column] { format!("{missing}{cell}") } else { format!("{cell}{missing}") }
            });
            padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        };
        self.line(format_args!("  {}", self.style(Tone::Soft).apply_to(line(&mut headings.iter().copied()))))?;
        for row in &rows {
            self.line(format_args!("  {}", line(&mut row.iter().map(String::as_str))))?;
        }
        Ok(())
    }

    /// The last line: the verdict.
    pub(crate) fn verdict(&mut self, mark: Mark, text: &str) -> io::Result<()> {
        let style = self.style(mark.tone());
        let strong = self.style(Tone::Strong);
        self.gap()?;
        self.line(format_args!("  {} {}", style.apply_to(mark.sign()), strong.apply_to(text)))?;
        self.gap()
    }

    /// An empty line, unless the last one was.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        if self.blank {
            return Ok(());
        }
        self.blank = true;
        writeln!(self.out)
    }

    fn line(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.blank = false;
        writeln!(self.out, "{text}")
    }

    fn style(&self, tone: Tone) -> Style {
        let style = Style::new().force_styling(self.colours);
        match tone {
            Tone::Soft => style.dim(),
            Tone::Strong => style.bold(),
            Tone::Good => style.green(),
            Tone::Bad => style.red().bold(),
            Tone::Gold => style.yellow(),
        }
    }
}

/// How something turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It holds.
    Good,
    /// It deserves a look.
    Look,
    /// It does not hold.
    Bad,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Look => "!",
            Self::Bad => "✗",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Look => Tone::Gold,
            Self::Bad => Tone::Bad,
        }
    }
}

#[derive(Clone, Copy)]
enum Tone {
    Soft,
    Strong,
    Good,
    Bad,
    Gold,
}

/// Groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun in the right form.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Bytes as a person reads them.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && (cell == "–" || cell.starts_with(|first: char| first.is_ascii_digit())) && {
        let units = [" B", " KB", " MB", " GB", " TB", " s", " ms"];
        let bare = units.iter().find_map(|unit| cell.strip_suffix(unit)).unwrap_or(cell);
        bare.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | '–'))
    }
}

/// Names and notes may be an attacker's: what would steer the terminal is shown as a mark.
fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign }).collect()
}

/// Lines of at most `width` columns, broken at spaces; what has none is left whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = &plain(text);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && measure_text_width(line) + 1 + measure_text_width(word) > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Room for the names of facts.
const NAME_WIDTH: usize = 18;
const WIDTH_MIN: usize = 60;
const WIDTH_MAX: usize = 116;

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(colours: bool, draw: impl FnOnce(&mut Screen<'_>)) -> String {
        let mut bytes = Vec::new();
        draw(&mut Screen::new(&mut bytes, 80, colours));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, 80, false);
        screen.title("VERIFY", "a\u{1b}[2J").unwrap();
        screen.check(Mark::Bad, "b\u{7}", "c\u{1b}[1A").unwrap();
        screen.table(&["log"], &[vec!["d\u{1b}c".to_owned()]]).unwrap();
        assert!(!out.iter().any(|byte| matches!(byte, 0x1b | 0x07)), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn plain_output_has_no_escapes() {
        let draw = |screen: &mut Screen<'_>| {
            screen.title("verify", "folder").unwrap();
            screen.check(Mark::Bad, "a segment was altered", &"long words ".repeat(20)).unwrap();
            screen.verdict(Mark::Good, "It holds.").unwrap();
        };
        let text = drawn(false, draw);
        assert!(!text.contains('\u{1b}'));
        assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
        assert!(drawn(true, draw).contains('\u{1b}'));
    }

    #[test]
    fn tables_align_numbers_to_the_right() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bb".to_owned(), "1,000".to_owned()]];
        let text = drawn(false, |screen| screen.table(&["log", "entries"], &rows).unwrap());
        assert_eq!(text, "  log   entries\n  a           1\n  bb      1,000\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!((grouped(0).as_str(), grouped(1_234_567).as_str()), ("0", "1,234,567"));
        assert_eq!((bytes(999).as_str(), bytes(1_500_000).as_str()), ("999 B", "1.5 MB"));
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
    }
}
