// Codes of digits: the map of two numbers that several views draw, and the view of many sliders.

const LIMIT = 3; // sliders end there: N(0, 1) is beyond in 0.27 % of draws
const STEP = 0.1;
const DIGITS = 10;
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

const subscript = (i) => [...String(i)].map((digit) => SUBSCRIPTS[digit]).join("");
const written = (value, digits = 1) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

/** A draw from N(0, 1), by Box and Muller. */
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

const place = ([x, y], width, height) => [
  (width * (x + LIMIT)) / (2 * LIMIT), (height * (LIMIT - y)) / (2 * LIMIT),
];

/** Where on the map a pointer is, as values of the controls z₁ and z₂ (or μ₁ and μ₂). */
const pointOn = ([first, second]) => (x, y) => ({
  [first.name]: LIMIT * (2 * x - 1), [second.name]: LIMIT * (1 - 2 * y),
});

/** A function that paints a map, its codes or what is decoded everywhere, and keeps it until that changes. */
function mapPainter(decoder, codes) {
  let ground = null, drawnFor = "";
  return (canvas, manifold) => {
    const { context, width, height } = sharp(canvas), key = [width, height, manifold, colour("ink")].join();
    if (key === drawnFor) context.drawImage(ground, 0, 0, width, height);
    else {
      if (manifold) paintManifold(context, decoder, width, height);
      else paintCodes(context, codes, width, height);
      [ground, drawnFor] = [kept(canvas), key];
    }
    return { context, width, height };
  };
}

/** Each code as the mark of its class, each class's name at its median, the ends of the axes. */
function paintCodes(context, codes, width, height) {
  const size = textSize(), edge = colour("edge");
  for (const [z1, z2, digit] of codes) {
    const fill = digit === 7 ? colour("ink") : CLASS_COLOURS[digit]; // black on black is unseen
    drawMark(context, digit, ...place([z1, z2], width, height), Math.max(2.4, width / 95), { fill, edge });
  }
  const middles = Array.from({ length: DIGITS }, (_, digit) => {
    const own = codes.filter((code) => code[2] === digit);
    return place([0, 1].map((i) => median(own.map((code) => code[i]))), width, height);
  });
  context.font = `bold ${1.4 * size}px system-ui, sans-serif`;
  spread(middles, 1.5 * size).forEach(([x, y], digit) => label(context, digit, x, y, { halo: 0.35 * size }));
  if (width < 20 * size) return; // a phone
  context.font = `${0.9 * size}px system-ui, sans-serif`;
  for (const value of [-2, 0, 2]) {
    const [x, y] = place([value, value], width, height), halo = 0.3 * size;
    label(context, (value ? "" : "z₁ = ") + written(value, 0), x, height - 0.8 * size, { halo });
    label(context, (value ? "" : "z₂ = ") + written(value, 0), 0.4 * size, y, { halo, align: "left" });
  }
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

/** The decoded image of each place of a grid, where it belongs on the map. */
function paintManifold(context, decoder, width, height) {
  const n = 17, images = [];
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      const at = (i) => LIMIT * ((2 * (i + 0.5)) / n - 1);
      images.push(decoder.decode([at(column), -at(row)]));
    }
  }
  const sheet = document.createElement("canvas");
  drawImages(sheet, images, decoder.shape, n);
  context.imageSmoothingEnabled = true;
  context.drawImage(sheet, 0, 0, width, height);
}

/** Of which class the nearest code is, and how far it is: far means a hole. */
function nearest(codes, [z1, z2]) {
  const best = nearestCode(codes, z1, z2);
  return `The nearest code, ${written(Math.hypot(best[0] - z1, best[1] - z2), 2)} away, is that of a ${best[2]}.`;
}

function nearestCode(codes, z1, z2) {
  const distance = (code) => Math.hypot(code[0] - z1, code[1] - z2);
  return codes.reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

/** A slider for the latent z_i; kl: its nats per image. */
function latentControl(i, kl) {
  return {
    name: `z${subscript(i)}`, note: `${written(kl)} nats`, share: kl,
    low: -LIMIT, high: LIMIT, step: STEP, home: 0, random: normal,
  };
}

/** A view: the latents of largest KL, one slider each. shown: how many. */
function latentsView(net, shown = 10) {
  const decoder = net("mnist-decoder-64-beta-1"), kl = decoder.card.kl_per_latent;
  const order = kl.map((_, i) => i).sort((a, b) => kl[b] - kl[a]).slice(0, shown);
  const controls = order.map((i) => latentControl(i + 1, kl[i]));
  const total = sum(kl), alive = kl.filter((value) => value > 0.1).length;
  return {
    title: `The ${shown} strongest of 64 latents`,
    lead: `All 64 carry ${written(total)} nats per image; ${alive} of them carry more than 0.1 each.`,
    canvases: { image: "decode(z)" }, controls, card: decoder.card,
    draw(values, canvases) {
      const z = new Float32Array(decoder.latents);
      order.forEach((i, rank) => (z[i] = values[controls[rank].name]));
      drawImages(canvases.image, [decoder.decode(z)], decoder.shape);
      const moved = controls.filter(({ name }) => Math.abs(values[name]) > STEP / 2);
      const told = moved.map(({ name }) => `${name} = ${written(values[name])}`).join(", ");
      return told ? `${told}; the others are 0.` : "All latents are 0.";
    },
  };
}
