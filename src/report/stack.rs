//! Diagrams one below the other over one horizontal axis, drawn by plotters as those of [`chart`](super::chart) are.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    chart::{Area, Drawn, FONT, Panel, ROW, WIDTH, draw_legend, draw_lines, legend, ranges, short_axis, words},
    svg::{Colour, FRAME, GRID, TEXT, themed},
};

/// Diagrams one below the other.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The words above all.
    pub title: String,
    /// The quantity of the horizontal axis, which counts something: it has whole numbers only.
    pub x_label: String,
    /// The diagrams, from above.
    pub panels: Vec<Panel>,
    /// Events, a row each, below the diagrams.
    pub rows: Vec<Row>,
    /// Places of vertical lines through everything.
    pub rules: Vec<f64>,
}

/// Events of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The words on its left.
    pub name: String,
    /// Times that last, from and to.
    pub spans: Vec<(f64, f64)>,
    /// Moments.
    pub moments: Vec<f64>,
}

/// Sizes in drawn pixels, of which two are one.
const TITLE: u32 = 56;
const PLOT: u32 = 250;
const GAP: u32 = 18;
const BOTTOM: u32 = 84;
const EVENTS: u32 = 44;
const LEFT: u32 = 130;
/// Left margin where rows have names.
const NAMES: u32 = 290;

/// A piece of the picture: its height, and the diagram in it, or the rows.
enum Piece<'a> {
    Panel(&'a Panel, Vec<(u32, i32, usize, String)>),
    Rows,
}

impl Stack {
    /// The picture.
    pub fn svg(&self) -> String {
        let pieces = self.pieces();
        let heights: Vec<u32> = pieces.iter().map(|piece| self.height(piece)).collect();
        let size = (WIDTH, TITLE + heights.iter().sum::<u32>() + BOTTOM);
        let mut drawn = String::new();
        {
            let root = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
            let title = words(FONT + 4, Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(self.title.clone(), (16, TITLE as i32 / 2), title)).expect("a text takes any picture");
            let mut top = TITLE;
            for (at, (piece, height)) in pieces.iter().zip(&heights).enumerate() {
                let last = at + 1 == pieces.len();
                let end = top + height + if last { BOTTOM } else { 0 };
                let place = root.clone().shrink((0, top), (WIDTH, end - top));
                let done = match piece {
                    Piece::Panel(panel, names) => self.panel(panel, names, &place, last),
                    Piece::Rows => self.events(&place),
                };
                done.expect("a text takes any picture");
                top = end;
            }
            root.present().expect("a text takes any picture");
        }
        themed(&drawn, &self.title, size)
    }

    /// The pieces; a legend that is that of the diagram above is left out.
    fn pieces(&self) -> Vec<Piece<'_>> {
        let names = |panel: &Panel| panel.lines.iter().map(|line| line.name.clone()).collect::<Vec<_>>();
        let mut pieces = Vec::new();
        for (at, panel) in self.panels.iter().enumerate() {
            let known = at > 0 && names(&self.panels[at - 1]) == names(panel);
            let left = f64::from(self.left());
            let start = left + 40.0 + 12.5 * panel.title.chars().count() as f64;
            let names = if known { Vec::new() } else { legend(&panel.lines, (start, left), WIDTH) };
            pieces.push(Piece::Panel(panel, names));
        }
        if !self.rows.is_empty() {
            pieces.push(Piece::Rows);
        }
        pieces
    }

    fn height(&self, piece: &Piece<'_>) -> u32 {
        match piece {
            Piece::Panel(_, names) => head(names) + PLOT + GAP,
            Piece::Rows => EVENTS * self.rows.len() as u32 + GAP,
        }
    }

    fn left(&self) -> u32 {
        if self.rows.is_empty() { LEFT } else { NAMES }
    }

    /// The horizontal range of everything.
    fn x(&self) -> (f64, f64) {
        let points = self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|(x, _)| *x);
        let spans = self.rows.iter().flat_map(|row| &row.spans).flat_map(|(from, to)| [*from, *to]);
        let (low, high) = crate::course::range(points.chain(spans));
        if low < high { (low, high) } else { (0.0, 1.0) }
    }

    fn panel<'a>(&self, panel: &Panel, names: &[(u32, i32, usize, String)], place: &Area<'a>, last: bool) -> Drawn<'a> {
        let (above, plot) = place.split_vertically(head(names));
        let bold = ("sans-serif", FONT, FontStyle::Bold).into_font();
        let title = bold.color(&TEXT.rgb()).pos(Pos::new(HPos::Left, VPos::Center));
        above.draw(&Text::new(panel.title.clone(), (self.left() as i32, ROW as i32 / 2), title))?;
        draw_legend(names, &above)?;
        let (x, (_, y)) = (self.x(), ranges(panel));
        let mut chart = ChartBuilder::on(&plot)
            .margin_right(24)
            .x_label_area_size(if last { BOTTOM } else { GAP })
            .y_label_area_size(self.left())
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        let near = |value: f64| if value.abs() < 1e-9 * (y.1 - y.0) { 0.0 } else { value };
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.rgb().stroke_width(2))
            .axis_style(FRAME.rgb().stroke_width(2))
            .label_style(words(FONT, Pos::default()))
            .axis_desc_style(words(FONT, Pos::default()))
            .x_desc(if last { self.x_label.as_str() } else { "" })
            .x_labels(9)
            .y_labels(5)
            .x_label_formatter(&|value: &f64| if last { whole(*value) } else { String::new() })
            .y_label_formatter(&|value: &f64| short_axis(near(*value)))
            .draw()?;
        let rule = |x: &f64| PathElement::new(vec![(*x, y.0), (*x, y.1)], FRAME.rgb().mix(0.6).stroke_width(2));
        chart.draw_series(self.rules.iter().map(rule))?;
        draw_lines(&panel.lines, &mut chart)
    }

    fn events<'a>(&self, place: &Area<'a>) -> Drawn<'a> {
        let (x, count) = (self.x(), self.rows.len() as f64);
        let mut chart = ChartBuilder::on(place)
            .margin_right(24)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(self.left())
            .build_cartesian_2d(x.0..x.1, 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.rgb().stroke_width(2))
            .axis_style(FRAME.rgb().stroke_width(2))
            .label_style(words(FONT, Pos::default()))
            .axis_desc_style(words(FONT, Pos::default()))
            .x_desc(&self.x_label)
            .x_labels(9)
            .y_labels(0)
            .x_label_formatter(&|value: &f64| whole(*value))
            .draw()?;
        let rule = |x: &f64| PathElement::new(vec![(*x, 0.0), (*x, count)], FRAME.rgb().mix(0.6).stroke_width(2));
        chart.draw_series(self.rules.iter().map(rule))?;
        for (at, row) in self.rows.iter().enumerate() {
            let middle = count - at as f64 - 0.5;
            let colour = Colour::line(at).rgb();
            let bar =
                |(from, to): &(f64, f64)| Rectangle::new([(*from, middle - 0.3), (*to, middle + 0.3)], colour.filled());
            chart.draw_series(row.spans.iter().map(bar))?;
            let line =
                |x: &f64| PathElement::new(vec![(*x, middle - 0.38), (*x, middle + 0.38)], colour.stroke_width(5));
            chart.draw_series(row.moments.iter().map(line))?;
            let (_, y) = chart.backend_coord(&(x.0, middle));
            let (_, top) = place.get_base_pixel();
            let style = words(FONT, Pos::new(HPos::Right, VPos::Center));
            place.draw(&Text::new(row.name.clone(), (self.left() as i32 - 14, y - top), style))?;
        }
        Ok(())
    }
}

/// A number at the horizontal axis, which counts; none between two whole ones.
fn whole(value: f64) -> String {
    let near = (value - value.round()).abs() < 1e-9 * value.abs().max(1.0);
    if near { short_axis(value.round()) } else { String::new() }
}

/// Height of a diagram's title and legend.
fn head(names: &[(u32, i32, usize, String)]) -> u32 {
    ROW * (1 + names.iter().map(|(row, ..)| *row).max().unwrap_or(0))
}

/// The ends of a stair of values, each of which holds until the next point, the last one until `end`.
pub fn stair(points: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for (x, y) in points {
        let last = corners.last().map(|(_, last)| *last);
        if last == Some(*y) {
            continue;
        }
        corners.extend(last.map(|last| (*x, last)));
        corners.push((*x, *y));
    }
    let last = corners.last().map(|(_, last)| (end, *last));
    corners.extend(last);
    corners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::Line;

    #[test]
    fn a_stair_has_the_corners_of_values_that_hold() {
        let corners = stair(&[(0.0, 1.0), (5.0, 1.0), (8.0, -1.0)], 10.0);
        assert_eq!(corners, [(0.0, 1.0), (8.0, 1.0), (8.0, -1.0), (10.0, -1.0)]);
        assert!(stair(&[], 3.0).is_empty());
    }

    #[test]
    fn events_lie_at_their_place_of_the_axis_they_share() {
        let line = Line { name: "a<b".into(), points: vec![(0.0, 1.0), (100.0, 2.0)], ..Line::default() };
        let stack = Stack {
            title: "life".into(),
            panels: vec![Panel { title: "return".into(), lines: vec![line] }],
            rows: vec![Row { name: "trusted".into(), spans: vec![(25.0, 75.0)], moments: vec![50.0] }],
            ..Stack::default()
        };
        let picture = stack.svg();
        // from 290 to 1696 of 1720 drawn pixels: a quarter of the way is 641.5, three quarters 1344.5
        let bar = picture.lines().find(|line| line.starts_with("<rect x=\"6")).expect("a bar");
        assert!(bar.contains("x=\"641\"") || bar.contains("x=\"642\""), "{bar}");
        assert!(bar.contains("width=\"703\"") || bar.contains("width=\"702\""), "{bar}");
        assert!(picture.contains("class=\"f0\"") && picture.contains("trusted"), "{picture}");
    }
}
