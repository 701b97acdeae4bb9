// How long a key takes: from its event to the pixels on the canvas, and until the page is painted.

/** Milliseconds of `times` key presses in a view: { drawn: […], painted: […] }. */
async function benchmark(view, times = 60) {
  open(view);
  const found = { drawn: [], painted: [] };
  for (let i = 0; i < times; i++) {
    await pause(7 + (i % 17)); // presses fall anywhere between two frames
    const before = $("#values").textContent, start = performance.now();
    dispatchEvent(key(i % 2 ? "ArrowLeft" : "ArrowRight"));
    await new Promise(requestAnimationFrame); // asked for after the page's own frame: runs behind it
    found.drawn.push(performance.now() - start);
    await afterPaint();
    found.painted.push(performance.now() - start);
    if ($("#values").textContent === before) throw new Error(`${view.id}: the key changed nothing`);
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
