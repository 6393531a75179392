// Pictures of an exported page: docs/page.png (before and after the flip, light and dark) and docs/page.gif.
// node scripts/page_shots.mjs PAGE.html OUT [WIDTH]: needs chromium and the npm package puppeteer-core (NODE_PATH); writes
// OUT/*.png and OUT/frames/*.png. With WIDTH only one picture of the page at that width.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const puppeteer = createRequire(`${process.env.NODE_PATH}/`)('puppeteer-core');
const [page, out, width] = process.argv.slice(2);
const url = pathToFileURL(resolve(page)).href;
mkdirSync(`${out}/frames`, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--hide-scrollbars'],
});
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const text = (tab, id) => tab.$eval(`#${id}`, (element) => element.textContent);

async function open(viewport, scheme, before) {
  const tab = await browser.newPage();
  if (before) await tab.evaluateOnNewDocument(before);
  tab.on('pageerror', (error) => { throw error; });
  tab.on('console', (message) => console.log(message.text()));
  await tab.setViewport(viewport);
  await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await tab.goto(url);
  await wait(2500);
  return tab;
}

/** Waits until the adaptation is done; calls `meanwhile` again and again. */
async function adapt(tab, meanwhile = () => wait(100)) {
  await tab.keyboard.press('a');
  while (!(await text(tab, 'status')).startsWith('Adapted')) await meanwhile();
  console.log(await text(tab, 'status'));
}

if (width) {
  for (const scheme of ['light', 'dark']) {
    const tab = await open({ width: Number(width), height: 900 }, scheme);
    await adapt(tab);
    await wait(1500);
    await tab.screenshot({ path: `${out}/page-${width}-${scheme}.png`, fullPage: true });
    console.log(width, scheme, await tab.evaluate(() => document.documentElement.scrollWidth));
  }
} else {
  for (const scheme of ['light', 'dark']) {
    const tab = await open({ width: 1200, height: 860 }, scheme);
    await adapt(tab);
    await wait(4000);
    await tab.screenshot({ path: `${out}/${scheme}-1.png` });
    await tab.keyboard.press('f');
    await wait(1300);
    await tab.screenshot({ path: `${out}/${scheme}-2.png` });
    await adapt(tab);
    await wait(4000);
    await tab.screenshot({ path: `${out}/${scheme}-3.png` });
    console.log(scheme, await text(tab, 'after'));
    await tab.close();
  }
  // the film: a standing pole, the flip, the fall, the collection, the recovery; 20 pictures for each second of the page's time
  const tab = await open({ width: 1040, height: 900 }, 'light', () => {
    const [clock, frames] = [performance.now.bind(performance), []];
    let [base, since] = [0, clock()];
    performance.now = () => base + clock() - since;
    window.requestAnimationFrame = (frame) => frames.push(frame);
    window.advance = (ms) => {
      [base, since] = [base + ms, clock()];
      frames.splice(0).forEach((frame) => frame(base));
    };
  });
  const clip = await tab.$eval('main', (main) => {
    const { x, y, width } = main.getBoundingClientRect();
    return { x, y, width, height: main.querySelector('#past-text').getBoundingClientRect().bottom - y + 8 };
  });
  let count = 0;
  const shot = async (seen = true) => {
    await tab.evaluate(() => [17, 17, 16].forEach((ms) => window.advance(ms)));
    if (!seen) return;
    await tab.screenshot({ clip, path: `${out}/frames/${String(count).padStart(4, '0')}-${50 * count}.png` });
    count += 1;
  };
  const film = async (seconds, seen = true) => {
    for (let k = 0; k < 20 * seconds; k += 1) await shot(seen);
  };
  await film(1, false);
  await adapt(tab, () => shot(false));
  await film(1, false);
  await film(1.5);
  await tab.keyboard.press('f');
  await film(2);
  await adapt(tab, shot);
  await film(3.5);
}
await browser.close();
