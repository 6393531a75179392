// Checks the policy of this export by its vectors: node check.mjs [FOLDER OF THE VECTORS]
// Every command and every adapted parameter must be the same to the bit; exits with 1 if one is not.
import { existsSync, readFileSync } from 'node:fs';
import { GOING, STOPPED, TERMINATED, load } from './metadrift.mjs';

const here = new URL('.', import.meta.url);
const vectors = process.argv[2] ? new URL(`file://${process.argv[2].replace(/\/?$/, '/')}`) : new URL('../vectors/', here);
const ends = { going: GOING, terminated: TERMINATED, stopped: STOPPED };
const library = await load(readFileSync(new URL('metadrift.wasm', here)));
const policy = library.policy(readFileSync(new URL('../policy.bin', here)));

function differ(where, expected, found) {
  console.error(`${where}: ${found} instead of ${expected}`);
  process.exit(1);
}

/** Lets the policy live through the rows of a file; gives their number, and the time to act in seconds. */
function live(name, learn) {
  const [header, ...rows] = readFileSync(new URL(name, vectors), 'utf8').trimEnd().split('\n');
  const [n, drawn] = [policy.observationSize, header.includes('uniform0')];
  let [last, seconds] = [undefined, 0];
  rows.forEach((row, at) => {
    const words = row.split(',');
    const end = ends[words.pop()];
    const numbers = words.map((word) => Math.fround(Number(word)));
    const take = (count) => numbers.splice(0, count);
    const [life] = take(1);
    const observation = take(n);
    const random = take(drawn ? 4 : 0);
    const expected = take(policy.commandSize);
    const [reward] = take(1);
    if (numbers.length !== n || end === undefined) differ(`${name}, row ${at + 2}`, 'a row of vectors', `\`${row}\``);
    if (life !== last) policy.begin();
    last = life;
    const before = performance.now();
    const found = drawn ? policy.sample(observation, random) : policy.act(observation);
    seconds += (performance.now() - before) / 1000;
    expected.forEach((value, k) => Object.is(value, found[k]) || differ(`${name}, row ${at + 2}`, value, found[k]));
    if (learn) policy.record(reward, numbers, end);
    else policy.outcome(reward, numbers, end);
  });
  return [rows.length, seconds];
}

const runs = [live('likely.csv', false), live('drawn.csv', false)];
const [ticks, seconds] = [0, 1].map((k) => runs[0][k] + runs[1][k]);
let told = `${ticks} commands to the bit, ${((1e6 * seconds) / ticks).toFixed(1)} us each`;
if (policy.episodesPerStep > 0) {
  policy.room(runs[1][0]);
  live('drawn.csv', true);
  const before = performance.now();
  const adapted = policy.adapt();
  const time = performance.now() - before;
  const expected = readFileSync(new URL('adapted.csv', vectors), 'utf8').trimEnd().split('\n').slice(1);
  const found = policy.parameters();
  if (expected.length !== found.length) differ('parameters', expected.length, found.length);
  expected.forEach((value, k) => Object.is(Math.fround(Number(value)), found[k]) || differ(`parameter ${k}`, value, found[k]));
  told += `; ${found.length} parameters after a step on ${adapted.samples} samples to the bit, ${time.toFixed(1)} ms`;
} else if (existsSync(new URL('adapted.csv', vectors))) {
  differ('adaptation', 'a step', 'none');
}
console.log(told);
