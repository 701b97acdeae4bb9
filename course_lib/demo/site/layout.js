// What stands on the page for a view: its words, its canvases, its sliders.

/** An element with attributes and children. */
function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

/** One tab per view. */
function layTabs(views, open) {
  $("nav").replaceChildren(...views.map((view) => {
    const tab = element("button", { textContent: view.tab, onclick: () => open(view) });
    tab.dataset.view = view.id;
    return tab;
  }));
}

/** Put up the parts of a view; `act` has what its controls do. */
function layOut(view, state, act) {
  for (const tab of document.querySelectorAll("nav button")) {
    tab.setAttribute("aria-current", tab.dataset.view === view.id ? "page" : "false");
  }
  $("h1").textContent = view.title;
  $("#lead").textContent = view.lead;
  $("main").dataset.view = view.id;
  const figures = Object.entries(view.canvases).map(([name, caption]) => figure(name, caption));
  const beside = (made) => Boolean(view.aside?.includes(made.firstChild.id));
  $("#pictures").replaceChildren(...figures.filter((made) => !beside(made)));
  $("#aside").replaceChildren(...figures.filter(beside));
  for (const [name, point] of Object.entries(view.points ?? {})) {
    follow($(`#${name}`), (x, y) => act.move(point(x, y)));
  }
  $("#controls").replaceChildren(
    ...view.controls.map((control, i) => slider(control, i, view, act)),
    ...Object.entries(view.toggles ?? {}).map(([name, text]) => switcher(name, text, act)),
  );
  $("#card").textContent = provenance(view);
  mark(state.chosen);
}

function figure(name, caption) {
  const canvas = element("canvas", { id: name });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
  return element("figure", {}, canvas, element("figcaption", { textContent: caption }));
}

/** A slider with its name, what it weighs, and its value. */
function slider({ name, note, share, low, high, step }, i, { controls }, act) {
  const input = element("input", {
    type: "range", min: low, max: high, step, id: `control-${i}`,
    oninput: () => act.move({ [name]: Number(input.value) }), onfocus: () => act.choose(i),
  });
  const key = i < 10 ? element("kbd", { textContent: (i + 1) % 10 }) : "";
  const words = element("label", { htmlFor: input.id }, key, element("b", { textContent: name }), ` ${note}`);
  const row = element("div", { className: "control" }, words, input, element("output", { htmlFor: input.id }));
  if (share) {
    const most = Math.max(...controls.map((control) => control.share));
    row.style.setProperty("--share", share / most);
  }
  return row;
}

/** A button that switches something on and off. */
function switcher(name, text, act) {
  const button = element("button", { className: "switch", onclick: () => act.toggle(name) });
  button.append(element("kbd", { textContent: "m" }), text);
  button.dataset.toggle = name;
  return button;
}

/** Pointer and touch on a canvas, as fractions of its width and height. */
function follow(canvas, move) {
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    at(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && at(event));
}

/** Which control the arrow keys walk; null on a map, where they walk two of them. */
function mark(chosen) {
  document.querySelectorAll(".control").forEach((row, i) => row.classList.toggle("chosen", i === chosen));
}

function playing(on) {
  $("#play").setAttribute("aria-pressed", on);
  $("#values").setAttribute("aria-live", on ? "off" : "polite"); // nobody can listen to sixty a second
}

/** The pictures and numbers of a view for these values. */
function show(view, values, toggles) {
  const canvases = Object.fromEntries(Object.keys(view.canvases).map((name) => [name, $(`#${name}`)]));
  const text = view.draw(values, canvases, toggles);
  view.controls.forEach(({ name, stops, low, high, home }, i) => {
    const input = $(`#control-${i}`), value = values[name];
    const told = stops ? stops[value] : written(value);
    if (Number(input.value) !== value) input.value = value;
    input.setAttribute("aria-valuetext", told);
    const shares = [value, home].map((at) => (at - low) / (high - low)).sort((a, b) => a - b);
    input.style.setProperty("--from", shares[0]); // the bar reaches from home to the value
    input.style.setProperty("--to", shares[1]);
    input.parentElement.querySelector("output").textContent = told;
  });
  for (const button of document.querySelectorAll("[data-toggle]")) {
    button.setAttribute("aria-pressed", Boolean(toggles[button.dataset.toggle]));
  }
  $("#values").textContent = text;
}

/** Where a model comes from, in one line. */
function provenance({ card, seconds, recipes = [] }) {
  const names = [card.recipe, ...recipes].join(" and "), word = recipes.length ? "recipes" : "recipe";
  const trained = `${Math.round(seconds ?? card.seconds)} s of training on ${card.date}`;
  return `${card.model.class} · ${word} ${names} · ${card.source} · ${trained} · PyTorch ${card.torch}`;
}
