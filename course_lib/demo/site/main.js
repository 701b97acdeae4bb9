// The page: which view is open, what its controls say, keys, pointer, animation, the address.

const content = JSON.parse(document.getElementById("content").textContent);
const built = {};
const net = (name) => (built[name] ??= build(content.models[name])); // when a view first needs it
const BETAS = ["0.1", "0.5", "1", "2", "10"], CODEBOOKS = Object.keys(content.bits);
const sheet = newSheet(content.digits.images.map(inUnit));
const FIRST_DIGIT = 3, SETTLED = 300; // milliseconds without a change
const lazily = (id, tab, make) => ({ id, tab, make });
const VIEWS = [
  lazily("pad", "Draw", () => padView(net, sheet, surpriseOf(net, content.digits))),
  lazily("bound", "Bound", () => boundView(net, sheet)),
  lazily("latents", "64 latents", () => latentsView(net)),
  lazily("holes", "AE or VAE", () => holesView(net)),
  lazily("denoise", "Denoise", () => denoiseView(net, sheet)),
  lazily("diffusion", "Diffusion", () => diffusionView(net, refresh)),
  lazily("price", "Price β", () => priceView(net, BETAS, content.table)),
  lazily("faces", "Faces", () => facesView(net, content.walks)),
  lazily("symbols", "Symbols", () => symbolsView(net, CODEBOOKS, content.walks, content.bits)),
];
const state = {
  view: null, values: {}, toggles: {}, met: {}, seen: {}, chosen: 0, playing: null, frame: 0, settling: 0, address: "",
};
const STILL = 0.5; // seconds of the way, where nothing is to move by itself
const $ = (selector) => document.querySelector(selector);

/** Show a view as it was left, or with the values of an address. */
function open(lazy, given = {}) {
  stop();
  state.view?.left?.();
  const view = Object.assign(lazy, lazy.made ? {} : { made: true, ...lazy.make() });
  Object.assign(state, { view, chosen: view.plane ? null : 0 });
  meet();
  state.values[view.id] ??= homes(view);
  state.toggles[view.id] ??= {};
  layOut(view, state, { move, choose, toggle, draw, pick });
  if (Object.keys(given).length) state.seen[view.id] = true; // a link opens what its author saw
  veil(!state.seen[view.id]);
  move(given, true);
}

/** Tell a view that encodes the drawing of a new one: its controls begin at what the encoder says. */
function meet() {
  const { view } = state;
  if (!view.meet || state.met[view.id] === sheet.version) return;
  view.meet(sheet.image);
  state.met[view.id] = sheet.version;
  state.values[view.id] = homes(view);
}

/** A pen on the paper. */
function draw(x, y, begins) {
  stop();
  if (begins) sheet.begin(x, y);
  else sheet.extend(x, y);
  meet();
  refresh();
}

function pick(digit) {
  stop();
  sheet.pick(digit);
  meet();
  refresh();
}

function reveal() {
  state.seen[state.view.id] = true;
  veil(false);
  settle();
}

const homes = (view) => Object.fromEntries(view.controls.map(({ name, home }) => [name, home]));
const values = () => state.values[state.view.id];

/** Ask for a picture of the values as they are at the next frame: the latest ones win. */
function refresh() {
  state.frame ||= requestAnimationFrame(() => {
    state.frame = 0;
    show(state.view, values(), state.toggles[state.view.id]);
    settle();
  });
}

/** When nothing has moved for a moment: speak, and put the place into the address. */
function settle() {
  clearTimeout(state.settling);
  state.settling = setTimeout(() => {
    if (state.playing) return settle();
    speak(state.view);
    state.address = addressOf(state);
    // Whole: in an <iframe srcdoc> a fragment alone is one of the page around it, and replaces this one.
    location.replace(location.href.replace(/#.*/s, "") + state.address);
  }, SETTLED);
}

/** `#view`, and for one that was revealed `&name=value` of each control that was moved, and the drawing. */
function addressOf({ view, seen }) {
  const parts = [view.id];
  if (seen[view.id]) {
    parts.push("seen");
    for (const { name, home, step } of view.controls) {
      const value = values()[name];
      if (Math.abs(value - home) > step / 100) parts.push(`${encodeURIComponent(name)}=${Number(value.toFixed(3))}`);
    }
    if (view.drawing) parts.push(`x=${sheet.text()}`);
  }
  return `#${parts.join("&")}`;
}

/** A part of an address; one that was cut stays as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Open what an address says; an unknown one leaves all as it is. */
function followAddress(hash) {
  const [id, ...parts] = hash.slice(1).split("&"), view = VIEWS.find((one) => one.id === id);
  if (!view) return false;
  state.address = hash;
  const given = Object.fromEntries(parts.map((part) => part.split("=").map(decoded)));
  if (given.x) sheet.read(given.x);
  const numbers = Object.entries(given).map(([name, value]) => [name, Number(value)]);
  open(view, Object.fromEntries(numbers.filter(([name, value]) => name === "seen" || Number.isFinite(value))));
  return true;
}

/** Set some controls, each to its nearest stop; between stops where it is `smooth` or the control free. */
function move(changes, smooth = false) {
  for (const { name, low, high, step, stops, free } of state.view.controls) {
    if (name in changes) {
      const stop = low + Math.round((changes[name] - low) / step) * step;
      const value = free || (smooth && !stops) ? changes[name] : Number(stop.toFixed(6));
      values()[name] = Math.min(high, Math.max(low, value));
    }
  }
  refresh();
}

/** The control that keys walk and space animates. The focus goes with it from slider to slider. */
function choose(index) {
  if (index >= state.view.controls.length || index === state.chosen) return;
  state.chosen = index;
  mark(index);
  if (document.activeElement.matches("[type=range]")) $(`#control-${index}`).focus();
  if (state.playing) play();
}

function toggle(name) {
  const toggles = state.toggles[state.view.id];
  toggles[name] = !toggles[name];
  refresh();
}

/** One step of the chosen control, or of another one. */
function walk(steps, index = state.chosen) {
  stop();
  const { name, step } = state.view.controls[index];
  move({ [name]: values()[name] + steps * step });
}

function random() {
  stop();
  state.view.reroll?.();
  const drawn = state.view.controls.filter((control) => control.random);
  move(Object.fromEntries(drawn.map((control) => [control.name, control.random()])));
}

function reset() {
  stop();
  state.view.left?.();
  if (state.view.plane) mark((state.chosen = null));
  move(homes(state.view));
}

/** What space does: the view's own action, or an animation, and its end. */
function go() {
  if (state.view.space) {
    state.view.space.act();
    refresh();
  } else if (state.playing) stop();
  else play();
}

/** Move the chosen control there and back; on a map where none is chosen, both in a circle. */
function play() {
  stop();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches; // then one step of the way at a press
  const { controls, plane } = state.view, free = plane && state.chosen === null;
  const moved = free ? controls.slice(0, 2) : [controls[state.chosen]];
  const start = moved.map(({ name }) => values()[name]);
  const path = free ? circle(start) : swing(moved[0], start[0]);
  let begin; // the first frame's time: a page that was held up does not jump
  const step = (now) => {
    begin ??= now;
    const place = [path((now - begin) / 1000)].flat();
    move(Object.fromEntries(moved.map(({ name }, i) => [name, place[i]])), true);
    state.playing = requestAnimationFrame(step);
  };
  if (still) return move(Object.fromEntries(moved.map(({ name }, i) => [name, [path(STILL)].flat()[i]])));
  state.playing = requestAnimationFrame(step);
  playing(true);
}

/** End an animation, at the nearest stops. */
function stop() {
  if (!state.playing) return;
  cancelAnimationFrame(state.playing);
  state.playing = null;
  playing(false);
  move(values());
}

function flipTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  refresh();
}

/** Show or hide the equation or the code. */
function explain(name) {
  const part = $(`#${name}`);
  part.hidden = !part.hidden;
  $(`#${name}-key`).setAttribute("aria-pressed", !part.hidden);
  refresh();
}

/** What keys do; true where one did something. */
function press(key, far) {
  const { plane, controls, drawing } = state.view, steps = far ? 5 : 1;
  const next = VIEWS.indexOf(state.view), on = plane && (state.chosen ?? 0) < 2; // the arrows walk the map
  const actions = {
    ArrowRight: () => walk(steps, on ? 0 : undefined),
    ArrowLeft: () => walk(-steps, on ? 0 : undefined),
    ArrowUp: () => (on ? walk(steps, 1) : choose(Math.max(0, state.chosen - 1))),
    ArrowDown: () => (on ? walk(-steps, 1) : choose(Math.min(controls.length - 1, state.chosen + 1))),
    " ": go, r: random, Home: reset, t: flipTheme, m: () => $("[data-toggle]")?.click(),
    e: () => explain("equation"), c: () => explain("code"),
    PageDown: () => open(VIEWS[(next + 1) % VIEWS.length]),
    PageUp: () => open(VIEWS[(next + VIEWS.length - 1) % VIEWS.length]),
  };
  if (!$("#ask").hidden) actions.Enter = reveal;
  if (drawing) {
    actions.d = () => pick(((sheet.picked ?? -1) + 1) % DIGITS);
    actions.Delete = clear;
    actions.Backspace = undo;
  }
  if (/^[0-9]$/.test(key)) choose(key === "0" ? 9 : Number(key) - 1);
  else if (key in actions) actions[key]();
  else return false;
  return true;
}

function clear() {
  stop();
  sheet.clear();
  meet();
  refresh();
}

/** Without the last stroke. */
function undo() {
  stop();
  sheet.undo();
  meet();
  refresh();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("button, a") && [" ", "Enter"].includes(event.key)) return; // as everywhere else
  if (press(event.key, event.shiftKey)) event.preventDefault();
});
// A button that was clicked gives the keys back to the page: space goes on, wherever the mouse was.
// One that was pressed by a key (detail 0) keeps them.
addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur());
addEventListener("hashchange", () => decoded(location.hash) !== decoded(state.address) && followAddress(location.hash));
addEventListener("resize", refresh);
addEventListener("beforeprint", () => show(state.view, values(), state.toggles[state.view.id]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
const clicks = {
  theme: flipTheme, random, reset, clear, reveal, play: go,
  "equation-key": () => explain("equation"), "code-key": () => explain("code"),
};
for (const [id, act] of Object.entries(clicks)) $(`#${id}`).addEventListener("click", act);
layTabs(VIEWS, open);
layLinks();
sheet.pick(FIRST_DIGIT);
followAddress(location.hash) || open(VIEWS[0]);

// For tests and measurements.
window.course = {
  net, sheet, state, ddimStep, samplingSteps, benchmarkPen,
  benchmark: (id, times) => benchmark(VIEWS.find((v) => v.id === id), times),
};
