//! Made-up drawings of characters.

use std::path::Path;

/// A PNG file of `side` x `side` pixels, 0 where `ink` says so and 255 elsewhere.
fn png(side: u32, ink: impl Fn(u32, u32) -> bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let pixels: Vec<u8> = (0..side * side).map(|at| if ink(at % side, at / side) { 0 } else { 255 }).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

/// Made-up characters in `folder`: bars of different places and thickness, of three alphabets, one of them unseen; half of
/// them in folders, half in an archive.
pub fn draw_characters(folder: &Path) {
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 28
    };
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.join("more.zip")).unwrap());
    for alphabet in ["Bars", "Rows", "Tagalog"] {
        for (character, drawing) in (0..30u32).flat_map(|character| (0..8).map(move |drawing| (character, drawing))) {
            let (at, width) = (1 + 4 * (character % 15), 2 + random() % 2);
            // the later half of the bars is broken in the middle
            let gap = character >= 15;
            let across = alphabet == "Rows";
            let ink = move |x: u32, y: u32| {
                let (along, over) = if across { (x, y) } else { (y, x) };
                (at..at + width).contains(&over) && !(gap && (20..40).contains(&along))
            };
            let (name, bytes) = (format!("{alphabet}/{character}/{drawing}.png"), png(62, ink));
            if drawing % 2 == 0 {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            } else {
                archive.start_file(format!("more/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
                std::io::Write::write_all(&mut archive, &bytes).unwrap();
            }
        }
    }
    archive.finish().unwrap();
}
