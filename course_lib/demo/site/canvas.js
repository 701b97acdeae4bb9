// Drawing: images as pixels, maps and curves with lines. Colours of the page come from its style.

// Okabe & Ito's palette with a grey and a brown, as in `course_lib.plots.CLASS_COLOURS`.
const CLASS_COLOURS = [
  "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00",
  "#56B4E9", "#F0E442", "#000000", "#999999", "#8C510A",
];
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

/** A line through points [[x, y], …] in page pixels. */
function line(context, points, ink, width = 2, dash = []) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  Object.assign(context, { strokeStyle: ink, lineWidth: width });
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

/** Text in the page's ink; align: as the canvas has it. */
function label(context, text, x, y, align = "center") {
  Object.assign(context, { fillStyle: colour("ink"), textAlign: align, textBaseline: "middle" });
  context.fillText(text, x, y);
}
