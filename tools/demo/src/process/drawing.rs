//! The process as a drawing: activities from above to below, and arrows with how often and how soon.
//!
//! Invariant: every number stands in the report; what is left out for want of room is counted in the caption. An activity stands below
//! those that come before it on average, so that an arrow upwards is a way back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::page::esc;
use super::super::report::{Activity, Arrow, Process, grouped};
use super::apart;

/// The drawing, and what it leaves out.
pub(in super::super) fn draw(process: &Process) -> String {
    let shown = Shown::of(process);
    let places = shown.places();
    let layers = places.values().map(|place| place.layer + 1).max().unwrap_or(1);
    let height = TOP + layers * LAYER;
    let mut svg = format!(
        "<div class=\"wide\"><svg class=\"process\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"What followed what in the run's conversations\">\n{TIP}"
    );
    let most = shown.arrows.iter().map(|arrow| arrow.count).max().unwrap_or(1);
    let mut lanes = [0, 0];
    let mut labels = String::new();
    for arrow in &shown.arrows {
        let (Some(from), Some(to)) = (places.get(arrow.from.as_str()), places.get(arrow.to.as_str())) else { continue };
        let way = Way::between(*from, *to, &mut lanes);
        way.draw(arrow, most, &mut svg, &mut labels);
    }
    for activity in &shown.activities {
        if let Some(place) = places.get(activity.name.as_str()) {
            place.draw(activity, process.cases, &mut svg);
        }
    }
    // Above everything, or a line would cross its own number.
    svg.push_str(&labels);
    let _ = write!(
        svg,
        "</svg></div>\n<p class=\"note\">{} of {} activities, {} of {} arrows: the most frequent ones. On an arrow: how often, and the median \
         time. An arrow at the side skips activities or goes back.</p>\n",
        shown.activities.len(),
        process.activities.len(),
        shown.arrows.len(),
        process.arrows.len(),
    );
    svg
}

/// What there is room for.
struct Shown<'p> {
    /// In the order in which they come on average.
    activities: Vec<&'p Activity>,
    arrows: Vec<&'p Arrow>,
}

impl<'p> Shown<'p> {
    fn of(process: &'p Process) -> Self {
        let mut activities: Vec<&Activity> = process.activities.iter().collect();
        activities.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        activities.truncate(MOST_ACTIVITIES);
        activities.sort_by(|one, other| one.place.total_cmp(&other.place).then_with(|| one.name.cmp(&other.name)));
        let names: BTreeSet<&str> = activities.iter().map(|activity| activity.name.as_str()).collect();
        let both = |arrow: &&&Arrow| names.contains(arrow.from.as_str()) && names.contains(arrow.to.as_str());
        let all = process.most_frequent(usize::MAX);
        let (mut arrows, mut left, mut entered) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for arrow in all.iter().filter(both) {
            // Of each activity the most frequent way in and the most frequent way out, however rare.
            let is_first =
                arrow.from != arrow.to && (!left.contains(arrow.from.as_str()) || !entered.contains(arrow.to.as_str()));
            if is_first || arrows.len() < MOST_ARROWS {
                arrows.push(*arrow);
                left.insert(arrow.from.as_str());
                entered.insert(arrow.to.as_str());
            }
        }
        Self { activities, arrows }
    }

    /// Where each activity stands.
    fn places(&self) -> BTreeMap<&'p str, Place> {
        let order: BTreeMap<&str, usize> =
            self.activities.iter().enumerate().map(|(at, activity)| (activity.name.as_str(), at)).collect();
        let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
        for activity in &self.activities {
            let name = activity.name.as_str();
            let before =
                self.arrows.iter().filter(|arrow| arrow.to == name && order[arrow.from.as_str()] < order[name]);
            let layer = before.filter_map(|arrow| layers.get(arrow.from.as_str())).map(|layer| layer + 1).max();
            let is_full = |layer: usize| layers.values().filter(|other| **other == layer).count() >= BOXES;
            let mut layer = layer.unwrap_or(0);
            while is_full(layer) {
                layer += 1;
            }
            layers.insert(name, layer);
        }
        let mut places = BTreeMap::new();
        for layer in 0..=layers.values().copied().max().unwrap_or(0) {
            let of_it: Vec<&str> = self
                .activities
                .iter()
                .map(|activity| activity.name.as_str())
                .filter(|name| layers[name] == layer)
                .collect();
            let room = (WIDTH - 2 * SIDE) / of_it.len().max(1);
            for (at, name) in of_it.into_iter().enumerate() {
                places.insert(name, Place { x: SIDE + room * at + room / 2, y: TOP + layer * LAYER, layer });
            }
        }
        places
    }
}

/// The middle of a box's upper edge.
#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    layer: usize,
}

impl Place {
    fn draw(self, activity: &Activity, cases: u64, svg: &mut String) {
        let Self { x, y, .. } = self;
        let often = |count: u64| count * 20 >= cases.max(1);
        let mut said = grouped(activity.count);
        if often(activity.begins) {
            let _ = write!(said, ", first in {}", grouped(activity.begins));
        }
        if often(activity.ends) {
            let _ = write!(said, ", last in {}", grouped(activity.ends));
        }
        let _ = writeln!(
            svg,
            "<g class=\"box\"><rect x=\"{}\" y=\"{y}\" width=\"{BOX}\" height=\"{BOX_HEIGHT}\" rx=\"8\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" class=\"title\">{}</text>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" class=\"small\">{said}</text></g>",
            x.saturating_sub(BOX / 2),
            y + 17,
            esc(&activity.name),
            y + 33,
        );
    }
}

/// An arrow's line, and where its number stands.
struct Way {
    line: String,
    x: usize,
    y: usize,
}

impl Way {
    /// `lanes`: how many arrows go at the left and at the right side already.
    fn between(from: Place, to: Place, lanes: &mut [usize; 2]) -> Self {
        let middle = |place: Place| place.y + BOX_HEIGHT / 2;
        if to.layer == from.layer + 1 {
            let (bottom, bend) = (from.y + BOX_HEIGHT, LAYER / 3);
            let line =
                format!("M{} {bottom}C{} {} {} {} {} {}", from.x, from.x, bottom + bend, to.x, to.y - bend, to.x, to.y);
            return Self { line, x: (from.x + to.x) / 2, y: (bottom + to.y) / 2 + 4 };
        }
        // Along the side that is nearer, each further from the middle than the one before.
        let is_right = from.x + to.x >= WIDTH;
        let lane = lanes[usize::from(is_right)].min(MOST_LANES);
        lanes[usize::from(is_right)] += 1;
        let edge = |place: Place| if is_right { place.x + BOX / 2 } else { place.x.saturating_sub(BOX / 2) };
        let lane_x = if is_right { WIDTH - SIDE + 6 + lane * LANE } else { SIDE - 6 - lane * LANE };
        // Apart where one leaves its own box and comes back.
        let (y, end_y) = if from.y == to.y && from.x == to.x {
            (from.y + 8, to.y + BOX_HEIGHT - 8)
        } else {
            (middle(from), middle(to))
        };
        let line = format!("M{} {y}C{lane_x} {y} {lane_x} {end_y} {} {end_y}", edge(from), edge(to));
        // Half way along the curve.
        Self { line, x: (edge(from) + 6 * lane_x + edge(to)) / 8, y: (y + end_y) / 2 + 4 }
    }

    fn draw(&self, arrow: &Arrow, most: u64, svg: &mut String, labels: &mut String) {
        let Self { line, x, y } = self;
        let thick = 1.0 + 4.0 * arrow.count as f64 / most.max(1) as f64;
        let said = format!("{} · {}", grouped(arrow.count), apart(arrow.median_ms));
        let title = format!("{} → {}: {said}", arrow.from, arrow.to);
        let _ = writeln!(
            svg,
            "<path class=\"way\" d=\"{line}\" style=\"stroke-width:{thick:.1}\" marker-end=\"url(#way-tip)\"><title>{}</title></path>",
            esc(&title)
        );
        let _ = writeln!(labels, "<text class=\"told\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{said}</text>");
    }
}

const WIDTH: usize = 1_000;
/// At either side, for arrows that skip activities or go back.
const SIDE: usize = 210;
const TOP: usize = 10;
const LAYER: usize = 92;
const BOX: usize = 176;
const BOX_HEIGHT: usize = 42;
/// Beside each other, in what the sides leave.
const BOXES: usize = (WIDTH - 2 * SIDE) / BOX;
const LANE: usize = 22;
const MOST_LANES: usize = 8;
const MOST_ACTIVITIES: usize = 12;
const MOST_ARROWS: usize = 20;
const TIP: &str = "<defs><marker id=\"way-tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" \
     markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0.5 7 4 0 7.5z\" class=\"tip\"/></marker></defs>\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(name: &str, count: u64, place: f64) -> Activity {
        Activity { name: name.to_owned(), count, begins: 0, ends: 0, place }
    }

    fn arrow(from: &str, to: &str, count: u64) -> Arrow {
        Arrow { from: from.to_owned(), to: to.to_owned(), count, median_ms: 1_500 }
    }

    fn process() -> Process {
        let activities = vec![activity("Agent", 9, 0.7), activity("Queue", 9, 0.4), activity("Start & <go>", 9, 0.0)];
        let arrows = vec![
            arrow("Start & <go>", "Queue", 9),
            arrow("Queue", "Agent", 9),
            arrow("Agent", "Queue", 2),
            arrow("Agent", "Agent", 1),
            arrow("Start & <go>", "Agent", 1),
        ];
        Process { cases: 9, events: 27, variants: 3, activities, arrows }
    }

    #[test]
    fn what_comes_later_stands_below_and_each_arrow_has_its_number() {
        let process = process();
        let places = Shown::of(&process).places();
        assert!(places["Start & <go>"].y < places["Queue"].y && places["Queue"].y < places["Agent"].y);
        let svg = draw(&process);
        assert_eq!((svg.matches("class=\"way\"").count(), svg.matches("class=\"told\"").count()), (5, 5));
        assert_eq!(svg.matches("class=\"box\"").count(), 3);
        assert!(svg.contains("Start &amp; &lt;go&gt;") && !svg.contains("<go>"));
        assert!(svg.contains("9 · 1.5 s") && svg.contains("3 of 3 activities, 5 of 5 arrows"));
    }

    #[test]
    fn nothing_stands_outside_of_the_drawing() {
        let mut process = process();
        // A star of ways back and forth, more of them than are shown.
        for n in 0..30_u32 {
            let name = format!("Activity {n:02}");
            process.activities.push(activity(&name, 5, f64::from(n) / 30.0));
            for to in ["Queue", "Agent", "Start & <go>"] {
                process.arrows.extend([arrow(&name, to, 3), arrow(to, &name, 2)]);
            }
        }
        let shown = Shown::of(&process);
        assert_eq!(shown.activities.len(), MOST_ACTIVITIES);
        assert!(shown.arrows.len() >= MOST_ARROWS && shown.arrows.len() < process.arrows.len());
        for activity in &shown.activities {
            let name = &activity.name;
            assert!(shown.arrows.iter().any(|arrow| arrow.from == *name || arrow.to == *name), "{name} stands alone");
        }
        let (places, mut lanes) = (shown.places(), [0, 0]);
        for arrow in &shown.arrows {
            let way = Way::between(places[arrow.from.as_str()], places[arrow.to.as_str()], &mut lanes);
            assert!((0..WIDTH).contains(&way.x), "{}", way.x);
        }
        assert!(places.values().all(|place| place.x >= SIDE && place.x + SIDE <= WIDTH));
    }

    #[test]
    fn a_process_of_nothing_is_drawn_as_nothing() {
        let nothing = Process { cases: 0, events: 0, variants: 0, activities: Vec::new(), arrows: Vec::new() };
        assert!(draw(&nothing).contains("0 of 0 activities"));
    }
}
