//! The demo on a terminal: acts, two columns, checks.
//!
//! Invariant: without a terminal, or with NO_COLOR, what is written is plain text without a single escape; nothing is
//! said by colour alone.

use std::io::{self, Write};

use console::{Style, measure_text_width, truncate_str};

use super::report::{Check, Span, Tally, grouped};

/// Where the story is told.
pub(super) struct Screen<W> {
    out: W,
    width: usize,
    colours: bool,
}

impl Screen<io::Stdout> {
    /// Standard output, as wide as it is and as colourful as it may be.
    pub(super) fn stdout() -> Self {
        let term = console::Term::stdout();
        let width = term.size_checked().map_or(100, |(_, columns)| usize::from(columns));
        Self { out: io::stdout(), width: width.clamp(60, 116), colours: console::colors_enabled() }
    }
}

impl<W: Write> Screen<W> {
    /// A screen of a given width; for tests.
    #[cfg(test)]
    pub(super) fn plain(out: W, width: usize) -> Self {
        Self { out, width, colours: false }
    }

    /// The opening.
    pub(super) fn title(&mut self, lines: &[&str]) -> io::Result<()> {
        writeln!(self.out)?;
        writeln!(self.out, "  {}", self.style(Tone::Strong).apply_to("LEDGERLINE"))?;
        for line in lines {
            self.say(line)?;
        }
        Ok(())
    }

    /// A new act.
    pub(super) fn act(&mut self, number: u8, title: &str) -> io::Result<()> {
        let head = format!("── {number} ── {title} ");
        let rule = "─".repeat(self.width.saturating_sub(measure_text_width(&head)));
        let strong = self.style(Tone::Strong);
        writeln!(self.out, "\n{}{}\n", strong.apply_to(head), self.style(Tone::Soft).apply_to(rule))
    }

    /// A paragraph, wrapped.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width - 4) {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// A name and its value.
    pub(super) fn fact(&mut self, name: &str, value: &str) -> io::Result<()> {
        let (name, blank) = (format!("{name:<NAME_WIDTH$}"), " ".repeat(NAME_WIDTH));
        for (number, line) in wrap(value, self.width - NAME_WIDTH - 4).iter().enumerate() {
            let left = if number == 0 { name.as_str() } else { &blank };
            writeln!(self.out, "  {}  {line}", self.style(Tone::Soft).apply_to(left))?;
        }
        Ok(())
    }

    /// Lines as another program wrote them.
    pub(super) fn verbatim(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| writeln!(self.out, "  {line}"))
    }

    /// An empty line.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Fields beside columns; one under the other where it is too narrow.
    pub(super) fn beside(
        &mut self,
        (left_title, left): (&str, &[(String, Vec<Span>)]),
        (right_title, right): (&str, &[(String, Vec<Span>)]),
    ) -> io::Result<()> {
        if self.width < 100 {
            self.column(left_title, left, self.width - 4)?;
            self.gap()?;
            return self.column(right_title, right, self.width - 4);
        }
        let half = (self.width - 7) / 2;
        let (left, right) = (self.cells(left_title, left, half), self.cells(right_title, right, half));
        let rows = left.len().max(right.len());
        let blank = " ".repeat(half);
        for row in 0..rows {
            let (l, r) = (left.get(row).unwrap_or(&blank), right.get(row).unwrap_or(&blank));
            writeln!(self.out, "  {l} {} {}", self.style(Tone::Soft).apply_to("│"), r.trim_end())?;
        }
        Ok(())
    }

    /// The equation, and each share as a bar.
    pub(super) fn equation(&mut self, tally: &Tally) -> io::Result<()> {
        let sign = if tally.r#in == tally.accounted() { "=" } else { "≠" };
        let text = format!(
            "{} in  {sign}  {} committed + {} filtered + {} duplicate + {} quarantined + {} in flight",
            grouped(tally.r#in),
            grouped(tally.committed),
            grouped(tally.filtered),
            grouped(tally.duplicate),
            grouped(tally.quarantined),
            grouped(tally.in_flight),
        );
        writeln!(self.out, "  {}", self.style(Tone::Strong).apply_to(text))?;
        self.gap()?;
        let parts = [
            ("committed", tally.committed, Tone::Good),
            ("filtered", tally.filtered, Tone::Soft),
            ("duplicate", tally.duplicate, Tone::Blue),
            ("quarantined", tally.quarantined, Tone::Gold),
            ("in flight", tally.in_flight, Tone::Bad),
        ];
        let room = self.width - 30;
        for (label, count, tone) in parts {
            let share = count as f64 / tally.r#in.max(1) as f64;
            // What is there is seen: one block at least.
            let blocks = if count == 0 { 0 } else { ((share * room as f64).round() as usize).max(1) };
            let bar = self.style(tone).apply_to("█".repeat(blocks));
            writeln!(self.out, "  {label:<12} {:>8}  {bar}", grouped(count))?;
        }
        Ok(())
    }

    /// Something refused, or not.
    pub(super) fn stamp(&mut self, what: &str, answer: &str, refused: bool) -> io::Result<()> {
        let tone = if refused { Tone::Good } else { Tone::Bad };
        let word = if refused { "refused" } else { "ALLOWED" };
        let room = self.width.saturating_sub(measure_text_width(answer) + 16);
        writeln!(self.out, "  {what:<room$} {} {answer}", self.style(tone).apply_to(word))
    }

    /// Whether something holds.
    pub(super) fn check(&mut self, check: &Check) -> io::Result<()> {
        let (mark, tone) = if check.passed { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        writeln!(self.out, "  {} {}", self.style(tone).apply_to(mark), check.name)?;
        for line in wrap(&check.detail, self.width - 6) {
            writeln!(self.out, "    {}", self.style(Tone::Soft).apply_to(line))?;
        }
        Ok(())
    }

    /// A prompt, without a line's end.
    pub(super) fn ask(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "  {} ", self.style(Tone::Strong).apply_to(text))?;
        self.out.flush()
    }

    /// A text in which one part was taken out and another put in.
    pub(super) fn altered(&mut self, name: &str, [before, was, became, after]: &[String; 4]) -> io::Result<()> {
        let (was, became) = (self.style(Tone::Good).apply_to(was), self.style(Tone::Bad).apply_to(became));
        let soft = self.style(Tone::Soft);
        let name = format!("{name:<NAME_WIDTH$}");
        writeln!(self.out, "  {}  …{before}{was}{after}…", soft.apply_to(&name))?;
        writeln!(self.out, "  {}  …{before}{became}{after}…", " ".repeat(NAME_WIDTH))
    }

    fn column(&mut self, title: &str, rows: &[(String, Vec<Span>)], width: usize) -> io::Result<()> {
        for cell in self.cells(title, rows, width) {
            writeln!(self.out, "  {}", cell.trim_end())?;
        }
        Ok(())
    }

    /// Each row in exactly `width` columns, under a title.
    fn cells(&self, title: &str, rows: &[(String, Vec<Span>)], width: usize) -> Vec<String> {
        // As wide as the longest name, if that leaves half of the room to the values.
        let longest = rows.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or_default();
        let name_width = if longest < width / 2 { longest + 1 } else { (width * 2 / 5).min(24) };
        let title = pad(&self.style(Tone::Strong).apply_to(title).to_string(), width);
        let mut lines = vec![title];
        for (name, spans) in rows {
            let fits = measure_text_width(name) < name_width;
            let name = self.style(Tone::Soft).apply_to(truncate_str(name, width, "…")).to_string();
            // What is too long for its column stands above its value.
            if !fits {
                lines.push(pad(&name, width));
            }
            for (number, value) in self.folded(spans, width - name_width).into_iter().enumerate() {
                let left = pad(if number == 0 && fits { &name } else { "" }, name_width);
                lines.push(pad(&format!("{left}{value}"), width));
            }
        }
        lines
    }

    /// A value in lines of at most `width` columns; ids have no spaces, so it is cut anywhere.
    fn folded(&self, spans: &[Span], width: usize) -> Vec<String> {
        let (mut lines, mut used) = (vec![String::new()], 0);
        for span in spans {
            let tone = if span.personal { Tone::Personal } else { Tone::Plain };
            let marked = span.personal && !self.colours;
            let mut left = if marked { format!("[{}]", span.text) } else { span.text.clone() };
            while !left.is_empty() {
                if used == width {
                    lines.push(String::new());
                    used = 0;
                }
                let part = truncate_str(&left, width - used, "").into_owned();
                // A wide character that does not fit goes to the next line.
                if part.is_empty() {
                    used = width;
                    continue;
                }
                used += measure_text_width(&part);
                left.drain(..part.len());
                if let Some(line) = lines.last_mut() {
                    line.push_str(&self.style(tone).apply_to(part).to_string());
                }
            }
        }
        lines
    }

    fn style(&self, tone: Tone) -> Style {
        let style = Style::new().force_styling(self.colours);
        match tone {
            Tone::Plain => style,
            Tone::Soft => style.dim(),
            Tone::Strong => style.bold(),
            Tone::Good => style.green(),
            Tone::Bad => style.red().bold(),
            Tone::Blue => style.blue(),
            Tone::Gold => style.yellow(),
            Tone::Personal => style.red().strikethrough(),
        }
    }
}

/// Room for the names of facts: a time to the second.
const NAME_WIDTH: usize = 20;

#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Soft,
    Strong,
    Good,
    Bad,
    Blue,
    Gold,
    Personal,
}

fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(measure_text_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Lines of at most `width` columns, broken at spaces; what has none is left whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    fn drawn(width: usize, draw: impl FnOnce(&mut Screen<&mut Vec<u8>>)) -> String {
        let mut bytes = Vec::new();
        draw(&mut Screen::plain(&mut bytes, width));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_output_has_no_escapes_and_marks_what_is_personal() {
        let report = sample::report();
        let text = drawn(110, |screen| {
            screen.act(1, "One caller").unwrap();
            screen.beside(("As it arrived", &report.caller.raw), ("Silver", &report.caller.raw[..2])).unwrap();
            screen.equation(&report.tally).unwrap();
            screen.stamp("delete it", "403 AccessDenied", true).unwrap();
            screen.check(&report.checks[0]).unwrap();
        });
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("spoke with [Ada Quillfeather]"), "{text}");
        assert!(text.contains("refused 403 AccessDenied"));
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let report = sample::report();
        for width in [60, 80, 100, 116] {
            let text = drawn(width, |screen| {
                screen.act(1, "One caller").unwrap();
                screen
                    .say("some words that go on and on, so that they have to be broken into several lines here")
                    .unwrap();
                screen.beside(("As it arrived", &report.caller.raw), ("Silver", &report.caller.raw)).unwrap();
            });
            for line in text.lines() {
                assert!(measure_text_width(line) <= width, "{} > {width}", measure_text_width(line));
            }
        }
    }

    #[test]
    fn an_equation_that_does_not_hold_is_no_equation() {
        let tally = Tally { r#in: 2, committed: 1, ..Tally::default() };
        assert!(drawn(100, |screen| screen.equation(&tally).unwrap()).contains("2 in  ≠"));
    }
}
