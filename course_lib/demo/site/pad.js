// The view of two numbers: a drawing, the ellipse of its q(z|x) on the map, and what is decoded there.

const DRAWS = 12; // of z, for the expected distortion: the same ones each time, so that it moves smoothly
const FEWEST_SIGMA = -2.5; // log₁₀ of the sliders' smallest σ
const EPSILON = gaussianPairs(DRAWS);

/** Pairs that fill N(0, I) evenly: angles by the golden ratio, radii by quantiles. */
function gaussianPairs(n) {
  return Array.from({ length: n }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - (i + 0.5) / n)), angle = i * Math.PI * (3 - Math.sqrt(5));
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** −log p(x|z) of Bernoulli pixels with these logits, nats. */
function distortion(x, logits) {
  let nats = 0;
  for (let i = 0; i < x.length; i++) {
    const l = logits[i];
    nats += Math.max(l, 0) - l * x[i] + Math.log1p(Math.exp(-Math.abs(l)));
  }
  return nats;
}

/** KL(N(μ, σ²) ‖ N(0, 1)) of each latent, nats. */
const klOf = ({ mu, sigma }) => Array.from(mu, (m, i) => (m * m + sigma[i] ** 2 - 1) / 2 - Math.log(sigma[i]));
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** A view: draw, and see where the encoder puts it and what it costs. */
function padView(net, sheet, surprise) {
  const encoder = net("mnist-encoder-2"), decoder = net("mnist-decoder-2"), { codes } = encoder.card;
  const mu = [1, 2].map((i) => ({
    name: `μ${subscript(i)}`, note: "", low: -LIMIT, high: LIMIT, step: STEP, home: 0, random: normal, free: true,
  }));
  const sigma = [1, 2].map((i) => ({
    name: `σ${subscript(i)}`, note: "", low: FEWEST_SIGMA, high: 0.2, step: 0.05, home: 0, free: true,
    told: (value) => (10 ** value).toPrecision(2),
  }));
  const controls = [...mu, ...sigma];
  let told, epsilon = null, samples = [];
  const paintMap = mapPainter(decoder, codes);
  const q = (values) => ({
    mu: mu.map(({ name }) => values[name]), sigma: sigma.map(({ name }) => 10 ** values[name]),
  });
  function terms(x, { mu, sigma }) {
    const nats = EPSILON.map((e) => distortion(x, decoder.logits(mu.map((m, i) => m + sigma[i] * e[i]))));
    return { distortion: sum(nats) / DRAWS, rate: sum(klOf({ mu, sigma })) };
  }
  return {
    title: "Draw a digit, and watch the VAE work",
    lead: "The encoder answers with an ellipse, q(z|x). Each z in it is decoded. Drag it away: what does that cost?",
    canvases: {
      drawing: "your x", map: "q(z|x) on the map of the test digits", image: "x̂, decoded from z",
      digits: "test digits", nats: "nats for this drawing", strip: "from the last samples of z",
    },
    controls, plane: true, drawing: true, card: encoder.card,
    toggles: { manifold: "decode everywhere" },
    points: { map: pointOn(mu) },
    space: { text: "sample z", act: () => (epsilon = [normal(), normal()]) },
    reroll() { epsilon = null; },
    meet(x) {
      const found = encoder.encode(x);
      mu.forEach((control, i) => (control.home = found.mu[i]));
      sigma.forEach((control, i) => (control.home = Math.log10(found.sigma[i])));
      told = { ...terms(x, found), surprise: surprise(x) };
      [epsilon, samples] = [null, []];
    },
    left() { epsilon = null; },
    draw(values, canvases, { manifold }) {
      const x = sheet.image, here = q(values);
      const now = controls.every(({ name, home }) => values[name] === home) ? told : terms(x, here);
      const z = here.mu.map((m, i) => m + (epsilon ? epsilon[i] * here.sigma[i] : 0));
      const x_hat = decoder.decode(z);
      if (epsilon && samples.at(-1)?.epsilon !== epsilon) samples = [...samples.slice(-7), { epsilon, z, x_hat }];
      drawSheet(canvases.drawing, sheet);
      drawImages(canvases.image, [x_hat], decoder.shape);
      const { context, width, height } = paintMap(canvases.map, manifold);
      paintEllipse(context, here, width, height);
      for (const sample of samples) dot(context, ...place(sample.z, width, height), 0.18 * textSize());
      dot(context, ...place(z, width, height), 0.3 * textSize());
      paintNats(canvases.nats, told, now);
      drawGallery(canvases.strip, samples.map((sample) => sample.x_hat), decoder.shape, null, 8);
      drawGallery(canvases.digits, sheet.digits, [1, SIDE, SIDE], sheet.picked);
      const total = (part) => part.distortion + part.rate, more = total(now) - total(told);
      const moved = Math.abs(more) < 0.05 ? ""
        : `, ${written(Math.abs(more))} ${more > 0 ? "more" : "less"} than at the encoder's ellipse`;
      return `Distortion ${written(now.distortion)} + rate ${written(now.rate)} = `
        + `−ELBO ${written(total(now))} nats${moved}. ${nearest(codes, z)} ${told.surprise}`;
    },
  };
}

/** Where q(z|x) is: lines at one and two standard deviations. */
function paintEllipse(context, { mu, sigma }, width, height) {
  const [x, y] = place(mu, width, height);
  for (const times of [2, 1]) {
    const [a, b] = sigma.map((s) => Math.max(2, (times * s * width) / (2 * LIMIT)));
    for (const [ink, thick] of [["paper", 6], ["accent", 3]]) {
      context.beginPath();
      context.ellipse(x, y, a, b, 0, 0, 2 * Math.PI);
      Object.assign(context, { strokeStyle: colour(ink), lineWidth: thick });
      context.stroke();
    }
  }
}

/** Two bars, distortion and rate one behind the other: the encoder's q(z|x), and the one shown now. */
function paintNats(canvas, encoder, now) {
  const { context, width, height } = sharp(canvas), text = textSize(), left = 4.6 * text;
  const most = Math.max(encoder.distortion + encoder.rate, now.distortion + now.rate);
  [["encoder", encoder], ["now", now]].forEach(([name, part], i) => {
    const top = (0.12 + 0.46 * i) * height, thick = 0.3 * height, unit = (width - left - 0.5 * text) / most;
    label(context, name, left - 0.5 * text, top + thick / 2, { align: "right" });
    context.fillStyle = colour("distortion");
    context.fillRect(left, top, unit * part.distortion, thick);
    context.fillStyle = colour("rate");
    context.fillRect(left + unit * part.distortion, top, unit * part.rate, thick);
    Object.assign(context, { fillStyle: colour("paper"), textAlign: "left" });
    if (unit * part.distortion > 6 * text) context.fillText("distortion", left + 0.4 * text, top + thick / 2);
    const begin = left + unit * part.distortion + 0.3 * text;
    if (unit * part.rate > 2.6 * text) context.fillText("rate", begin, top + thick / 2);
  });
}

/**
 * How unlike digits a drawing is, by the anomaly score of notebook 02 in nats: its −ELBO under the
 * model of 64 latents among those of the test digits. quantiles: 101 of them.
 */
function surpriseOf(net, { negative_elbo: quantiles }) {
  return (x) => {
    const decoder = net("mnist-decoder-64-beta-1"), q = net("mnist-encoder-64").encode(x);
    const nats = distortion(x, decoder.logits(q.mu)) + sum(klOf(q));
    const share = quantiles.filter((quantile) => quantile < nats).length / quantiles.length;
    if (share < 0.99) return "";
    const whom = nats > quantiles.at(-1) ? "any test digit" : `${Math.floor(100 * share)} % of the test digits`;
    return `Far from all digits: with 64 latents it costs ${written(nats, 0)} nats, more than ${whom}.`;
  };
}
