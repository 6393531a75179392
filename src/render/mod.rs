//! Pictures without a display: a canvas with anti-aliased shapes, a small font, and the scenes of the environments.

mod font;
pub mod frames;
pub mod scene;
pub mod strip;

/// A colour: red, green, blue.
pub type Colour = [u8; 3];

/// A picture, drawn on shape by shape. Coordinates are pixels, (0, 0) the top left corner.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    /// Pixels, `[height, width, 3]`.
    pixels: Vec<u8>,
}

impl Canvas {
    /// A picture of one colour.
    pub fn new(width: usize, height: usize, colour: Colour) -> Self {
        Canvas { width, height, pixels: colour.repeat(width * height) }
    }

    /// Red, green and blue of every pixel, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Copies `picture` with its top left corner at `(left, 0)`; it must fit.
    pub fn paste(&mut self, picture: &Canvas, left: usize) {
        for row in 0..picture.height {
            let to = (row * self.width + left) * 3;
            let from = row * picture.width * 3..(row + 1) * picture.width * 3;
            self.pixels[to..to + from.len()].copy_from_slice(&picture.pixels[from]);
        }
    }

    /// Draws a line with round ends.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: Colour) {
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0] * along[0] + along[1] * along[1];
        let reach = 0.5 * width;
        let corners = [[from[0].min(to[0]), from[1].min(to[1])], [from[0].max(to[0]), from[1].max(to[1])]];
        self.fill(corners, reach, colour, |p| {
            let rel = [p[0] - from[0], p[1] - from[1]];
            let at =
                if length > 0.0 { ((rel[0] * along[0] + rel[1] * along[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
            (rel[0] - at * along[0]).hypot(rel[1] - at * along[1]) - reach
        });
    }

    /// Draws a filled circle.
    pub fn disc(&mut self, centre: [f64; 2], radius: f64, colour: Colour) {
        self.line(centre, centre, 2.0 * radius, colour);
    }

    /// Draws a filled rectangle.
    pub fn rectangle(&mut self, corner: [f64; 2], opposite: [f64; 2], colour: Colour) {
        let centre = [0, 1].map(|k| 0.5 * (corner[k] + opposite[k]));
        let half = [0, 1].map(|k| 0.5 * (corner[k] - opposite[k]).abs());
        let low = [0, 1].map(|k| centre[k] - half[k]);
        let high = [0, 1].map(|k| centre[k] + half[k]);
        self.fill([low, high], 0.0, colour, |p| {
            ((p[0] - centre[0]).abs() - half[0]).max((p[1] - centre[1]).abs() - half[1])
        });
    }

    /// Draws an arrow.
    pub fn arrow(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: Colour) {
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        if length < 1.0 {
            return;
        }
        self.line(from, to, width, colour);
        let along = [0, 1].map(|k| (to[k] - from[k]) / length * 3.0 * width);
        for side in [-0.7, 0.7] {
            let barb = [to[0] - along[0] - side * along[1], to[1] - along[1] + side * along[0]];
            self.line(to, barb, width, colour);
        }
    }

    /// Writes letters of 5 by 7 dots, each dot `scale` pixels wide; `at` is the top left corner.
    pub fn text(&mut self, at: [usize; 2], text: &str, scale: usize, colour: Colour) {
        for (index, letter) in text.chars().enumerate() {
            for (column, bits) in font::columns(letter).into_iter().enumerate() {
                for row in (0..8).filter(|row| bits >> row & 1 == 1) {
                    let corner = [at[0] + (6 * index + column) * scale, at[1] + row * scale];
                    for (x, y) in (0..scale * scale).map(|k| (corner[0] + k % scale, corner[1] + k / scale)) {
                        self.blend(x, y, colour, 1.0);
                    }
                }
            }
        }
    }

    /// Covers the pixels in and near a box as far as they lie in a shape, given by the signed distance to it.
    fn fill(&mut self, [low, high]: [[f64; 2]; 2], reach: f64, colour: Colour, distance: impl Fn([f64; 2]) -> f64) {
        let first = |low: f64| (low - reach - 1.0).floor().max(0.0) as usize;
        let last = |high: f64, size: usize| ((high + reach + 2.0).ceil().max(0.0) as usize).min(size);
        for y in first(low[1])..last(high[1], self.height) {
            for x in first(low[0])..last(high[0], self.width) {
                let cover = (0.5 - distance([x as f64 + 0.5, y as f64 + 0.5])).clamp(0.0, 1.0);
                self.blend(x, y, colour, cover);
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: Colour, cover: f64) {
        if x >= self.width || y >= self.height || cover <= 0.0 {
            return;
        }
        let at = (y * self.width + x) * 3;
        for (old, new) in self.pixels[at..at + 3].iter_mut().zip(colour) {
            *old = (f64::from(*old) * (1.0 - cover) + f64::from(new) * cover).round() as u8;
        }
    }
}

/// A number with a fixed number of decimals; one that rounds to zero has no sign.
pub fn decimal(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|digit| matches!(digit, b'0' | b'.')) => zero.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_no_sign() {
        let written = [-0.0, -0.004, -0.006, 0.0, -10.0, -1e-9].map(|number| decimal(number, 2));
        assert_eq!(written, ["0.00", "0.00", "-0.01", "0.00", "-10.00", "0.00"]);
        assert_eq!(decimal(-0.4, 0), "0");
    }

    fn ink(canvas: &Canvas) -> f64 {
        canvas.pixels().iter().step_by(3).map(|red| 1.0 - f64::from(*red) / 255.0).sum()
    }

    #[test]
    fn shapes_cover_their_area_wherever_they_lie() {
        for shift in [0.0, 0.25, 0.6] {
            let mut canvas = Canvas::new(60, 60, [255; 3]);
            canvas.disc([30.0 + shift, 30.0], 10.0, [0; 3]);
            assert!((ink(&canvas) - std::f64::consts::PI * 100.0).abs() < 2.0, "{}", ink(&canvas));
            let mut canvas = Canvas::new(60, 60, [255; 3]);
            canvas.rectangle([10.0 + shift, 10.0], [30.0 + shift, 20.0], [0; 3]);
            assert!((ink(&canvas) - 200.0).abs() < 1.0, "{}", ink(&canvas));
        }
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(10, 10, [255; 3]);
        canvas.line([-50.0, 5.0], [50.0, 5.0], 2.0, [0; 3]);
        canvas.disc([-1e9, f64::NAN], 3.0, [0; 3]);
        canvas.text([8, 8], "long", 3, [0; 3]);
        assert!(ink(&canvas) >= 20.0 && canvas.pixels().len() == 300);
    }
}
