//! Frames of a GIF: only what has changed since the picture before, in its own colours.

use std::collections::{HashMap, hash_map::Entry};

use super::{Canvas, Colour};

/// Colours of a frame.
const COLOURS: usize = 256;

/// The frame that turns the picture `before` into `canvas`; the whole picture if it is the first. It has the colours of
/// `canvas` exactly if they are 256 at most, and the nearest ones otherwise.
pub fn next(before: Option<&Canvas>, canvas: &Canvas) -> gif::Frame<'static> {
    let [left, top, right, bottom] = changed(before, canvas);
    let (width, height) = (right - left, bottom - top);
    let rows = (top..bottom).map(|row| &canvas.pixels[(row * canvas.width + left) * 3..][..width * 3]);
    let pixels: Vec<u8> = rows.flatten().copied().collect();
    let size = (width as u16, height as u16);
    let mut frame = match indexed(&pixels) {
        Some((palette, indices)) => gif::Frame::from_palette_pixels(size.0, size.1, indices, palette, None),
        None => gif::Frame::from_rgb_speed(size.0, size.1, &pixels, 30),
    };
    (frame.left, frame.top) = (left as u16, top as u16);
    frame
}

/// Left, top, right and bottom of the pixels that differ; of one pixel if none does.
fn changed(before: Option<&Canvas>, canvas: &Canvas) -> [usize; 4] {
    let Some(before) = before else { return [0, 0, canvas.width, canvas.height] };
    let bytes = canvas.width * 3;
    let mut found = [canvas.width, canvas.height, 0, 0];
    for (row, (old, new)) in before.pixels.chunks(bytes).zip(canvas.pixels.chunks(bytes)).enumerate() {
        let differs = |at: &usize| old[*at] != new[*at];
        let (Some(first), Some(last)) = ((0..bytes).find(differs), (0..bytes).rfind(differs)) else { continue };
        found = [found[0].min(first / 3), found[1].min(row), found[2].max(last / 3 + 1), found[3].max(row + 1)];
    }
    if found[2] == 0 { [0, 0, 1, 1] } else { found }
}

/// Palette and index of each pixel; `None` if there are too many colours.
fn indexed(pixels: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut known: HashMap<Colour, u8> = HashMap::new();
    let (mut palette, mut indices) = (Vec::new(), Vec::with_capacity(pixels.len() / 3));
    let mut last: Option<(&[u8], u8)> = None;
    for pixel in pixels.chunks_exact(3) {
        let index = match last {
            Some((same, index)) if same == pixel => index,
            _ => {
                let next = known.len();
                match known.entry([pixel[0], pixel[1], pixel[2]]) {
                    Entry::Occupied(there) => *there.get(),
                    Entry::Vacant(_) if next == COLOURS => return None,
                    Entry::Vacant(place) => {
                        palette.extend_from_slice(pixel);
                        *place.insert(next as u8)
                    }
                }
            }
        };
        indices.push(index);
        last = Some((pixel, index));
    }
    Some((palette, indices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_what_has_changed_in_its_exact_colours() {
        let before = Canvas::new(10, 8, [255; 3]);
        let mut after = before.clone();
        after.rectangle([2.0, 3.0], [5.0, 5.0], [1, 2, 3]);
        let frame = next(Some(&before), &after);
        assert_eq!((frame.left, frame.top, frame.width, frame.height), (2, 3, 3, 2));
        assert_eq!(frame.palette.as_deref(), Some(&[1, 2, 3][..]));
        assert!(frame.buffer.iter().all(|index| *index == 0) && frame.buffer.len() == 6);
        let same = next(Some(&after), &after);
        assert_eq!((same.width, same.height), (1, 1));
        let whole = next(None, &after);
        assert_eq!((whole.width, whole.height, whole.palette.map(|it| it.len())), (10, 8, Some(6)));
    }

    #[test]
    fn more_colours_than_a_frame_has_become_the_nearest() {
        let mut many = Canvas::new(300, 1, [0; 3]);
        many.pixels = (0..300_u32).flat_map(|k| [k as u8, (k / 256) as u8, 0]).collect();
        assert!(indexed(&many.pixels).is_none() && next(None, &many).buffer.len() == 300);
    }
}
