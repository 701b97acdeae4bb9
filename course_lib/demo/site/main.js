// The page: which view is open, what its controls say, keys, pointer, animation.

const content = JSON.parse(document.getElementById("content").textContent);
const decoders = Object.fromEntries(
  Object.entries(content.models).map(([name, model]) => [name, buildDecoder(model)]),
);
const named = (start) => Object.keys(decoders).filter((name) => name.startsWith(start));
const family = named("mnist-decoder-64").map((name) => decoders[name]);
family.sort((a, b) => a.card.test.beta - b.card.test.beta);
const VIEWS = [
  padView(decoders["mnist-decoder-2"]),
  latentsView(family.find(({ card }) => card.test.beta === 1)),
  priceView(family, content.table),
  facesView(decoders["faces-vae-128"], content.walks),
];
const SECONDS = 6; // of one way there and back while a control is animated
const state = { view: null, values: {}, toggles: {}, chosen: 0, playing: null, frame: 0 };
const $ = (selector) => document.querySelector(selector);

/** Show a view as it was left. */
function open(view) {
  stop();
  Object.assign(state, { view, chosen: 0 });
  state.values[view.id] ??= homes(view);
  state.toggles[view.id] ??= {};
  layOut(view, state, { move, choose, toggle });
  history.replaceState(null, "", `#${view.id}`);
  refresh();
}

const homes = (view) => Object.fromEntries(view.controls.map(({ name, home }) => [name, home]));
const values = () => state.values[state.view.id];

/** Ask for a picture of the values as they are at the next frame: the latest ones win. */
function refresh() {
  state.frame ||= requestAnimationFrame(() => {
    state.frame = 0;
    show(state.view, values(), state.toggles[state.view.id]);
  });
}

/** Set some controls, each to its nearest stop. */
function move(changes) {
  for (const { name, low, high, step } of state.view.controls) {
    if (name in changes) {
      const stop = low + Math.round((changes[name] - low) / step) * step;
      values()[name] = Math.min(high, Math.max(low, Number(stop.toFixed(6))));
    }
  }
  refresh();
}

function choose(index) {
  if (index >= state.view.controls.length) return;
  if (state.playing) play(index);
  state.chosen = index;
  mark(index);
}

function toggle(name, on) {
  state.toggles[state.view.id][name] = on;
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
  if (state.view.reroll) state.view.reroll();
  const drawn = state.view.controls.filter((control) => control.random);
  move(Object.fromEntries(drawn.map((control) => [control.name, control.random()])));
}

function reset() {
  stop();
  move(homes(state.view));
}

/** Move the chosen control there and back; on the map, both in a circle. */
function play(index = state.chosen) {
  stop();
  const begin = performance.now(), { controls, plane } = state.view;
  const start = values()[controls[index].name];
  const step = (now) => {
    const turn = (2 * Math.PI * (now - begin)) / 1000 / SECONDS;
    const { name, low, high } = controls[index], middle = (low + high) / 2, reach = (high - low) / 2;
    const phase = Math.asin(Math.max(-1, Math.min(1, (start - middle) / reach)));
    if (plane) move({ [controls[0].name]: 2 * Math.sin(turn), [controls[1].name]: 2 * Math.cos(turn) });
    else move({ [name]: middle + reach * Math.sin(turn + phase) });
    state.playing = requestAnimationFrame(step);
  };
  state.playing = requestAnimationFrame(step);
  playing(true);
}

function stop() {
  if (state.playing) cancelAnimationFrame(state.playing);
  state.playing = null;
  playing(false);
}

function flipTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  refresh();
}

/** What keys do; true where one did something. */
function press(key, far) {
  const { plane, controls } = state.view, steps = far ? 5 : 1;
  const next = VIEWS.indexOf(state.view);
  const actions = {
    ArrowRight: () => walk(steps, plane ? 0 : undefined),
    ArrowLeft: () => walk(-steps, plane ? 0 : undefined),
    ArrowUp: () => (plane ? walk(steps, 1) : choose(Math.max(0, state.chosen - 1))),
    ArrowDown: () => (plane ? walk(-steps, 1) : choose(Math.min(controls.length - 1, state.chosen + 1))),
    " ": () => (state.playing ? stop() : play()),
    r: random, Home: reset, t: flipTheme, m: () => $("[data-toggle]")?.click(),
    PageDown: () => open(VIEWS[(next + 1) % VIEWS.length]),
    PageUp: () => open(VIEWS[(next + VIEWS.length - 1) % VIEWS.length]),
  };
  if (/^[0-9]$/.test(key)) choose(key === "0" ? 9 : Number(key) - 1);
  else if (key in actions) actions[key]();
  else return false;
  return true;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.matches("button, input[type=checkbox], summary");
  if (onButton && [" ", "Enter"].includes(event.key)) return; // as everywhere else
  if (press(event.key, event.shiftKey)) event.preventDefault();
});
addEventListener("resize", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
$("#theme").addEventListener("click", flipTheme);
$("#random").addEventListener("click", random);
$("#reset").addEventListener("click", reset);
$("#play").addEventListener("click", () => (state.playing ? stop() : play()));
layTabs(VIEWS, open);
open(VIEWS.find(({ id }) => `#${id}` === location.hash) ?? VIEWS[0]);

// For tests and measurements.
window.course = { decoders, state, benchmark: (id, times) => benchmark(VIEWS.find((v) => v.id === id), times) };
