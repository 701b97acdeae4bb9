// The view of 64 latents: which of them a drawing uses, and what is lost without the least used.

const KEPT = [0, 1, 2, 4, 6, 8, 10, 12, 14, 18, 24, 64]; // latents that stay on
const TRIES = 4; // draws of z for each distortion

/** A view: the latents of q(z|x) by their KL for this drawing, switched off from the least used on. */
function boundView(net, sheet) {
  const encoder = net("mnist-encoder-64"), decoder = net("mnist-decoder-64-beta-1"), n = decoder.latents;
  const epsilon = Array.from({ length: TRIES }, () => Float32Array.from({ length: n }, normal));
  const control = {
    name: "latents on", note: "", stops: KEPT.map(String),
    low: 0, high: KEPT.length - 1, step: 1, home: KEPT.length - 1,
  };
  let q, kl, order, curve, shown;
  /** z = μ + σ ε in the latents that are on, ε (a draw from the prior) in the others. */
  const codeOf = (on, e) => e.map((noise, i) => (on.has(i) ? q.mu[i] + q.sigma[i] * noise : noise));
  const still = (on) => q.mu.map((mean, i) => (on.has(i) ? mean : 0));
  const onOf = (k) => new Set(order.slice(0, KEPT[k]));
  return {
    title: "Which of 64 latents does your digit use?",
    lead: "Bars: KL of each latent for this drawing. A latent that is off is drawn from the prior: it costs "
      + "nothing and says nothing.",
    canvases: {
      drawing: "your x", image: "x̂ with these latents", curve: "nats; one point for each number of latents",
      digits: "test digits", strip: "x̂ with 0, 1, 2, 4, … latents", bars: "KL per latent, nats",
    },
    controls: [control], drawing: true, card: encoder.card,
    meet(x) {
      q = encoder.encode(x);
      kl = klOf(q);
      order = kl.map((_, i) => i).sort((a, b) => kl[b] - kl[a]);
      curve = KEPT.map((_, k) => {
        const on = onOf(k), nats = epsilon.map((e) => distortion(x, decoder.logits(codeOf(on, e))));
        return { rate: sum([...on].map((i) => kl[i])), distortion: sum(nats) / TRIES };
      });
      shown = KEPT.map((_, k) => decoder.decode(still(onOf(k))));
    },
    draw(values, canvases) {
      const k = values[control.name], { rate, distortion } = curve[k];
      drawSheet(canvases.drawing, sheet);
      drawImages(canvases.image, [shown[k]], decoder.shape);
      paintBars(canvases.bars, order.map((i) => kl[i]), KEPT[k]);
      paintCurve(canvases.curve, curve, k);
      drawGallery(canvases.strip, shown, decoder.shape, k);
      drawGallery(canvases.digits, sheet.digits, [1, SIDE, SIDE], sheet.picked);
      const used = kl.filter((nats) => nats > 0.1).length;
      return `${KEPT[k]} on: distortion ${written(distortion)} + rate ${written(rate)} = `
        + `−ELBO ${written(distortion + rate)} nats. ${used} of ${n} latents use more than 0.1 nats for this drawing.`;
    },
    points: { strip: (x) => ({ [control.name]: Math.min(KEPT.length - 1, Math.floor(x * KEPT.length)) }) },
  };
}

/** Bars from the largest down; those that are off are faint. */
function paintBars(canvas, nats, on) {
  const { context, width, height } = sharp(canvas), text = textSize();
  const most = Math.max(1, ...nats), wide = width / nats.length;
  nats.forEach((value, i) => {
    context.fillStyle = colour(i < on ? "rate" : "faint");
    const high = Math.max(1, (value / most) * (height - 1.4 * text));
    context.fillRect(i * wide, height - high, Math.max(1, wide - 1), high);
  });
  label(context, `${written(nats[0])} nats`, 0, 0.7 * text, { align: "left" });
}

/** Distortion over rate, from no latent to all, with lines of equal −ELBO. */
function paintCurve(canvas, curve, here) {
  const { context, width, height } = sharp(canvas), text = textSize();
  const most = Math.max(...curve.map((point) => point.distortion)), far = Math.max(10, curve.at(-1).rate);
  const box = { left: 3.2 * text, right: width - text, top: 0.6 * text, bottom: height - 2.4 * text };
  const at = (rate, distortion) => [
    box.left + ((box.right - box.left) * rate) / far, box.bottom - ((box.bottom - box.top) * distortion) / most,
  ];
  line(context, [[box.left, box.top], [box.left, box.bottom], [box.right, box.bottom]], colour("quiet"), 1);
  for (const share of [0, 0.5, 1]) {
    label(context, written(share * far, 0), at(share * far, 0)[0], box.bottom + 0.8 * text);
    label(context, written(share * most, 0), box.left - 0.3 * text, at(0, share * most)[1], { align: "right" });
  }
  label(context, "rate", (box.left + box.right) / 2, box.bottom + 1.8 * text);
  label(context, "distortion", box.right, box.top + 0.4 * text, { align: "right" });
  line(context, curve.map((point) => at(point.rate, point.distortion)), colour("accent"), 3);
  for (const point of curve) dot(context, ...at(point.rate, point.distortion), 0.25 * text);
  ring(context, ...at(curve[here].rate, curve[here].distortion), 0.5 * text);
}
