//! Plays in a world and prints the bits of all numbers, as `scripts/page_play.mjs` does with the module: `play SETUP POLICY`.

use std::{env, error::Error, fs};

use metadrift_page::World;

fn show(world: &World) {
    let words = world.view().numbers().iter().map(|number| format!("{:016x}", number.to_bits()));
    println!("{}", words.collect::<Vec<String>>().join(" "));
}

fn play(world: &mut World, ticks: u32, learn: bool) -> Result<(), String> {
    for _ in 0..ticks {
        world.step(learn)?;
        show(world);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args().skip(1);
    let (Some(setup), Some(policy)) = (paths.next(), paths.next()) else {
        return Err("play SETUP POLICY".into());
    };
    let mut world = World::open(&fs::read_to_string(setup)?, &fs::read(policy)?)?;
    play(&mut world, 300, false)?;
    let flipped = -world.values()[0];
    world.set(0, flipped)?;
    play(&mut world, 300, false)?;
    if world.episodes_per_step() > 0 {
        world.reset();
        play(&mut world, 300, true)?;
        world.adapt()?;
        play(&mut world, 300, false)?;
    }
    world.reset();
    show(&world);
    Ok(())
}
