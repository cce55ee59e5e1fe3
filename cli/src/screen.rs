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
        // Names of an entry's fields are foreign, too.
        let name = plain(name);
        for (number, line) in wrap(value, self.width.saturating_sub(NAME_WIDTH + 4)).iter().enumerate() {
            let left = if number == 0 { name.as_str() } else { "" };
            self.line(format_args!("  {}  {line}", self.style(Tone::Soft).apply_to(format!("{left:<NAME_WIDTH$}"))))?;
        }
        Ok(())
    }

    /// Something that holds, does not, or deserves a look; and what was seen.
    pub(crate) fn check(&mut self, mark: Mark, what: &str, detail: &str) -> io::Result<()> {
        for (number, line) in wrap(what, self.width - 4).iter().enumerate() {
            let sign = if number == 0 { mark.sign() } else { " " };
            self.line(format_args!("  {} {line}", self.style(mark.tone()).apply_to(sign)))?;
        }
        if !detail.is_empty() {
            for line in wrap(detail, self.width - 6) {
                self.line(format_args!("    {}", self.style(Tone::Soft).apply_to(line)))?;
            }
        }
        Ok(())
    }

    /// Rows under headings; numbers to the right. Where they are wider than the screen, each row becomes a list.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
        let widths = widths(headings, &rows);
        let Some(gap) = GAPS.into_iter().find(|gap| room(self.width, &widths, *gap).is_some()) else {
            return self.stacked(headings, &rows);
        };
        let numeric: Vec<bool> = (0..headings.len())
            .map(|column| rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell)))
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
            let padded = cells.enumerate().map(|(column, cell)| {
                let missing = " ".repeat(widths[column].saturating_sub(measure_text_width(cell)));
                if numeric[column] { format!("{missing}{cell}") } else { format!("{cell}{missing}") }
            });
            padded.collect::<Vec<_>>().join(&" ".repeat(gap)).trim_end().to_owned()
        };
        self.line(format_args!("  {}", self.style(Tone::Soft).apply_to(line(&mut headings.iter().copied()))))?;
        for row in &rows {
            self.line(format_args!("  {}", line(&mut row.iter().map(String::as_str))))?;
        }
        Ok(())
    }

    /// A table whose first column names logs: names are cut in the middle before a row becomes a list, and the reader is
    /// told how to see them whole.
    pub(crate) fn log_table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let mut fitted = rows.to_vec();
        let mut widths = widths(headings, rows);
        widths[0] = LOG_WIDTH_MIN;
        let spare = room(self.width, &widths, GAPS[GAPS.len() - 1]);
        if let Some(spare) = spare {
            for row in &mut fitted {
                row[0] = cut(&row[0], LOG_WIDTH_MIN + spare);
            }
        }
        self.table(headings, &fitted)?;
        if fitted == rows { Ok(()) } else { self.say("Names with … are cut: --verbose and --json have them whole.") }
    }

    /// A row's first cell over the others, each beside its heading.
    fn stacked(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                self.gap()?;
            }
            self.line(format_args!("  {}", row.first().map_or("", String::as_str)))?;
            for (heading, cell) in headings.iter().zip(row).skip(1) {
                self.fact(&format!("  {heading}"), cell)?;
            }
        }
        Ok(())
    }

    /// The last line: the verdict.
    pub(crate) fn verdict(&mut self, mark: Mark, text: &str) -> io::Result<()> {
        let style = self.style(mark.tone());
        let strong = self.style(Tone::Strong);
        self.gap()?;
        for (number, line) in wrap(text, self.width.saturating_sub(4)).into_iter().enumerate() {
            let sign = if number == 0 { mark.sign() } else { " " };
            self.line(format_args!("  {} {}", style.apply_to(sign), strong.apply_to(line)))?;
        }
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

/// Names and notes may be an attacker's: what would steer the terminal, or show letters in another order than they stand
/// in, or not at all, is shown as a mark.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() || is_unseen(sign) { '\u{fffd}' } else { sign }).collect()
}

/// Directions, joiners, separators and tags: signs that change how others are seen.
fn is_unseen(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How wide each column is.
fn widths(headings: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell));
        cells.chain([measure_text_width(headings[column])]).max().unwrap_or(0)
    };
    (0..headings.len()).map(width).collect()
}

/// What columns with this much between them leave of the screen; `None` if they do not fit.
fn room(screen: usize, widths: &[usize], gap: usize) -> Option<usize> {
    screen.checked_sub(2 + widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1))
}

/// A name of at most `width` columns. The middle goes: an org's beginning and a log's class, generation and shard tell
/// most names apart.
fn cut(name: &str, width: usize) -> String {
    let name = plain(name);
    if measure_text_width(&name) <= width {
        return name;
    }
    let (signs, tail) = (name.chars().count(), width * 3 / 5);
    let (head, end) = (name.chars().take(width - tail - 1), name.chars().skip(signs - tail));
    head.chain(['…']).chain(end).collect()
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
/// Columns between two columns of a table: the wider one, if the screen has room for it.
const GAPS: [usize; 2] = [3, 2];
/// Least room for a log's name: `acme/i…ction/1/0`.
const LOG_WIDTH_MIN: usize = 16;
const WIDTH_MIN: usize = 40;
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
        screen.fact("e\u{1b}[31m", "f\u{9b}1A").unwrap();
        screen.verdict(Mark::Bad, "g\u{202e}sdloh tI").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|sign| sign == '\n' || !sign.is_control() && !is_unseen(sign)), "{text:?}");
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
    fn what_is_too_wide_for_a_table_is_a_list_and_no_line_is_wider_than_the_screen() {
        let rows = [vec!["acme/interaction/1/0".to_owned(), "1,000".to_owned(), "2026-03-02T14:00:00Z".to_owned()]];
        let mut bytes = Vec::new();
        let mut screen = Screen::new(&mut bytes, 40, false);
        screen.table(&["log", "entries", "earliest end"], &rows).unwrap();
        screen.verdict(Mark::Good, "It holds: 1,000 signed entries in 1 log, none removed, none changed.").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.lines().all(|line| measure_text_width(line) <= 44), "{text}");
        assert!(text.contains("    entries           1,000\n"), "{text}");
    }

    #[test]
    fn a_logs_name_loses_its_middle_before_its_row_becomes_a_list() {
        let rows = [vec!["a-company-with-a-name/interaction/1/0".to_owned(), "1,000".to_owned()]];
        let mut bytes = Vec::new();
        Screen::new(&mut bytes, 40, false).log_table(&["log", "entries"], &rows).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("\n  a-company-w…e/interaction/1/0    1,000\n") && text.contains("--verbose"), "{text}");
        let text = drawn(false, |screen| screen.log_table(&["log", "entries"], &rows).unwrap());
        assert!(text.contains(&rows[0][0]) && !text.contains("--verbose"), "{text}");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!((grouped(0).as_str(), grouped(1_234_567).as_str()), ("0", "1,234,567"));
        assert_eq!((bytes(999).as_str(), bytes(1_500_000).as_str()), ("999 B", "1.5 MB"));
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
    }
}
