//! Heat maps of the return over two parameters of the tasks.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    chart::{Area, words},
    svg::{FRAME, themed},
    table::short,
};
use crate::stats::mean;

/// Distinct values up to which each is a bin of its own.
const DISTINCT: usize = 6;
/// Bins of a parameter with more values, all of one width.
const BINS: usize = 5;

/// Bins of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Bins {
    /// One for each value.
    Each(Vec<f64>),
    /// Edges of bins of one width.
    Wide(Vec<f64>),
}

impl Bins {
    /// The bins of a parameter with these values in the tasks; none if it has one value only.
    pub fn of(values: &[f64]) -> Option<Bins> {
        let mut distinct: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let (low, high) = (*distinct.first()?, *distinct.last()?);
        match distinct.len() {
            1 => None,
            few if few <= DISTINCT => Some(Bins::Each(distinct)),
            _ => Some(Bins::Wide((0..=BINS).map(|k| low + (high - low) * k as f64 / BINS as f64).collect())),
        }
    }

    /// Number of bins.
    pub fn len(&self) -> usize {
        match self {
            Bins::Each(values) => values.len(),
            Bins::Wide(edges) => edges.len() - 1,
        }
    }

    /// The bin of a value. An upper edge belongs to the bin above, the last one to the last bin.
    pub fn find(&self, value: f64) -> usize {
        match self {
            Bins::Each(values) => values.iter().position(|known| *known == value).unwrap_or(0),
            Bins::Wide(edges) => {
                edges.iter().filter(|edge| **edge <= value).count().saturating_sub(1).min(edges.len() - 2)
            }
        }
    }

    /// Place of the range `low..high` on an axis on which each bin is 1 wide.
    fn place(&self, [low, high]: [f64; 2]) -> Option<(f64, f64)> {
        match self {
            Bins::Each(values) => {
                let inside: Vec<usize> = (0..values.len()).filter(|at| (low..=high).contains(&values[*at])).collect();
                Some((*inside.first()? as f64, *inside.last()? as f64 + 1.0))
            }
            Bins::Wide(edges) => {
                let (first, width) = (edges[0], edges[1] - edges[0]);
                let at = |value: f64| ((value - first) / width).clamp(0.0, self.len() as f64);
                (at(high) > at(low)).then(|| (at(low), at(high)))
            }
        }
    }

    /// The words below bin `at`.
    fn label(&self, at: usize) -> String {
        match self {
            Bins::Each(values) => short(values[at]),
            Bins::Wide(edges) => format!("{} … {}", short(edges[at]), short(edges[at + 1])),
        }
    }
}

/// The share of the variance of `scores` that lies between the bins of a parameter with `values`: eta squared, 0 to 1.
pub fn effect(values: &[f64], scores: &[f64]) -> f64 {
    let Some(bins) = Bins::of(values) else { return 0.0 };
    let all = mean(scores);
    let total: f64 = scores.iter().map(|score| (score - all).powi(2)).sum();
    let between = |bin: usize| {
        let inside = values.iter().zip(scores).filter(|(value, _)| bins.find(**value) == bin);
        let inside: Vec<f64> = inside.map(|(_, score)| *score).collect();
        if inside.is_empty() { 0.0 } else { inside.len() as f64 * (mean(&inside) - all).powi(2) }
    };
    if total > 0.0 { (0..bins.len()).map(between).sum::<f64>() / total } else { 0.0 }
}

/// A parameter of a heat map.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// Its bins.
    pub bins: Bins,
    /// The range in training.
    pub training: [f64; 2],
}

/// Maps of several methods over the same parameters.
#[derive(Clone, Debug)]
pub struct Heat {
    /// Its title, for readers who do not see it.
    pub title: String,
    /// The horizontal and the vertical parameter.
    pub axes: [Axis; 2],
    /// Each method's name, and mean score in each bin, `[vertical][horizontal]`.
    pub maps: Vec<(String, Vec<Vec<Option<f64>>>)>,
}

/// Mean of the scores in each pair of bins, `[vertical][horizontal]`; none where there is no task.
pub fn binned(axes: &[Axis; 2], values: [&[f64]; 2], scores: &[f64]) -> Vec<Vec<Option<f64>>> {
    let cell = |x: usize, y: usize| {
        let inside = |at: &usize| axes[0].bins.find(values[0][*at]) == x && axes[1].bins.find(values[1][*at]) == y;
        let found: Vec<f64> = (0..scores.len()).filter(inside).map(|at| scores[at]).collect();
        (!found.is_empty()).then(|| mean(&found))
    };
    (0..axes[1].bins.len()).map(|y| (0..axes[0].bins.len()).map(|x| cell(x, y)).collect()).collect()
}

/// Sizes in drawn pixels, of which two are one.
const CELL: (i32, i32) = (140, 74);
const LEFT: i32 = 240;
const TOP: i32 = 60;
const BOTTOM: i32 = 110;
const FONT: u32 = 24;
/// Maps in a row.
const ROW: usize = 2;

impl Heat {
    /// The picture: viridis, and the number in each cell. A frame is drawn around the range of training.
    pub fn svg(&self) -> String {
        let [x, y] = &self.axes;
        let map = (LEFT + CELL.0 * x.bins.len() as i32 + 40, TOP + CELL.1 * y.bins.len() as i32 + BOTTOM);
        let rows = self.maps.len().div_ceil(ROW);
        let size = ((map.0 * self.maps.len().min(ROW) as i32) as u32, (map.1 * rows as i32) as u32);
        let known = self.maps.iter().flat_map(|(_, cells)| cells.iter().flatten().flatten().copied());
        let ends = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let mut drawn = String::new();
        {
            let root = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
            for (at, (name, cells)) in self.maps.iter().enumerate() {
                let corner = ((at % ROW) as i32 * map.0, (at / ROW) as i32 * map.1);
                self.draw((name, cells), ends, corner, &root).expect("a text takes any picture");
            }
            root.present().expect("a text takes any picture");
        }
        themed(&drawn, &self.title, size)
    }

    fn draw<'a>(
        &self,
        (name, cells): (&str, &[Vec<Option<f64>>]),
        (low, high): (f64, f64),
        (left, top): (i32, i32),
        root: &Area<'a>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        let [x, y] = &self.axes;
        let rows = cells.len() as i32;
        let (left, top) = (left + LEFT, top + TOP);
        let center = Pos::new(HPos::Center, VPos::Center);
        let say = |text: String, at: (i32, i32), pos: Pos| root.draw(&Text::new(text, at, words(FONT, pos)));
        let corner = |column: f64, row: f64| {
            (left + (column * f64::from(CELL.0)) as i32, top + ((f64::from(rows) - row) * f64::from(CELL.1)) as i32)
        };
        root.draw(&Text::new(name.to_owned(), (left, top - 32), words(FONT + 4, Pos::new(HPos::Left, VPos::Center))))?;
        for (row, line) in cells.iter().enumerate() {
            let (_, middle) = corner(0.0, row as f64 + 0.5);
            say(y.bins.label(row), (left - 12, middle), Pos::new(HPos::Right, VPos::Center))?;
            for (column, cell) in line.iter().enumerate() {
                let ends = [corner(column as f64, row as f64), corner(column as f64 + 1.0, row as f64 + 1.0)];
                let middle = corner(column as f64 + 0.5, row as f64 + 0.5);
                let Some(value) = cell else {
                    say("–".to_owned(), middle, center)?;
                    continue;
                };
                let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                let (fill, ink) = shade(share);
                root.draw(&Rectangle::new(sorted(ends), fill.filled()))?;
                root.draw(&Text::new(short(*value), middle, words(FONT, center).color(&ink)))?;
            }
        }
        for column in 0..x.bins.len() {
            let (at, below) = corner(column as f64 + 0.5, 0.0);
            say(x.bins.label(column), (at, below + 22), center)?;
        }
        let (at, below) = corner(x.bins.len() as f64 / 2.0, 0.0);
        say(x.name.clone(), (at, below + 62), center)?;
        say(y.name.clone(), (left - 12, top - 32), Pos::new(HPos::Right, VPos::Center))?;
        if let (Some(across), Some(up)) = (x.bins.place(x.training), y.bins.place(y.training)) {
            // plotters draws rectangles without a width of their lines
            let round = [(across.0, up.0), (across.1, up.0), (across.1, up.1), (across.0, up.1), (across.0, up.0)];
            let round: Vec<(i32, i32)> = round.into_iter().map(|(column, row)| corner(column, row)).collect();
            root.draw(&PathElement::new(round.clone(), WHITE.stroke_width(10)))?;
            root.draw(&PathElement::new(round, RED.stroke_width(5)))?;
        }
        let ends = sorted([corner(0.0, 0.0), corner(x.bins.len() as f64, f64::from(rows))]);
        root.draw(&Rectangle::new(ends, FRAME.rgb().stroke_width(2)))
    }
}

fn sorted([a, b]: [(i32, i32); 2]) -> [(i32, i32); 2] {
    [(a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1))]
}

/// The colour of viridis at `share` of its range, and that of words upon it, the same in both themes.
fn shade(share: f64) -> (RGBColor, RGBColor) {
    const STOPS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let at = (place as usize).min(STOPS.len() - 2);
    let part = place - at as f64;
    let [r, g, b]: [u8; 3] =
        std::array::from_fn(|c| (STOPS[at][c] + part * (STOPS[at + 1][c] - STOPS[at][c])).round() as u8);
    (RGBColor(r, g, b), if share < 0.55 { RGBColor(255, 255, 255) } else { RGBColor(0, 0, 0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_bins_of_their_own_and_many_share_wide_ones() {
        assert_eq!(Bins::of(&[2.0, 2.0]), None);
        assert_eq!(Bins::of(&[1.0, -1.0, 1.0]), Some(Bins::Each(vec![-1.0, 1.0])));
        let wide = Bins::of(&(0..=10).map(f64::from).collect::<Vec<_>>()).unwrap();
        assert_eq!(wide, Bins::Wide(vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]));
        let bins: Vec<usize> = [0.0, 1.9, 2.0, 7.0, 10.0].map(|value| wide.find(value)).into();
        assert_eq!(bins, [0, 0, 1, 3, 4]);
        assert_eq!(wide.place([3.0, 7.0]), Some((1.5, 3.5)));
        assert_eq!(Bins::Each(vec![-1.0, 1.0]).place([0.0, 2.0]), Some((1.0, 2.0)));
    }

    #[test]
    fn the_effect_is_the_share_of_variance_between_bins() {
        // means of the bins 1 and 3, of all 2: between 4 * 1 = 4; in all 4 + 2 * 1 + 2 * 1 = 8 by hand
        let (values, scores) = ([0.0, 0.0, 1.0, 1.0], [0.0, 2.0, 2.0, 4.0]);
        assert_eq!(effect(&values, &scores), 0.5);
        assert_eq!((effect(&values, &[0.0, 0.0, 1.0, 1.0]), effect(&[1.0; 4], &scores)), (1.0, 0.0));
    }

    #[test]
    fn cells_are_means_of_their_tasks() {
        let axis = |name: &str| Axis { name: name.into(), bins: Bins::Each(vec![0.0, 1.0]), training: [0.0, 0.0] };
        let axes = [axis("a"), axis("b")];
        let cells = binned(&axes, [&[0.0, 0.0, 1.0], &[1.0, 1.0, 0.0]], &[2.0, 4.0, 7.0]);
        assert_eq!(cells, [vec![None, Some(7.0)], vec![Some(3.0), None]]);
        let heat = Heat { title: "t".into(), axes, maps: vec![("m".into(), cells)] };
        assert!(heat.svg().contains("<rect"));
    }
}
