//! The report's drawings, as inline SVG that takes its colours from the page.
//!
//! Invariant: a drawing shows counts of the run; where it simplifies (the tree has eight leaves), its caption says so.

use std::fmt::Write;

use super::page::esc;
use super::report::{Figures, HalfHour, Report, Tamper, grouped};

/// The chain from source to ledger, with what went where.
pub(super) fn chain(report: &Report) -> String {
    let tally = &report.tally;
    let mut svg = String::from(
        "<div class=\"wide\"><svg class=\"chain\" viewBox=\"0 0 1000 292\" role=\"img\" aria-label=\"The chain with its counts\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0.5 7 4 0 7.5z\" class=\"tip\"/></marker></defs>\n",
    );
    let arrows = [
        "M150 106H186",
        "M316 106H352",
        "M492 106H528",
        "M658 106C700 106 690 52 732 52",
        "M658 106C700 106 690 160 732 160",
        "M251 142V208",
        "M593 142V208",
    ];
    for arrow in arrows {
        let _ = writeln!(svg, "<path class=\"flow\" d=\"{arrow}\" marker-end=\"url(#tip)\"/>");
    }
    let records = grouped(report.sent.records);
    let boxes = [
        Box { x: 8, y: 70, w: 142, class: "", title: "Genesys and others", big: &records, small: "records sent" },
        Box { x: 188, y: 70, w: 128, class: "fn", title: "ingest", big: &grouped(tally.r#in), small: "documents in" },
        Box {
            x: 354,
            y: 70,
            w: 138,
            class: "",
            title: "bronze",
            big: &grouped(report.pace.bronze_objects),
            small: "objects, restricted",
        },
        Box {
            x: 530,
            y: 70,
            w: 128,
            class: "fn",
            title: "transform",
            big: &grouped(tally.committed + tally.in_flight),
            small: "planned once",
        },
        Box {
            x: 734,
            y: 16,
            w: 258,
            class: "",
            title: "silver, for analysts",
            big: &grouped(report.caller.searched_rows),
            small: "rows, pseudonymous",
        },
        Box {
            x: 734,
            y: 124,
            w: 258,
            class: "locked",
            title: "ledger, locked",
            big: &grouped(tally.committed),
            small: "entries in a Merkle tree",
        },
        Box {
            x: 176,
            y: 210,
            w: 152,
            class: "aside",
            title: "quarantine",
            big: &grouped(tally.quarantined),
            small: "kept whole",
        },
        Box {
            x: 518,
            y: 210,
            w: 152,
            class: "aside",
            title: "duplicates",
            big: &grouped(tally.duplicate),
            small: "recognised",
        },
    ];
    for one in boxes {
        one.draw(&mut svg);
    }
    let _ = write!(
        svg,
        "<g transform=\"translate(952 136) scale(.9)\" class=\"lockmark\">{LOCK_PATHS}</g>\n</svg></div>\n"
    );
    svg
}

struct Box<'a> {
    x: u32,
    y: u32,
    w: u32,
    class: &'a str,
    title: &'a str,
    big: &'a str,
    small: &'a str,
}

impl Box<'_> {
    fn draw(&self, svg: &mut String) {
        let Box { x, y, w, class, title, big, small } = self;
        let left = x + 14;
        let _ = writeln!(
            svg,
            "<g class=\"box {class}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"72\" rx=\"8\"/>\
             <text x=\"{left}\" y=\"{}\" class=\"title\">{title}</text><text x=\"{left}\" y=\"{}\" class=\"big\">{big}</text>\
             <text x=\"{left}\" y=\"{}\" class=\"small\">{small}</text></g>",
            y + 20,
            y + 44,
            y + 61,
        );
    }
}

/// Eight leaves, the changed one and its path to the root.
pub(super) fn tree(tamper: &Tamper) -> String {
    let changed = (tamper.index * 8 / tamper.size.max(1)).min(7);
    let mut svg = String::from(
        "<figure><svg viewBox=\"0 0 320 190\" role=\"img\" aria-label=\"A Merkle tree with one changed leaf\">\n",
    );
    let place = |level: u32, number: u64| -> (u64, u64) {
        let width = 320 / (8 >> level);
        (width * number + width / 2, 160 - u64::from(level) * 44)
    };
    for level in 0..3 {
        for number in 0..8_u64 >> level {
            let ((x, y), (up_x, up_y)) = (place(level, number), place(level + 1, number / 2));
            let class = if changed >> level == number { "edge off" } else { "edge" };
            let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{x} {y}L{up_x} {up_y}\"/>");
        }
    }
    for level in 0..4 {
        for number in 0..8_u64 >> level {
            let (x, y) = place(level, number);
            let class = if changed >> level == number { "node off" } else { "node" };
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"22\" height=\"22\" rx=\"4\"/>",
                x - 11,
                y - 11
            );
        }
    }
    let _ = write!(
        svg,
        "<text x=\"160\" y=\"10\" text-anchor=\"middle\">root</text>\n</svg><figcaption>Drawn with eight leaves; the log has {}. \
         A changed entry changes every hash above it.</figcaption></figure>",
        grouped(tamper.size)
    );
    svg
}

/// The day's half hours: who was answered, who gave up, who left otherwise or still waits.
pub(super) fn day(figures: &Figures) -> String {
    let height = |half_hour: &HalfHour| half_hour.offered.max(half_hour.answered + half_hour.abandoned);
    let most = figures.half_hours.iter().map(height).max().unwrap_or_default().max(1);
    let mut svg = format!(
        "<div class=\"wide\"><svg class=\"dayline\" viewBox=\"0 0 1000 {DAY_HEIGHT}\" role=\"img\" aria-label=\"Contacts by half hour\">\n"
    );
    for hour in (0..=24).step_by(3) {
        let x = DAY_LEFT + hour * 2 * SLOT;
        let _ = writeln!(svg, "<path class=\"hour\" d=\"M{x} 12V{DAY_GROUND}\"/>");
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{hour:02}:00</text>", DAY_GROUND + 18);
    }
    let _ = writeln!(svg, "<text x=\"{}\" y=\"20\" text-anchor=\"end\">{}</text>", DAY_LEFT - 8, grouped(most));
    for half_hour in &figures.half_hours {
        let x = DAY_LEFT + slot(&half_hour.start) * SLOT + 2;
        let others = height(half_hour) - half_hour.answered - half_hour.abandoned;
        let mut top = DAY_GROUND;
        let title =
            format!("{}: {} offered", half_hour.start.get(11..16).unwrap_or_default(), grouped(half_hour.offered));
        let _ = write!(svg, "<g><title>{}</title>", esc(&title));
        for (class, count) in [("answered", half_hour.answered), ("abandoned", half_hour.abandoned), ("others", others)]
        {
            let tall = count * (DAY_GROUND - 16) / most;
            top -= tall;
            let _ =
                write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{tall}\"/>", SLOT - 4);
        }
        svg.push_str("</g>\n");
    }
    svg.push_str(
        "</svg></div>\n<p class=\"legend\"><i class=\"answered\"></i>answered <i class=\"abandoned\"></i>abandoned \
         <i class=\"others\"></i>came and left the queue otherwise, or later</p>\n",
    );
    svg
}

/// Which half hour of the day a time begins, from 0.
fn slot(start: &str) -> u64 {
    let part = |from: usize| start.get(from..from + 2).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    (part(11) * 2 + part(14) / 30).min(47)
}

/// The day's picture: 48 half hours between 48 and 1,000.
const DAY_LEFT: u64 = 44;
const SLOT: u64 = 19;
const DAY_GROUND: u64 = 216;
const DAY_HEIGHT: u64 = 244;

/// A padlock of 24 by 24.
pub(super) const PADLOCK: &str = "<svg viewBox=\"0 0 24 24\" width=\"34\" height=\"34\" aria-hidden=\"true\" class=\"lockmark\">\
     <path d=\"M7 11V8a5 5 0 0 1 10 0v3\"/><rect x=\"4.5\" y=\"11\" width=\"15\" height=\"10\" rx=\"2\"/><path d=\"M12 15v2.5\"/></svg>";

const LOCK_PATHS: &str = "<path d=\"M7 11V8a5 5 0 0 1 10 0v3\"/><rect x=\"4.5\" y=\"11\" width=\"15\" height=\"10\" rx=\"2\"/><path d=\"M12 15v2.5\"/>";
