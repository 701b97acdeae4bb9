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
  if (view.drawing) {
    follow($("#drawing"), act.draw);
    follow($("#digits"), (x, _, begins) => begins && act.pick(Math.min(DIGITS - 1, Math.floor(DIGITS * x))));
  }
  $("#controls").replaceChildren(
    ...view.controls.map((control, i) => slider(control, i, view, act)),
    ...Object.entries(view.toggles ?? {}).map(([name, text]) => switcher(name, text, act)),
  );
  $("#play").textContent = view.space?.text ?? "animate";
  $("#clear").hidden = !view.drawing;
  $("#card").textContent = provenance(view);
  layWords(WORDS[view.id]);
  mark(state.chosen);
}

/** The question, the equation and the code of a view, with a link to the notebook that has them. */
function layWords({ ask, equation, code, notebook, section }) {
  $("#ask span").textContent = ask;
  $("#equation").innerHTML = equation;
  $("#code pre").textContent = code.join("\n");
  const { files } = content.course, text = `notebook ${notebook.slice(0, 2)}, section ${section}`;
  Object.assign($("#code a"), { textContent: text, href: `${files}/notebooks/${notebook}.ipynb` });
}

/** A picture under a veil until the question was answered, in the head or aloud. */
function veil(on) {
  $("#ask").hidden = !on;
  $("main").classList.toggle("veiled", on);
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

/** Pointer and touch on a canvas, as fractions of its width and height, and whether they begin. */
function follow(canvas, move) {
  const at = (event, begins) => {
    if (!event.isPrimary) return; // a second finger
    const box = canvas.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, begins);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    at(event, true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) at(part, false); // a fast hand draws round
  });
}

/** Which control the arrow keys walk; null on a map, where they walk two of them. */
function mark(chosen) {
  document.querySelectorAll(".control").forEach((row, i) => row.classList.toggle("chosen", i === chosen));
}

function playing(on) {
  $("#play").setAttribute("aria-pressed", on);
}

/** What a screen reader says and finds at the pictures, once nothing moves any more. */
function speak(view) {
  $("#spoken").textContent = $("#values").textContent;
  for (const [name, caption] of Object.entries(view.canvases)) {
    $(`#${name}`).setAttribute("aria-label", `${caption}. ${$("#values").textContent}`);
  }
}

/** The pictures and numbers of a view for these values. */
function show(view, values, toggles) {
  const canvases = Object.fromEntries(Object.keys(view.canvases).map((name) => [name, $(`#${name}`)]));
  const text = view.draw(values, canvases, toggles);
  view.controls.forEach(({ name, stops, told: tell, low, high, home, step }, i) => {
    const input = $(`#control-${i}`), value = values[name];
    const digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
    const told = stops ? stops[value] : tell ? tell(value) : written(value, digits);
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

/** The course, its licence, and the article whose idea this page follows. */
function layLinks() {
  const { home, files } = content.course;
  const links = {
    "the course": home, "MIT licence": `${files}/LICENSE`,
    "after VAE Explainer, Bertucci & Endert 2024": "https://arxiv.org/abs/2409.09011",
  };
  const made = Object.entries(links).map(([textContent, href]) => element("a", { textContent, href }));
  $("#links").replaceChildren(...made.flatMap((link, i) => (i ? [" · ", link] : [link])));
}
