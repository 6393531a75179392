//! Few-shot classes of images: N characters that a task shows a few drawings of (Lake et al. 2015; Vinyals et al. 2016,
//! arXiv 1606.04080).
//!
//! The data are PNG files in `ALPHABET/CHARACTER/DRAWING.png`, in folders or in zip archives, as Omniglot has them: dark
//! strokes on white. They become 14 x 14 pixels, 1 where there is most ink.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Cursor, Read},
    path::Path,
};

use metadrift_agents::{layout::Head, settings::Shots};
use metadrift_envs::{Split, StreamRng};

use super::{
    Family, Task,
    ways::{self, Class},
};
use crate::failure::{During, Result};

/// Width and height of an image.
const SIDE: usize = 14;
/// Number of pixels of an image.
pub(super) const PIXELS: usize = SIDE * SIDE;
/// Alphabets of Omniglot's small sets that are never trained on.
const UNSEEN: &[&str] = &["Balinese", "Japanese_(katakana)", "Tagalog"];
/// One character in so many of the other alphabets is held out from training.
const HELD_OUT: usize = 10;

type Image = Vec<f32>;

/// Characters with their drawings, of each split.
pub(super) struct Images {
    ways: usize,
    /// `[splits][characters][drawings]`
    pools: [Vec<Class>; 3],
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "images of {:?} characters", self.pools.each_ref().map(Vec::len))
    }
}

impl Images {
    /// The characters in folder `data`: those of training, also turned by 90, 180 and 270 degrees; other characters of the
    /// same alphabets; and those of alphabets that training never sees.
    pub fn open(data: &Path, ways: usize) -> Result<Self> {
        let mut found = BTreeMap::new();
        read_folder(data, &mut found)?;
        let mut pools = [Vec::new(), Vec::new(), Vec::new()];
        for (number, ((alphabet, _), drawings)) in found.into_iter().enumerate() {
            let drawings: Vec<Image> = drawings.into_values().collect();
            if UNSEEN.contains(&alphabet.as_str()) {
                pools[Split::Ood as usize].push(drawings);
            } else if number % HELD_OUT == 0 {
                pools[Split::InDist as usize].push(drawings);
            } else {
                let mut turned = drawings;
                for _ in 0..4 {
                    pools[Split::Train as usize].push(turned.clone());
                    turned = turned.iter().map(turn).collect();
                }
            }
        }
        Ok(Images { ways, pools })
    }
}

impl Family for Images {
    fn inputs(&self) -> usize {
        PIXELS
    }

    fn head(&self) -> Head {
        Head::Categorical(self.ways)
    }

    fn draw(&self, split: Split, shots: Shots, rng: &mut StreamRng) -> Task {
        ways::draw(&self.pools[split as usize], self.ways, shots, rng)
    }

    fn data(&self) -> String {
        let [train, in_dist, ood] = self.pools.each_ref().map(Vec::len);
        format!("{} characters in 4 turns to train on, {in_dist} others, {ood} of unseen alphabets", train / 4)
    }

    fn check(&self, split: Split, shots: Shots) -> std::result::Result<(), String> {
        let expected = match split {
            Split::Ood => format!("of the alphabets {}", UNSEEN.join(", ")),
            _ => "in files ALPHABET/CHARACTER/DRAWING.png, in folders or zip archives".to_owned(),
        };
        ways::check(&self.pools[split as usize], self.ways, shots)
            .map_err(|missing| format!("split {split} needs characters {expected}, but there are {missing}"))
    }
}

/// The image turned by 90 degrees.
fn turn(image: &Image) -> Image {
    (0..PIXELS).map(|at| image[(at % SIDE) * SIDE + SIDE - 1 - at / SIDE]).collect()
}

/// Drawings by alphabet and character, and by their files' names.
type Found = BTreeMap<(String, String), BTreeMap<String, Image>>;

/// Adds all images below `folder`, also those in zip archives.
fn read_folder(folder: &Path, found: &mut Found) -> Result<()> {
    let entries = fs::read_dir(folder).during(|| format!("cannot read the folder of the data {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            read_folder(&path, found)?;
        } else if ending == "zip" {
            read_archive(&path, found)?;
        } else if ending == "png" {
            let bytes = fs::read(&path).during(|| format!("cannot read {}", path.display()))?;
            add(&path, &bytes, found)?;
        }
    }
    Ok(())
}

fn read_archive(path: &Path, found: &mut Found) -> Result<()> {
    let file = File::open(path).during(|| format!("cannot read {}", path.display()))?;
    let mut archive = zip::ZipArchive::new(file).during(|| format!("{} is no zip archive", path.display()))?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).during(|| format!("{} is damaged", path.display()))?;
        let name = member.name().to_owned();
        if name.ends_with(".png") && !name.contains("__MACOSX") {
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).during(|| format!("{}: {name} is damaged", path.display()))?;
            add(Path::new(&name), &bytes, found)?;
        }
    }
    Ok(())
}

/// Adds an image by the last three parts of its path.
fn add(path: &Path, bytes: &[u8], found: &mut Found) -> Result<()> {
    let parts: Vec<String> = path.iter().rev().take(3).map(|part| part.to_string_lossy().into_owned()).collect();
    let [file, character, alphabet] = &parts[..] else { return Ok(()) };
    let image = decode(bytes).during(|| format!("{} is no image", path.display()))?;
    found.entry((alphabet.clone(), character.clone())).or_default().insert(file.clone(), image);
    Ok(())
}

/// The image in a PNG file: ink by area, the darkest place 1.
fn decode(bytes: &[u8]) -> std::result::Result<Image, png::DecodingError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let info = reader.next_frame(&mut pixels)?;
    let (width, height) = (info.width as usize, info.height as usize);
    let step = info.buffer_size() / (width * height).max(1);
    let ink = |x: usize, y: usize| 1.0 - f32::from(pixels[(y * width + x) * step]) / 255.0;
    let mut image: Image = (0..PIXELS).map(|at| average(&ink, (at % SIDE, width), (at / SIDE, height))).collect();
    let most = image.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    image.iter_mut().for_each(|value| *value /= most);
    Ok(image)
}

/// Mean ink of a cell: pixels on its border count by their share of it.
fn average(ink: &impl Fn(usize, usize) -> f32, (column, width): (usize, usize), (row, height): (usize, usize)) -> f32 {
    let shares = |cell: usize, size: usize| {
        let [low, high] = [cell, cell + 1].map(|edge| edge as f32 * size as f32 / SIDE as f32);
        (low as usize..(high.ceil() as usize).min(size)).map(move |at| {
            let covered = (at as f32 + 1.0).min(high) - (at as f32).max(low);
            (at, covered / (high - low))
        })
    };
    let of_row =
        |(y, share): (usize, f32)| share * shares(column, width).map(|(x, part)| part * ink(x, y)).sum::<f32>();
    shares(row, height).map(of_row).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_average_the_area_they_cover() {
        // 21 columns: cell 0 covers 1.5 of them
        let ink = |x: usize, _: usize| x as f32;
        let average = |column| average(&ink, (column, 21), (0, 14));
        assert!((average(0) - (0.0 + 0.5) / 1.5).abs() < 1e-6);
        assert!((average(1) - (0.5 * 1.0 + 2.0) / 1.5).abs() < 1e-6);
    }

    #[test]
    fn four_turns_are_none() {
        let image: Image = (0..PIXELS).map(|at| at as f32).collect();
        let turned = turn(&image);
        assert_eq!(turned[0], image[SIDE - 1], "the upper right corner comes to the upper left");
        assert_eq!((0..3).fold(turned, |image, _| turn(&image)), image);
    }
}
