// Pictures of machines on a canvas, and of what they did.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A canvas in its own units, sharp on every screen. */
function prepared(canvas, width, height) {
  const scale = (canvas.clientWidth / width) * (window.devicePixelRatio || 1) || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const g = canvas.getContext('2d');
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  g.lineCap = 'round';
  return g;
}

function line(g, from, to, width, ink) {
  g.strokeStyle = ink;
  g.lineWidth = width;
  g.beginPath();
  g.moveTo(...from);
  g.lineTo(...to);
  g.stroke();
}

function disc(g, [x, y], radius, ink) {
  g.fillStyle = ink;
  g.beginPath();
  g.arc(x, y, radius, 0, 2 * Math.PI);
  g.fill();
}

/** A horizontal arrow of that length to the right. */
function arrow(g, [x, y], length, ink, dashed) {
  if (Math.abs(length) < 1) return;
  const tip = x + length;
  const back = Math.sign(length) * Math.min(10, Math.abs(length));
  g.setLineDash(dashed ? [5, 7] : []);
  line(g, [x, y], [tip, y], 4, ink);
  g.setLineDash([]);
  const side = 0.7 * back;
  line(g, [tip, y], [tip - back, y - side], 4, ink);
  line(g, [tip, y], [tip - back, y + side], 4, ink);
}

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** Cart and pole; the command is a choice: 0 pushes to the left, 1 to the right. */
function cartPole(g, view, quantity) {
  const limit = quantity('x_limit');
  const scale = 340 / limit;
  const ground = 380;
  const x = 400 + clamp(view.state[0], -1.1 * limit, 1.1 * limit) * scale;
  line(g, [30, ground], [770, ground], 3, colour('line'));
  for (const end of [-limit, limit]) line(g, [400 + end * scale, ground - 18], [400 + end * scale, ground + 8], 3, colour('line'));
  const length = 400 * clamp(quantity('half_length'), 0.1, 0.75);
  const angle = view.state[2];
  const hinge = [x, ground - 52];
  g.fillStyle = colour('body');
  g.beginPath();
  g.roundRect(x - 50, ground - 52, 100, 40, 6);
  g.fill();
  for (const wheel of [-28, 28]) disc(g, [x + wheel, ground - 9], 9, colour('ink'));
  const thickness = 10 + 10 * clamp(quantity('mass_pole') / 0.4, 0, 1);
  line(g, hinge, [hinge[0] + length * Math.sin(angle), hinge[1] - length * Math.cos(angle)], thickness, colour('pole'));
  disc(g, hinge, 6, colour('ink'));
  const full = 9 * quantity('force_mag');
  const from = (push) => x + 56 * Math.sign(push);
  const wish = view.step > 0 ? (view.command[0] === 1 ? full : -full) : 0;
  const push = view.applied[0] * full;
  arrow(g, [from(wish), ground - 44], clamp(wish, -150, 150), colour('wish'), true);
  arrow(g, [from(push), ground - 20], clamp(push, -150, 150), colour('push'), false);
}

function pendulum(g, view, quantity) {
  const pivot = [400, 215];
  const length = 150 * clamp(quantity('length'), 0.3, 1.3);
  const angle = view.state[0];
  line(g, [pivot[0], 8], [pivot[0], 24], 3, colour('line'));
  const tip = [pivot[0] + length * Math.sin(angle), pivot[1] - length * Math.cos(angle)];
  line(g, pivot, tip, 14 + 8 * clamp(quantity('mass'), 0.2, 2), colour('pole'));
  disc(g, pivot, 8, colour('ink'));
  arrow(g, [pivot[0], 410], clamp(70 * view.command[0], -250, 250), colour('wish'), true);
  arrow(g, [pivot[0], 430], clamp(70 * view.applied[0], -250, 250), colour('push'), false);
}

/** The last states and outputs of the actuators as curves, for machines that have no picture. */
function curves(g, history) {
  const rows = history.slice(-300);
  const count = rows.length ? rows[0].state.length + rows[0].applied.length : 0;
  g.font = '15px system-ui, sans-serif';
  for (let k = 0; k < count; k++) {
    const of = (row) => (k < row.state.length ? row.state[k] : row.applied[k - row.state.length]);
    const states = rows[0].state.length;
    const numbers = rows.map(of);
    const widest = Math.max(1e-6, ...numbers.map(Math.abs));
    const height = 430 / count;
    const middle = 10 + height * (k + 0.5);
    line(g, [120, middle], [790, middle], 1, colour('line'));
    g.strokeStyle = colour(k < states ? 'body' : 'push');
    g.lineWidth = 2;
    g.beginPath();
    numbers.forEach((number, at) => g.lineTo(120 + (670 * at) / 300, middle - (0.42 * height * number) / widest));
    g.stroke();
    g.fillStyle = colour('ink');
    const name = k < states ? `state ${k}` : `actuator ${k - states}`;
    g.fillText(`${name}: ${numbers.at(-1).toPrecision(3)}`, 6, middle + 5, 112);
  }
}

const PICTURES = { cartpole: cartPole, pendulum };

/** Draws the machine; `quantity` gives the value of a channel by name. */
function drawPlant(canvas, env, view, quantity, history) {
  const g = prepared(canvas, 800, 450);
  if (PICTURES[env]) PICTURES[env](g, view, quantity);
  else curves(g, history);
}

/** Draws a bar for each episode, in the colour of its policy, and lines where the world changed. */
function drawPast(canvas, episodes) {
  const g = prepared(canvas, 800, 160);
  const shown = episodes.slice(-80);
  const returns = shown.map((episode) => episode.earned);
  const [low, high] = [Math.min(0, ...returns), Math.max(0, ...returns)];
  const at = (earned) => 145 - (130 * (earned - low)) / (high - low || 1);
  shown.forEach((episode, k) => {
    const x = 10 + (780 / 80) * k;
    const [top, bottom] = [at(Math.max(0, episode.earned)), at(Math.min(0, episode.earned))];
    g.fillStyle = colour(episode.by);
    g.fillRect(x, top, 7, Math.max(2, bottom - top));
    if (episode.changed) {
      g.setLineDash([4, 6]);
      line(g, [x - 1.5, 6], [x - 1.5, 154], 2, colour('bad'));
      g.setLineDash([]);
    }
  });
  line(g, [8, at(0)], [792, at(0)], 1, colour('line'));
}
