// The digit that all views share: strokes of a pen, or one of the test digits, as 28 × 28 pixels.

const SIDE = 28, BOX = 20; // pixels of the image, and of the box that a digit fills in it, as in MNIST
const PEN = 2.2; // width of a stroke, pixels

/** sheet.image: (784,) in [0, 1]; sheet.version: another one after each change. */
function newSheet(digits) {
  const sheet = { strokes: [], picked: null, image: new Float32Array(SIDE * SIDE), version: 0, digits };
  const changed = (parts) => Object.assign(sheet, parts, { version: sheet.version + 1 });
  return Object.assign(sheet, {
    /** A stroke begins at (x, y), fractions of the paper; the first one replaces a picked digit. */
    begin(x, y) {
      if (sheet.picked !== null) sheet.strokes = [];
      sheet.strokes.push([[x, y]]);
      changed({ picked: null, image: digitOf(sheet.strokes) });
    },
    extend(x, y) {
      const stroke = sheet.strokes.at(-1), [a, b] = stroke.at(-1);
      if (Math.hypot(x - a, y - b) < 0.005) return;
      stroke.push([x, y]);
      changed({ image: digitOf(sheet.strokes) });
    },
    pick: (i) => changed({ strokes: [], picked: i, image: digits[i] }),
    clear: () => changed({ strokes: [], picked: null, image: new Float32Array(SIDE * SIDE) }),
    undo() {
      const strokes = sheet.strokes.slice(0, -1);
      changed({ strokes, picked: null, image: digitOf(strokes) });
    },
    /** For an address: "3" for a picked digit, else the strokes in thousandths of the paper. */
    text: () => sheet.picked ?? sheet.strokes.map((s) => s.flat().map((u) => Math.round(1000 * u)).join(".")).join("-"),
    read(text) {
      if (/^[0-9]$/.test(text)) return sheet.pick(Number(text));
      const strokes = text.split("-").map((stroke) => {
        const numbers = stroke.split(".").map((n) => Math.min(1, Number(n) / 1000));
        return numbers.flatMap((x, i) => (i % 2 ? [] : [[x, numbers[i + 1]]]));
      });
      if (strokes.flat(2).every(Number.isFinite)) changed({ strokes, picked: null, image: digitOf(strokes) });
    },
  });
}

/**
 * Strokes as MNIST has digits: the longer side of the ink fills 20 pixels, and its centre of mass
 * lies in the middle of 28 × 28. Source: LeCun et al. (1998), section III A.
 */
function digitOf(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float32Array(SIDE * SIDE);
  const [left, top] = [0, 1].map((i) => Math.min(...points.map((p) => p[i])));
  const [right, bottom] = [0, 1].map((i) => Math.max(...points.map((p) => p[i])));
  const scale = (BOX - PEN) / Math.max(right - left, bottom - top, 0.05); // a dot stays a dot
  const middle = SIDE / 2;
  const corner = [middle - (scale * (left + right)) / 2, middle - (scale * (top + bottom)) / 2];
  const [x, y] = centreOfMass(inked(strokes, scale, corner));
  return inked(strokes, scale, [corner[0] + middle - x, corner[1] + middle - y]);
}

/** Strokes · scale + corner on 28 × 28 pixels, their share of ink each: (784,). */
function inked(strokes, scale, [left, top]) {
  inked.paper ??= Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = inked.paper.getContext("2d", { willReadFrequently: true });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, SIDE, SIDE);
  context.setTransform(scale, 0, 0, scale, left, top);
  penStrokes(context, strokes, PEN / scale, "#fff");
  const bytes = context.getImageData(0, 0, SIDE, SIDE).data;
  return Float32Array.from({ length: SIDE * SIDE }, (_, p) => bytes[4 * p + 3] / 255);
}

function penStrokes(context, strokes, width, ink) {
  Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: ink });
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (stroke.length === 1) context.lineTo(...stroke[0]);
    context.stroke();
  }
}

function centreOfMass(image) {
  let mass = 0, x = 0, y = 0;
  image.forEach((ink, p) => {
    mass += ink;
    x += ink * ((p % SIDE) + 0.5);
    y += ink * (Math.floor(p / SIDE) + 0.5);
  });
  return [x / mass, y / mass];
}

/** The paper as the hand left it, and in its corner what the networks get. */
function drawSheet(canvas, sheet) {
  const { context, width, height } = sharp(canvas);
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  const seen = document.createElement("canvas");
  drawImages(seen, [sheet.image], [1, SIDE, SIDE]);
  context.imageSmoothingEnabled = false;
  if (sheet.picked !== null) return context.drawImage(seen, 0, 0, width, height);
  context.setTransform(canvas.width, 0, 0, canvas.height, 0, 0);
  penStrokes(context, sheet.strokes, PEN / SIDE, "#fff");
  context.setTransform(canvas.width / width, 0, 0, canvas.width / width, 0, 0);
  if (!sheet.strokes.length) {
    Object.assign(context, { fillStyle: "#fff", textAlign: "center", textBaseline: "middle" });
    return context.fillText("draw a digit here", width / 2, height / 2);
  }
  const small = width / 4;
  context.drawImage(seen, width - small, 0, small, small);
  Object.assign(context, { strokeStyle: "#999", lineWidth: 1 });
  context.strokeRect(width - small, 0, small, small);
}
