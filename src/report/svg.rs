//! Colours of pictures in the light and the dark theme.
//!
//! A picture is drawn with the colours of the light theme. Each of them then gets a class beside it, to which a style gives
//! the colour of the other theme, so that programs that know no classes still show the light one.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour of both themes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(usize);

/// Colours of the light and the dark theme. The first eight lines are by Okabe and Ito (2008), which colour-blind readers can
/// distinguish, too; none may be there twice.
const COLOURS: [([u8; 3], [u8; 3]); 13] = [
    ([0x00, 0x72, 0xB2], [0x5A, 0xB0, 0xE8]),
    ([0xD5, 0x5E, 0x00], [0xF2, 0x8E, 0x4B]),
    ([0x00, 0x9E, 0x73], [0x3C, 0xC9, 0xA0]),
    ([0xC0, 0x5F, 0x95], [0xE6, 0x9F, 0xC8]),
    ([0xC9, 0x87, 0x00], [0xF2, 0xBE, 0x4F]),
    ([0x36, 0x9B, 0xD6], [0x9A, 0xD8, 0xF7]),
    ([0x22, 0x22, 0x22], [0xEE, 0xEE, 0xEE]),
    ([0x8F, 0x84, 0x00], [0xDB, 0xD0, 0x45]),
    ([0x8C, 0x56, 0x4B], [0xC9, 0x9A, 0x8C]),
    ([0x7A, 0x6F, 0xC4], [0xB3, 0xAA, 0xF2]),
    ([0x1F, 0x24, 0x2B], [0xE4, 0xE7, 0xEB]),
    ([0x8A, 0x91, 0x99], [0x7D, 0x85, 0x8E]),
    ([0xE2, 0xE5, 0xE9], [0x34, 0x3A, 0x42]),
];

/// Number of colours of lines.
pub const LINES: usize = 10;
/// Words.
pub const TEXT: Colour = Colour(10);
/// Frames.
pub const FRAME: Colour = Colour(11);
/// Grid lines.
pub const GRID: Colour = Colour(12);

impl Colour {
    /// The colour of line `at`; there are [`LINES`].
    pub fn line(at: usize) -> Self {
        Colour(at % LINES)
    }

    /// The colour to draw with.
    pub fn rgb(self) -> RGBColor {
        let ([r, g, b], _) = COLOURS[self.0];
        RGBColor(r, g, b)
    }
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// The rules of the dark theme.
pub fn style() -> String {
    let mut rules = String::new();
    for (at, (_, dark)) in COLOURS.iter().enumerate() {
        let dark = hex(*dark);
        let _ = write!(rules, ".f{at}{{fill:{dark}}}.s{at}{{stroke:{dark}}}");
    }
    format!("@media screen and (prefers-color-scheme:dark){{{rules}}}")
}

/// A picture as plotters draws it, with a class beside each colour, and half as large as it was drawn, since plotters has
/// whole pixels only.
pub fn themed(drawn: &str, title: &str, (width, height): (u32, u32)) -> String {
    let mut text = drawn.to_owned();
    for (at, (light, _)) in COLOURS.iter().enumerate() {
        let light = hex(*light);
        text = text.replace(&format!("fill=\"{light}\""), &format!("fill=\"{light}\" class=\"f{at}\""));
        text = text.replace(&format!("stroke=\"{light}\""), &format!("stroke=\"{light}\" class=\"s{at}\""));
    }
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let half = format!("width=\"{}\" height=\"{}\" role=\"img\"", width / 2, height / 2);
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let open = text.find('>').map_or(0, |end| end + 1);
    text.insert_str(open, &format!("\n<title>{title}</title>"));
    text.replacen(&size, &half, 1)
}

/// The picture within a page, which has the style.
pub fn inline(picture: &str) -> String {
    picture.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
}

/// The picture as a file of its own.
pub fn alone(picture: &str) -> String {
    let open = picture.find('>').map_or(0, |end| end + 1);
    let (head, rest) = picture.split_at(open);
    format!("{head}\n<style>{}</style>{rest}", style())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_told_apart_in_the_light_theme() {
        let mut light: Vec<[u8; 3]> = COLOURS.iter().map(|(light, _)| *light).collect();
        light.sort();
        light.dedup();
        assert_eq!(light.len(), COLOURS.len());
    }

    #[test]
    fn a_colour_gets_its_class_and_the_file_the_style() {
        let drawn = "<svg width=\"20\" height=\"10\" viewBox=\"0 0 20 10\" xmlns=\"http://www.w3.org/2000/svg\">\n\
                     <line stroke=\"#0072B2\"/>\n</svg>\n";
        let picture = themed(drawn, "a<b", (20, 10));
        assert!(picture.contains("<line stroke=\"#0072B2\" class=\"s0\"/>"), "{picture}");
        assert!(picture.starts_with("<svg width=\"10\" height=\"5\" role=\"img\" viewBox=\"0 0 20 10\""), "{picture}");
        assert!(picture.contains("<title>a&lt;b</title>"), "{picture}");
        assert!(!inline(&picture).contains("http") && alone(&picture).contains("prefers-color-scheme"));
    }
}
