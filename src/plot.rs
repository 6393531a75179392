//! Line charts as SVG.

use std::fmt::Write as _;

use crate::course::range;

/// A chart with its own vertical axis.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The quantity, with its unit.
    pub title: String,
    /// The lines; the colours distinguish eight.
    pub lines: Vec<Line>,
}

/// One line of a panel.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// (x, y), by growing x.
    pub points: Vec<(f64, f64)>,
    /// Indices of the points to mark.
    pub switches: Vec<usize>,
}

/// The colours of Okabe and Ito (2008), which colour-blind readers can distinguish, too.
const COLOURS: [&str; 8] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800"];
const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const HEIGHT: f64 = 180.0;
const GAP: f64 = 46.0;

/// The panels one below the other over a common horizontal axis.
pub fn svg(title: &str, x_label: &str, panels: &[Panel]) -> String {
    let height = TOP + panels.len() as f64 * (HEIGHT + GAP) + 16.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    );
    let legend = panels.first().map(|panel| panel.lines.as_slice()).unwrap_or_default();
    let mut x = LEFT;
    for (index, line) in legend.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            text,
            "<path d=\"M{x} 37h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"41\">{}</text>",
            x + 24.0,
            escaped(&line.name)
        );
        x += 44.0 + 6.8 * line.name.chars().count() as f64;
    }
    let x_range = range(panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).map(|(x, _)| *x));
    for (index, panel) in panels.iter().enumerate() {
        draw(&mut text, panel, TOP + index as f64 * (HEIGHT + GAP), x_range);
    }
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n</svg>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        height - 12.0,
        escaped(x_label)
    );
    text
}

fn draw(text: &mut String, panel: &Panel, top: f64, (x_low, x_high): (f64, f64)) {
    let (low, high) = range(panel.lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y));
    let margin = if high > low { 0.06 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    let (low, high) = (low - margin, high + margin);
    let bottom = top + HEIGHT;
    let at_x = |x: f64| LEFT + (x - x_low) / (x_high - x_low).max(1.0) * (WIDTH - LEFT - RIGHT);
    let at_y = |y: f64| bottom - (y - low) / (high - low) * HEIGHT;
    let _ =
        writeln!(text, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>", top - 6.0, escaped(&panel.title));
    for y in ticks(low, high) {
        let line = at_y(y);
        let label = at_y(y) + 4.0;
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {line:.1}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{label:.1}\" text-anchor=\"end\">{y}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0
        );
    }
    for x in ticks(x_low, x_high) {
        let _ = writeln!(
            text,
            "<path d=\"M{0:.1} {top}V{bottom}\" stroke=\"#eee\"/><text x=\"{0:.1}\" y=\"{1}\" text-anchor=\"middle\">{x}</text>",
            at_x(x),
            bottom + 15.0
        );
    }
    for (index, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path = path(line, at_x, at_y);
        let _ = writeln!(text, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>");
        for &k in &line.switches {
            let (x, y) = line.points[k];
            let _ = writeln!(text, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", at_x(x), at_y(y));
        }
    }
    let _ = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#888\"/>",
        WIDTH - LEFT - RIGHT
    );
}

/// The path of a line in the coordinates that `at_x` and `at_y` give.
fn path(line: &Line, at_x: impl Fn(f64) -> f64, at_y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (k, (x, y)) in line.points.iter().enumerate() {
        // a switch is a vertical line, and a constant stretch needs no points in between
        let previous = k.checked_sub(1).map(|before| line.points[before].1);
        let next = line.points.get(k + 1).map(|(_, y)| *y);
        if previous == Some(*y) && next == Some(*y) {
            continue;
        }
        if line.switches.contains(&k) {
            let _ = write!(path, "H{:.1}V{:.1}", at_x(*x), at_y(*y));
        } else {
            let command = if k == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", at_x(*x), at_y(*y));
        }
    }
    path
}

/// Round numbers from `low` to `high`, four to nine of them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = (high - low).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf((span / 4.0).log10().floor());
    let step = [5.0, 2.0, 1.0].map(|m| m * power).into_iter().find(|step| span / step >= 4.0).unwrap_or(power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    let places = (-step.log10().floor()).max(0.0) as usize;
    (first..=last).filter_map(|k| format!("{:.places$}", k as f64 * step).parse().ok()).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enough() {
        assert_eq!(ticks(-1.12, 1.12), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(0.0, 3999.0), [0.0, 500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 3500.0]);
        for (low, high) in [(0.1, 0.2), (-3e6, 5e7), (9.7, 9.9), (0.0, 7.0)] {
            assert!((4..=9).contains(&ticks(low, high).len()), "{low} {high}: {:?}", ticks(low, high));
        }
    }

    #[test]
    fn a_step_is_drawn_square_and_marked() {
        let points = (0..10).map(|x| (f64::from(x), if x < 5 { 0.0 } else { 1.0 })).collect();
        let line = Line { name: "a<b".into(), points, switches: vec![5] };
        let picture = svg("t", "x", &[Panel { title: "gain".into(), lines: vec![line] }]);
        assert_eq!(picture.matches("<circle").count(), 1);
        assert!(picture.contains("a&lt;b") && picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }
}
