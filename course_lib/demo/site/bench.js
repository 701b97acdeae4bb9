// How long a key takes: from its event to the pixels on the canvas, and until the page is painted.

/** Milliseconds of `times` key presses in a view: { drawn: […], painted: […] }. */
async function benchmark(view, times = 60) {
  open(view, { seen: 1 });
  while (view.busy?.()) await pause(50);
  const found = { drawn: [], painted: [] };
  for (let i = 0; i < times; i++) {
    await pause(7 + (i % 17)); // presses fall anywhere between two frames
    const before = $("#values").textContent, start = performance.now();
    dispatchEvent(key(i % 2 ? "ArrowRight" : "ArrowLeft"));
    await new Promise(requestAnimationFrame); // asked for after the page's own frame: runs behind it
    found.drawn.push(performance.now() - start);
    await afterPaint();
    found.painted.push(performance.now() - start);
    if ($("#values").textContent === before) throw new Error(`${view.id}: the key changed nothing`);
  }
  return found;
}

/** The same for a pen on the paper: from a place of the pen to its ellipse, image and nats. */
async function benchmarkPen(times = 60) {
  open(VIEWS[0], { seen: 1 });
  const found = { drawn: [], painted: [] };
  draw(0.3, 0.3, true);
  for (let i = 0; i < times; i++) {
    await pause(7 + (i % 17));
    const start = performance.now();
    draw(0.5 + 0.3 * Math.cos(i / 5), 0.5 + 0.3 * Math.sin(i / 7), false);
    await new Promise(requestAnimationFrame);
    found.drawn.push(performance.now() - start);
    await afterPaint();
    found.painted.push(performance.now() - start);
  }
  return found;
}

function key(name) {
  const event = new KeyboardEvent("keydown", { key: name, bubbles: true });
  Object.defineProperty(event, "target", { value: document.body });
  return event;
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A message is handled after the frame in which it was sent has been painted. */
function afterPaint() {
  return new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(null);
  });
}
