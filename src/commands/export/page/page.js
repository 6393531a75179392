// The page: a policy acts, its world is changed by hand, and it adapts.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const { spec, sliders } = data;
const period = spec.sample_period?.unit === 's' ? spec.sample_period.value : 0.02;
const adapts = spec.adaptation !== null;
const shown = (number) => String(Number(number.toPrecision(4)));

/** Longest work between two frames (ms), so that the page stays alive. */
const WORK = 10;
/** Frames that a quick collection takes. */
const QUICK = 150;
/** Time that an ended episode stays on the screen (s). */
const REST = 0.4;

const state = {
  mode: 'act', // or 'collect'
  round: 0,
  target: 0, // number of ended episodes at which the collection is complete
  by: 'meta',
  paused: matchMedia('(prefers-reduced-motion: reduce)').matches,
  owed: 0, // time that the world is behind the clock (s)
  rest: 0,
  adaptations: 0,
  changed: false,
  episodes: [],
  history: [],
  since: 0, // first episode that counts for the mean of the last ones
};
let world;
let view;

const say = (text, bad = false) => {
  $('status').firstElementChild.textContent = text;
  $('status').className = bad ? 'bad' : '';
};
const quantity = (name) => {
  const place = sliders.findIndex((slider) => slider.name === name);
  return place < 0 ? data.quantities[name] : view.values[place];
};
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Reads the numbers of the world again. */
function look() {
  view = world.view(data.sizes);
}

/** One step of the world. */
function tick() {
  world.step(state.mode === 'collect');
  look();
  state.history.push(view);
  if (state.history.length > 300) state.history.shift();
  if (view.end === 0) return;
  const by = state.mode === 'collect' ? 'collect' : state.by;
  state.episodes.push({ earned: view.earned, steps: view.step, by, changed: state.changed });
  state.changed = false;
  if (state.mode === 'collect' && view.episodes >= state.target) adapted();
}

/** Takes a step of adaptation, when its episodes are there. */
function adapted() {
  const before = performance.now();
  const told = world.adapt();
  const time = performance.now() - before;
  look();
  state.adaptations += 1;
  $('before').textContent = shown(told.meanReturn);
  $('used').textContent = `${told.episodes} episodes, ${told.samples} steps; parameters moved by ${told.stepNorm.toPrecision(2)}`;
  if (state.round < spec.adaptation.steps) return collect(state.round + 1);
  state.mode = 'act';
  state.by = 'adapted';
  state.since = state.episodes.length;
  say(`Adapted in ${time.toFixed(0)} ms, from ${told.episodes} episodes with a mean return of ${shown(told.meanReturn)}.`);
}

/** Begins to collect the episodes of a step of adaptation. */
function collect(round) {
  state.mode = 'collect';
  state.round = round;
  state.target = view.episodes + world.episodesPerStep;
  say(`Collecting ${world.episodesPerStep} episodes for the adaptation.`);
}

/** The number of steps in this frame, after `seconds`. */
function due(seconds) {
  const speed = Number($('speed').value);
  if (state.mode === 'collect' && $('quick').checked) {
    const last = state.episodes.slice(-5).map((episode) => episode.steps);
    const length = last.length ? mean(last) : spec.horizon;
    return Math.max(1, Math.ceil((length * world.episodesPerStep) / QUICK));
  }
  if (speed === 0) return Infinity;
  if (state.rest > 0) {
    state.rest -= seconds * speed;
    return 0;
  }
  state.owed = Math.min(state.owed + seconds * speed, 0.25 * speed);
  const steps = Math.floor(state.owed / period);
  state.owed -= steps * period;
  return steps;
}

function play(seconds) {
  const until = performance.now() + WORK;
  for (let left = due(seconds); left > 0 && performance.now() < until; left -= 1) {
    const before = state.episodes.length;
    tick();
    if (state.episodes.length > before && state.mode === 'act') {
      state.rest = REST;
      if (Number($('speed').value) > 0) break;
    }
  }
}

/** Writes what has changed. */
function show() {
  drawPlant($('plant'), data.env, view, quantity, state.history);
  drawPast($('past'), state.episodes);
  // an episode in which the world changed is of neither world
  const whole = state.episodes.slice(state.since).filter((episode) => !episode.changed);
  const last = whole.slice(-5).map((episode) => episode.earned);
  const name = state.by === 'meta' ? 'the meta-policy, not adapted'
    : state.moved ? 'adapted to the world before the change' : 'adapted to this world';
  $('policy').textContent = state.mode === 'collect' ? 'the meta-policy, drawing its commands'
    : adapts ? `${name} (adaptations: ${state.adaptations})` : 'adapts while it acts';
  $('after').textContent = last.length ? shown(mean(last)) : 'none yet';
  const done = world.episodesPerStep - (state.target - view.episodes);
  $('progress').style.visibility = state.mode === 'collect' ? 'visible' : 'hidden';
  $('progress').max = world.episodesPerStep || 1;
  $('progress').value = Math.max(0, done);
  // not read aloud with every episode
  $('count').textContent = state.mode === 'collect' ? `Now number ${Math.min(done + 1, world.episodesPerStep)}.` : '';
  $('legend').textContent = `Step ${view.step} of ${spec.horizon}, return ${shown(view.earned)}.`
    + (data.drawn ? ' Dashed: the command. Solid: what the motor delivers.' : '');
  const text = state.episodes.slice(-3).map((episode) => shown(episode.earned)).join(', ');
  $('past-text').textContent = adapts
    ? `Last: ${text || 'none yet'}. Grey: meta-policy; yellow: collecting; green: adapted; red lines: the world changed.`
    : `Last: ${text || 'none yet'}. Red lines: the world changed.`;
}

let last;
function frame(now) {
  const seconds = last === undefined ? 0 : Math.min((now - last) / 1000, 0.1);
  last = now;
  try {
    if (!state.paused) play(seconds);
    show();
    requestAnimationFrame(frame);
  } catch (error) {
    say(`The page has stopped: ${error.message}. Reload it to begin again.`, true);
  }
}

/** Changes a quantity of the world, and its slider. */
function change(place, value) {
  world.set(place, value);
  look();
  state.changed = true;
  state.moved = true;
  state.since = state.episodes.length;
  const input = $(`slider-${place}`);
  input.value = value;
  $(`value-${place}`).textContent = `${shown(value)} ${sliders[place].unit}`;
  if (state.mode === 'collect') restart();
}

/** Begins the collection anew: its episodes are to come from one world. */
function restart() {
  world.reset();
  look();
  state.by = 'meta';
  state.moved = false;
  state.since = state.episodes.length;
  collect(1);
}

const gain = sliders.findIndex((slider) => slider.name === 'actuator_gain');
const actions = {
  flip() {
    const to = -view.values[gain];
    change(gain, to);
    say(`The motor now ${to < 0 ? 'turns the wrong way' : 'turns the right way'} (gain ${shown(to)}).`);
  },
  adapt() {
    if (!adapts || state.mode === 'collect') return;
    if (state.paused) actions.pause();
    restart();
  },
  reset() {
    world.reset();
    look();
    [state.mode, state.by, state.moved] = ['act', 'meta', false];
    state.since = state.episodes.length;
    say(adapts ? 'The meta-policy acts, as it was trained.' : 'It has forgotten what it knew of this world.');
  },
  pause() {
    state.paused = !state.paused;
    $('pause').firstElementChild.textContent = state.paused ? 'Go on' : 'Pause';
  },
};

/** A slider with a bar for each range of training. */
function slider({ name, unit, doc, low, high, whole, value, trained, varies }, place) {
  const share = (number) => `${(100 * (number - low)) / (high - low)}%`;
  const marks = trained.map(([from, to]) => {
    const mark = document.createElement('i');
    mark.style.left = share(from);
    if (from === to) mark.className = 'point';
    else mark.style.width = `calc(${share(to)} - ${share(from)})`;
    return mark;
  });
  const box = document.createElement('div');
  box.className = 'slider';
  const told = varies ? trained.map(([from, to]) => (from === to ? shown(from) : `${shown(from)} to ${shown(to)}`)).join(', ')
    : `always ${shown(trained[0][0])}`;
  box.innerHTML = `<label for="slider-${place}"><span></span><output id="value-${place}"></output></label>
    <input type="range" id="slider-${place}" aria-describedby="doc-${place}"><div class="marks" aria-hidden="true"></div>
    <p class="legend" id="doc-${place}"></p>`;
  box.querySelector('span').textContent = name.replaceAll('_', ' ');
  box.querySelector('output').textContent = `${shown(value)} ${unit}`;
  box.querySelector('.marks').append(...marks);
  box.querySelector('p').textContent = `${doc}. In training: ${told}.`;
  const input = box.querySelector('input');
  Object.assign(input, { min: low, max: high, step: whole ? 1 : 'any', value });
  input.addEventListener('input', () => change(place, Number(input.value)));
  // arrow keys move by a hundredth, where "any" would leave it to the browser
  input.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by === undefined || whole) return;
    event.preventDefault();
    change(place, Math.min(high, Math.max(low, view.values[place] + (by * (high - low)) / 100)));
  });
  $('sliders').append(box);
}

async function begin() {
  const library = await load(bytes(data.wasm));
  world = library.world(data.setup, bytes(data.policy));
  look();
  sliders.forEach(slider);
  for (const name of Object.keys(actions)) $(name).addEventListener('click', actions[name]);
  $('restore').addEventListener('click', () => {
    sliders.forEach(({ value }, place) => view.values[place] !== value && change(place, value));
  });
  document.addEventListener('keydown', (event) => {
    const name = { f: 'flip', a: 'adapt', r: 'reset', p: 'pause' }[event.key.toLowerCase()];
    const typing = event.target.closest?.('select') || event.ctrlKey || event.metaKey || event.altKey;
    if (name && !typing && !$(name).hidden) actions[name]();
  });
  if (!adapts) {
    for (const id of ['adapt', 'progress', 'quick-label', 'before-name', 'before', 'used-name', 'used']) $(id).hidden = true;
    $('reset').firstElementChild.textContent = 'Forget';
  }
  if (state.paused) $('pause').firstElementChild.textContent = 'Go on';
  say(adapts ? 'The meta-policy acts: it knows nothing of this world yet.' : 'The policy acts, and adapts while it does.');
  requestAnimationFrame(frame);
}

begin().catch((error) => say(`The page cannot begin: ${error.message}`, true));
