// The view along the price β, and the view of faces and their attributes.

const SAMPLES = 8; // images in each of two rows
const MOST = 3; // strengths of attributes end there

/** A view: the same codes through the decoders trained for each β, and where each model stands. */
function priceView(decoders, table) {
  const rows = decoders.map(({ card }) => card.test);
  const names = rows.map(({ beta }) => String(beta));
  let codes, drawn; // drawn: the images of each model, decoded once
  const reroll = () => {
    codes = Array.from({ length: 2 * SAMPLES }, () => Float32Array.from({ length: decoders[0].latents }, normal));
    drawn = [];
  };
  reroll();
  const control = {
    name: "β", note: "the price of a nat", stops: names, low: 0, high: names.length - 1, step: 1,
    home: names.indexOf("1"),
  };
  return {
    id: "price", tab: "The price β", title: "What should a nat of code cost?",
    lead: "Five models, trained on distortion + β · rate. The same codes from the prior, decoded by each.",
    canvases: { image: "samples, z ~ N(0, I)", plane: "rate and distortion, nats per image" },
    controls: [control], card: decoders[0].card, seconds: table.seconds,
    reroll,
    draw(values, canvases) {
      const which = values["β"], row = rows[which];
      drawn[which] ??= codes.map(decoders[which].decode);
      drawImages(canvases.image, drawn[which], decoders[which].shape, SAMPLES);
      paintPlane(canvases.plane, rows, row);
      const told = { rate: row.kl, distortion: row.cross_entropy, "−ELBO": -row.elbo };
      return `β = ${row.beta}: ${Object.entries(told).map(([name, nats]) => `${name} ${written(nats)}`).join(", ")}`
        + ` nats per image; ${row.active_units} of ${row.n} latents active.`;
    },
  };
}

/** Points (rate, distortion) of all models, a ring on this one and its line of equal D + β R. */
function paintPlane(canvas, rows, here) {
  const { context, width, height } = sharp(canvas), text = textSize();
  const box = { left: 3.4 * text, right: width - text, top: text, bottom: height - 3 * text };
  const [R, D] = [80, 160]; // ends of the axes, nats per image
  const at = (rate, distortion) => [
    box.left + (rate / R) * (box.right - box.left),
    box.bottom - (distortion / D) * (box.bottom - box.top),
  ];
  for (const rate of [0, 20, 40, 60, 80]) {
    line(context, [at(rate, 0), at(rate, D)], colour("faint"), 1);
    label(context, rate, at(rate, 0)[0], box.bottom + 0.9 * text);
  }
  for (const distortion of [0, 40, 80, 120, 160]) {
    line(context, [at(0, distortion), at(R, distortion)], colour("faint"), 1);
    label(context, distortion, box.left - 0.4 * text, at(0, distortion)[1], "right");
  }
  label(context, "rate", (box.left + box.right) / 2, height - 0.7 * text);
  context.save();
  context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.clip();
  const cost = here.cross_entropy + here.beta * here.kl;
  line(context, [at(0, cost), at(R, cost - here.beta * R)], colour("ink"), 1.5, [6, 5]);
  context.restore();
  line(context, rows.map((row) => at(row.kl, row.cross_entropy)), colour("accent"), 3);
  for (const row of rows) {
    const [x, y] = at(row.kl, row.cross_entropy);
    context.fillStyle = colour("accent");
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fill();
    const right = row.kl > 0.7 * R; // there is no room behind the last point
    label(context, `β = ${row.beta}`, right ? x + 8 : x + 14, y - 1.1 * text, right ? "right" : "left");
  }
  ring(context, ...at(here.kl, here.cross_entropy), 12);
  context.save();
  context.translate(0.8 * text, (box.top + box.bottom) / 2);
  context.rotate(-Math.PI / 2);
  label(context, "distortion", 0, 0);
  context.restore();
}

/** A view: the code of a face and one direction per attribute. z = code + Σ strength · direction. */
function facesView(decoder, walks) {
  const names = Object.keys(walks.attributes);
  const before = []; // each face as it is, decoded once
  const people = walks.faces.map((_, i) => String(i + 1));
  const strengths = names.map((name) => ({
    name: name.replaceAll("_", " ").toLowerCase(), note: "", low: -MOST, high: MOST, step: STEP, home: 0,
    random: () => 0.6 * normal(), // eight attributes at once lead far from any face
  }));
  const who = { name: "face", note: "", stops: people, low: 0, high: people.length - 1, step: 1, home: 0 };
  return {
    id: "faces", tab: "Faces", title: "Directions in the code of a face",
    lead: "Strength 1 moves a face by the distance between the mean codes with and without the attribute.",
    canvases: { before: "decode(z)", image: "decode(z + directions)" }, controls: [...strengths, who],
    card: decoder.card,
    draw(values, canvases) {
      const z = Float32Array.from(walks.faces[values.face]);
      before[values.face] ??= decoder.decode(z);
      drawImages(canvases.before, [before[values.face]], decoder.shape);
      names.forEach((name, k) => {
        const strength = values[strengths[k].name];
        walks.attributes[name].forEach((step, i) => (z[i] += strength * step));
      });
      drawImages(canvases.image, [decoder.decode(z)], decoder.shape);
      const moved = strengths.filter(({ name }) => Math.abs(values[name]) > STEP / 2);
      const told = moved.map(({ name }) => `${name} ${written(values[name])}`).join(", ");
      return `Face ${people[values.face]}: ${told || "as it is encoded"}.`;
    },
  };
}
