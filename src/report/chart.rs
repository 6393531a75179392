//! Line charts with bands, drawn by plotters at twice their size, since it has whole pixels only.

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    svg::{Colour, FRAME, GRID, LINES, TEXT, themed},
    table::short,
};

/// A line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// (x, y), by growing x; a y that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Ends of the interval at each point; none if there is no interval.
    pub band: Vec<(f64, f64)>,
    /// Thin points behind the line: the values before smoothing.
    pub behind: Vec<(f64, f64)>,
    /// Points that are marked.
    pub dots: Vec<(f64, f64)>,
}

impl Line {
    /// A line with a band, all points marked if they are few.
    pub fn new(name: String, points: Vec<(f64, f64)>, band: Vec<(f64, f64)>) -> Self {
        let few = points.len() <= MARKED;
        let dots = if few { points.iter().copied().filter(|(_, y)| y.is_finite()).collect() } else { Vec::new() };
        Line { name, points, band, behind: Vec::new(), dots }
    }
}

/// A diagram with its own vertical axis.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// The words above it.
    pub title: String,
    /// Its lines. Lines of one place have one colour in all panels.
    pub lines: Vec<Line>,
}

/// Diagrams side by side with one legend.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Its title, for readers who do not see it.
    pub title: String,
    /// The quantity of the horizontal axes.
    pub x_label: String,
    /// The quantity of the vertical axes.
    pub y_label: String,
    /// True if only whole numbers make sense on the horizontal axes.
    pub whole: bool,
    /// True if it takes half of the page's width.
    pub half: bool,
    /// The diagrams.
    pub panels: Vec<Panel>,
}

/// Sizes in drawn pixels, of which two are one.
pub(super) const WIDTH: u32 = 1720;
const ALONE: u32 = 1280;
const HALF: u32 = 980;
const HEIGHT: u32 = 620;
pub(super) const FONT: u32 = 26;
pub(super) const ROW: u32 = 40;
/// Width of a letter.
const LETTER: f64 = 13.5;
/// Points of a line up to which each is marked.
const MARKED: usize = 12;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// Words of a colour.
pub(super) fn words(size: u32, anchor: Pos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&TEXT.rgb()).pos(anchor)
}

impl Chart {
    /// The picture.
    pub fn svg(&self) -> String {
        let width = match self.panels.len() {
            1 if self.half => HALF,
            1 => ALONE,
            _ => WIDTH,
        };
        let first = self.panels.first().map(|panel| panel.lines.as_slice()).unwrap_or_default();
        let legend = legend(first, (20.0, 20.0), width);
        let rows = legend.iter().map(|(row, ..)| row + 1).max().unwrap_or(0);
        let size = (width, HEIGHT + rows * ROW);
        let mut drawn = String::new();
        {
            let root = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
            let (diagrams, names) = root.split_vertically(HEIGHT);
            let places = diagrams.split_evenly((1, self.panels.len().max(1)));
            for (panel, place) in self.panels.iter().zip(&places) {
                self.draw(panel, place).expect("a text takes any picture");
            }
            draw_legend(&legend, &names).expect("a text takes any picture");
            root.present().expect("a text takes any picture");
        }
        themed(&drawn, &self.title, size)
    }

    fn draw<'a>(&self, panel: &Panel, place: &Area<'a>) -> Drawn<'a> {
        let (x, y) = ranges(panel);
        let mut chart = ChartBuilder::on(place)
            .margin(16)
            .caption(&panel.title, words(FONT + 2, Pos::new(HPos::Left, VPos::Top)))
            .x_label_area_size(76)
            .y_label_area_size(120)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        // a sum of steps misses 0 by a little
        let exact = |value: f64, (low, high): (f64, f64)| if value.abs() < 1e-9 * (high - low) { 0.0 } else { value };
        let whole =
            |value: &f64| if (value - value.round()).abs() < 1e-9 { short_axis(value.round()) } else { String::new() };
        let few = self.whole && panel.lines.iter().all(|line| line.points.len() <= MARKED);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.rgb().stroke_width(2))
            .axis_style(FRAME.rgb().stroke_width(2))
            .label_style(words(FONT, Pos::default()))
            .axis_desc_style(words(FONT, Pos::default()))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_labels(if few { panel.lines.iter().map(|line| line.points.len()).max().unwrap_or(2) } else { 6 })
            .y_labels(6)
            .x_label_formatter(&|value: &f64| if few { whole(value) } else { short_axis(exact(*value, x)) })
            .y_label_formatter(&|value: &f64| short_axis(exact(*value, y)))
            .draw()?;
        draw_lines(&panel.lines, &mut chart)
    }
}

/// Row, x and line of each entry of a legend whose first row begins at `start` and the others at `left`; none for a single
/// line.
pub(super) fn legend(lines: &[Line], (start, left): (f64, f64), width: u32) -> Vec<(u32, i32, usize, String)> {
    let (mut row, mut x, mut entries) = (0, start, Vec::new());
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.name.is_empty()) {
        let long = 84.0 + LETTER * line.name.chars().count() as f64;
        if x + long > f64::from(width) && x > left {
            (row, x) = (row + 1, left);
        }
        entries.push((row, x as i32, at, line.name.clone()));
        x += long;
    }
    if entries.len() > 1 { entries } else { Vec::new() }
}

type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws bands, then lines, so that no band covers a line, the first line on top.
pub(super) fn draw_lines<'b>(lines: &[Line], chart: &mut Axes<'_, 'b>) -> Drawn<'b> {
    for (at, line) in lines.iter().enumerate() {
        let colour = Colour::line(at).rgb();
        if !line.band.is_empty() {
            let ends = line.points.iter().zip(&line.band);
            let low = ends.clone().map(|((x, _), (low, _))| (*x, *low));
            let high = ends.rev().map(|((x, _), (_, high))| (*x, *high));
            let outline: Vec<(f64, f64)> = low.chain(high).filter(|(_, y)| y.is_finite()).collect();
            chart.draw_series([Polygon::new(outline, colour.mix(0.13).filled())])?;
        }
    }
    for (at, line) in lines.iter().enumerate().rev() {
        let colour = Colour::line(at).rgb();
        for piece in pieces(&line.behind) {
            chart.draw_series([PathElement::new(piece, colour.mix(0.3).stroke_width(2))])?;
        }
        for piece in pieces(&line.points) {
            chart.draw_series([PathElement::new(piece, colour.stroke_width(if at < LINES { 4 } else { 2 }))])?;
        }
        chart.draw_series(line.dots.iter().map(|point| Circle::new(*point, 7, colour.filled())))?;
    }
    Ok(())
}

pub(super) fn draw_legend<'a>(legend: &[(u32, i32, usize, String)], place: &Area<'a>) -> Drawn<'a> {
    for (row, x, at, name) in legend {
        let y = (row * ROW + ROW / 2) as i32;
        let colour = Colour::line(*at).rgb();
        place.draw(&PathElement::new(
            vec![(*x, y), (x + 44, y)],
            colour.stroke_width(if *at < LINES { 6 } else { 2 }),
        ))?;
        place.draw(&Text::new(name.clone(), (x + 56, y), words(FONT, Pos::new(HPos::Left, VPos::Center))))?;
    }
    Ok(())
}

/// A number at an axis: without the zeros that end a fraction.
pub(super) fn short_axis(value: f64) -> String {
    let text = short(value);
    if text.contains('.') && !text.contains('e') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// The stretches between values that are not finite.
fn pieces(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let split = points.split(|(_, y)| !y.is_finite());
    split.filter(|piece| !piece.is_empty()).map(<[(f64, f64)]>::to_vec).collect()
}

/// Ranges of both axes: those of all finite values, with a margin of 5 % above and below, and of 2 % at the sides.
pub(super) fn ranges(panel: &Panel) -> ((f64, f64), (f64, f64)) {
    let points = panel.lines.iter().flat_map(|line| line.points.iter().chain(&line.behind));
    let bands = panel.lines.iter().flat_map(|line| &line.band).flat_map(|(low, high)| [*low, *high]);
    let x = widened(points.clone().map(|(x, _)| *x), 0.02);
    (x, widened(points.map(|(_, y)| *y).chain(bands), 0.05))
}

fn widened(values: impl Iterator<Item = f64>, share: f64) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low { share * (high - low) } else { 0.5 * low.abs().max(1.0) };
    (low - margin, high + margin)
}

/// Means over the last `window` values that are finite, at each point; fewer at the start.
pub fn smoothed(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let mean = |at: usize| {
        let from = (at + 1).saturating_sub(window);
        let finite: Vec<f64> = points[from..=at].iter().map(|(_, y)| *y).filter(|y| y.is_finite()).collect();
        finite.iter().sum::<f64>() / finite.len() as f64
    };
    points.iter().enumerate().map(|(at, (x, _))| (*x, mean(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_a_mean_of_the_last_values() {
        let points = [(1.0, 2.0), (2.0, 4.0), (3.0, f64::NAN), (4.0, 9.0)];
        // by hand: 2; (2 + 4) / 2; 4 alone; 9 alone
        let means: Vec<f64> = smoothed(&points, 2).into_iter().map(|(_, y)| y).collect();
        assert_eq!(means, [2.0, 3.0, 4.0, 9.0]);
        assert_eq!(smoothed(&points[..2], 1), points[..2]);
    }

    #[test]
    fn ranges_have_margins_and_room_for_a_constant() {
        assert_eq!(widened([0.0, f64::NAN, 10.0].into_iter(), 0.05), (-0.5, 10.5));
        assert_eq!(widened([4.0].into_iter(), 0.05), (2.0, 6.0));
        assert_eq!(widened([f64::NAN].into_iter(), 0.05), (0.0, 1.0));
    }

    #[test]
    fn a_gap_parts_a_line_and_names_are_escaped() {
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        assert_eq!(pieces(&points), [vec![(0.0, 1.0)], vec![(2.0, 3.0)]]);
        let line = |name: &str| Line { name: name.into(), points: vec![(0.0, 1.0), (1.0, 2.0)], ..Line::default() };
        let panels = vec![Panel { title: "t".into(), lines: vec![line("a<b"), line("c")] }];
        let picture = Chart { panels, ..Chart::default() }.svg();
        assert!(picture.contains("a&lt;b") && picture.trim_end().ends_with("</svg>"), "{picture}");
    }
}
