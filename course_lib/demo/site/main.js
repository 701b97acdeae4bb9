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
const state = { view: null, values: {}, toggles: {}, chosen: 0, playing: null, frame: 0 };
const $ = (selector) => document.querySelector(selector);

/** Show a view as it was left. */
function open(view) {
  stop();
  Object.assign(state, { view, chosen: view.plane ? null : 0 });
  state.values[view.id] ??= homes(view);
  state.toggles[view.id] ??= {};
  layOut(view, state, { move, choose, toggle });
  location.replace(`#${view.id}`);
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

/** Set some controls, each to its nearest stop; between stops only where it is `smooth`. */
function move(changes, smooth = false) {
  for (const { name, low, high, step, stops } of state.view.controls) {
    if (name in changes) {
      const stop = low + Math.round((changes[name] - low) / step) * step;
      const value = smooth && !stops ? changes[name] : Number(stop.toFixed(6));
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
  if (state.view.reroll) state.view.reroll();
  const drawn = state.view.controls.filter((control) => control.random);
  move(Object.fromEntries(drawn.map((control) => [control.name, control.random()])));
}

function reset() {
  stop();
  if (state.view.plane) mark((state.chosen = null));
  move(homes(state.view));
}

/** Move the chosen control there and back; on a map where none is chosen, both in a circle. */
function play() {
  stop();
  const { controls, plane } = state.view, free = plane && state.chosen === null;
  const moved = free ? controls : [controls[state.chosen]];
  const start = moved.map(({ name }) => values()[name]);
  const path = free ? circle(start) : swing(moved[0], start[0]);
  let begin; // the first frame's time: a page that was held up does not jump
  const step = (now) => {
    begin ??= now;
    const place = [path((now - begin) / 1000)].flat();
    move(Object.fromEntries(moved.map(({ name }, i) => [name, place[i]])), true);
    state.playing = requestAnimationFrame(step);
  };
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
  if (event.target.matches("button") && [" ", "Enter"].includes(event.key)) return; // as everywhere else
  if (press(event.key, event.shiftKey)) event.preventDefault();
});
// A button that was clicked gives the keys back to the page: space animates, wherever the mouse was.
// One that was pressed by a key (detail 0) keeps them.
addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur());
addEventListener("hashchange", () => {
  const view = VIEWS.find(({ id }) => `#${id}` === location.hash);
  if (view && view !== state.view) open(view);
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
