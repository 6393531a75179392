//! `metadrift record` as a user runs it: the GIF is read back with a decoder.

use std::{fs::File, path::Path};

use crate::command::Place;

/// Width, height, number of frames, and how many colours the first frame shows.
fn read(path: &Path) -> (u16, u16, usize, usize) {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(File::open(path).unwrap()).unwrap();
    let (width, height) = (decoder.width(), decoder.height());
    let (mut frames, mut colours) = (0, 0);
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        if frames == 0 {
            let mut seen: Vec<&[u8]> = frame.buffer.chunks(4).collect();
            seen.sort();
            seen.dedup();
            colours = seen.len();
        }
        frames += 1;
    }
    (width, height, frames, colours)
}

#[test]
fn full_knowledge_is_filmed_on_a_preset() {
    let place = Place::new();
    let told = place.expect(0, "record pendulum-physics --out film.gif");
    let (width, height, frames, colours) = read(&place.path("film.gif"));
    // 200 steps of 0.05 s, each a frame, and the last once more
    assert_eq!((width, height, frames), (400, 300, 201));
    assert!(colours > 5 && told.contains("201 frames"), "{colours} {told}");
    assert!(told.contains("\noracle on pendulum-physics, task in-dist/0: return -"), "{told}");
}

#[test]
fn a_run_is_filmed_before_and_after_adaptation_side_by_side() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 2 --run-dir run");
    let told = place.expect(0, "record tiny.toml --run run --out film.gif");
    assert_eq!(read(&place.path("film.gif")).0, 800);
    assert!(told.contains("without adaptation") && told.contains("after adaptation"), "{told}");
}

#[test]
fn a_change_of_the_world_is_filmed_with_the_recovery() {
    let place = Place::new();
    let told = place.expect(0, "record cartpole-switch --task 1 --out film.gif");
    assert!(
        told.contains("\noracle on cartpole-switch, task in-dist/1: change at tick ")
            && told.contains(", recovered after 0 ticks\n"),
        "{told}"
    );
    // 75 ticks before the change, and 20 to 150 after it: every second has a frame, and the last one more
    assert!((49..=114).contains(&read(&place.path("film.gif")).2), "{told}");
}

#[test]
fn mistakes_are_named() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --run-dir run");
    let told = place.expect(3, "record pendulum-flip --run run --out film.gif");
    assert!(told.contains("was trained on cartpole"), "{told}");
    assert!(place.expect(4, "record cartpole-flip --out no/such/film.gif").contains("no/such/film.gif"));
    place.expect(4, "record cartpole-flip --run nowhere --out film.gif");
    for out in ["film.mp4", "film", "film.gif.png"] {
        assert!(place.expect(2, &format!("record cartpole-flip --out {out}")).contains("must end in .gif"));
        assert!(place.expect(2, &format!("tasks plot cartpole-drift --out {out}")).contains("must end in .svg"));
        assert!(!place.path(out).exists());
    }
}
