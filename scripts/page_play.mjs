// Plays in the world of a page, as page/examples/play.rs does on the machine itself, and prints the bits of all numbers.
// node page_play.mjs PAGE.html SETUP FOLDER: writes the page's description of the world to SETUP; FOLDER has metadrift.mjs.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

const [page, setup, folder] = process.argv.slice(2);
const { load } = await import(pathToFileURL(resolve(folder, 'metadrift.mjs')));
const data = JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(readFileSync(page, 'utf8'))[1]);
writeFileSync(setup, data.setup);
const library = await load(Buffer.from(data.wasm, 'base64'));
const world = library.world(data.setup, Buffer.from(data.policy, 'base64'));

function show() {
  const { reward, end, earned, step, episodes, recorded, ...lists } = world.view(data.sizes);
  const { state, obs, command, applied, values } = lists;
  const numbers = Float64Array.from([reward, end, earned, step, episodes, recorded, ...state, ...obs, ...command, ...applied, ...values]);
  console.log(Array.from(new BigUint64Array(numbers.buffer), (bits) => bits.toString(16).padStart(16, '0')).join(' '));
}
const play = (ticks, learn) => {
  for (let k = 0; k < ticks; k += 1) {
    world.step(learn);
    show();
  }
};

play(300, false);
world.set(0, -world.view(data.sizes).values[0]);
play(300, false);
if (world.episodesPerStep > 0) {
  world.reset();
  play(300, true);
  world.adapt();
  play(300, false);
}
world.reset();
show();
