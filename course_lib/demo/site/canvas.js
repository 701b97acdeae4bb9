// Drawing: images as pixels, maps and curves with lines. Colours of the page come from its style.

const GAP = 1; // pixels between the images of a sheet

/** A colour of the page: "ink", "paper", "accent", "faint". */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Images (C, H, W) in [0, 1] side by side, `columns` in a row, one canvas pixel per pixel. */
function drawImages(canvas, images, [C, H, W], columns = images.length) {
  const gap = images.length > 1 ? GAP : 0;
  const rows = Math.ceil(images.length / columns);
  const width = columns * (W + gap) - gap, height = rows * (H + gap) - gap;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  images.forEach((image, n) => {
    const left = (n % columns) * (W + gap), top = Math.floor(n / columns) * (H + gap);
    context.putImageData(toPixels(image, C, H, W), left, top);
  });
}

/** (C, H, W) in [0, 1] to RGBA bytes, rounded as `course_lib.plots.to_uint8` does. */
function toPixels(image, C, H, W) {
  const pixels = new ImageData(W, H), places = H * W;
  for (let p = 0; p < places; p++) {
    for (let c = 0; c < 3; c++) {
      pixels.data[4 * p + c] = Math.round(255 * image[(c % C) * places + p]);
    }
    pixels.data[4 * p + 3] = 255;
  }
  return pixels;
}

/** The context of a canvas with as many pixels as the screen has there; units are page pixels. */
function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), density = devicePixelRatio || 1;
  const size = { width: Math.round(width * density), height: Math.round(height * density) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `${textSize()}px system-ui, sans-serif`;
  return { context, width, height };
}

/** Page pixels of the text on canvases. */
function textSize() {
  return 0.8 * parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** A copy of what was drawn, to be drawn again under a moving mark. */
function kept(canvas) {
  const copy = document.createElement("canvas");
  Object.assign(copy, { width: canvas.width, height: canvas.height });
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy;
}

/** A ring that shows on any ground. */
function ring(context, x, y, radius) {
  for (const [width, ink] of [[9, colour("paper")], [5, colour("accent")]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    Object.assign(context, { lineWidth: width, strokeStyle: ink });
    context.stroke();
  }
}

/** A filled circle that shows on any ground. */
function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(context, { fillStyle: colour("accent"), strokeStyle: colour("paper"), lineWidth: 1.5 });
  context.fill();
  context.stroke();
}

/** A line through points [[x, y], …] in page pixels. */
function line(context, points, ink, width = 2, dash = []) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  Object.assign(context, { strokeStyle: ink, lineWidth: width });
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** Text in the page's ink; align: as the canvas has it; halo: a rim of paper, over other things. */
function label(context, text, x, y, { align = "center", halo = 0 } = {}) {
  Object.assign(context, { fillStyle: colour("ink"), textAlign: align, textBaseline: "middle" });
  Object.assign(context, { strokeStyle: colour("paper"), lineWidth: halo, lineJoin: "round" });
  if (halo) context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

/** Places [[x, y], …] moved up and down until no two are closer than `gap` in both directions. */
function spread(places, gap) {
  const moved = places.map(([x, y]) => [x, y]);
  for (let round = 0; round < 20; round++) {
    for (const [i, a] of moved.entries()) {
      for (const b of moved.slice(i + 1)) {
        const apart = b[1] - a[1], missing = gap - Math.abs(apart);
        if (Math.abs(b[0] - a[0]) >= gap || missing <= 0) continue;
        const push = ((apart < 0 ? -1 : 1) * missing) / 2;
        a[1] -= push;
        b[1] += push;
      }
    }
  }
  return moved;
}

/** Images side by side on a sharp canvas, `places` of them across it; null or a frame around one. */
function drawGallery(canvas, images, shape, chosen = null, places = images.length) {
  const { context, width } = sharp(canvas), side = width / places, gap = 0.06 * side;
  images.forEach((image, i) => {
    const tile = document.createElement("canvas");
    drawImages(tile, [image], shape);
    context.imageSmoothingEnabled = false;
    context.drawImage(tile, i * side + gap, gap, side - 2 * gap, side - 2 * gap);
  });
  if (chosen === null) return;
  Object.assign(context, { strokeStyle: colour("accent"), lineWidth: gap });
  context.strokeRect(chosen * side + gap / 2, gap / 2, side - gap, side - gap);
}
