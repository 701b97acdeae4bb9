// The view along the price β, and the view of faces and their attributes.

const COLUMNS = 6, SAMPLES = 24; // of the sheet of samples
const MAX_STRENGTH = 3; // strengths of attributes end there

/** A view: the same codes through the decoders trained for each β, and where each model stands. */
function priceView(net, betas, table) {
  const decoders = betas.map((beta) => net(`mnist-decoder-64-beta-${beta}`));
  const rows = decoders.map(({ card }) => card.test);
  const names = rows.map(({ beta }) => String(beta));
  let codes, drawn; // drawn: the images of each model, decoded once
  const reroll = () => {
    const draw = () => Float32Array.from({ length: decoders[0].latents }, normal);
    codes = Array.from({ length: SAMPLES }, draw);
    drawn = [];
  };
  reroll();
  const control = {
    name: "β", note: "price of a nat", stops: names, low: 0, high: names.length - 1, step: 1,
    home: names.indexOf("1"),
  };
  return {
    title: "What should a nat of code cost?",
    lead: "Five models, trained on distortion + β · rate. The same codes from the prior, decoded by each.",
    canvases: { image: "samples, z ~ N(0, I)", plane: "nats per image; dashed: equal distortion + β · rate" },
    aside: ["plane"], controls: [control], card: decoders[0].card, seconds: table.seconds,
    reroll,
    draw(values, canvases) {
      const which = values["β"], row = rows[which];
      drawn[which] ??= codes.map(decoders[which].decode);
      drawImages(canvases.image, drawn[which], decoders[which].shape, COLUMNS);
      paintPlane(canvases.plane, rows, row);
      const told = { rate: row.kl, distortion: row.cross_entropy, "−ELBO": -row.elbo };
      return `β = ${row.beta}: ${Object.entries(told).map(([name, nats]) => `${name} ${written(nats)}`).join(", ")}`
        + ` nats per image; ${row.active_units} of ${row.n} latents active.`;
    },
  };
}

const [R, D] = [80, 160]; // ends of the axes, nats per image

/** Points (rate, distortion) of all models, a ring on this one and its line of equal D + β R. */
function paintPlane(canvas, rows, here) {
  const { context, width, height } = sharp(canvas), text = textSize();
  const box = { left: 3.6 * text, right: width - 0.8 * text, top: 0.8 * text, bottom: height - 2.7 * text };
  const at = (rate, distortion) => [
    box.left + (rate / R) * (box.right - box.left),
    box.bottom - (distortion / D) * (box.bottom - box.top),
  ];
  paintAxes(context, box, at, text);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.clip();
  const cost = here.cross_entropy + here.beta * here.kl;
  line(context, [at(0, cost), at(R, cost - here.beta * R)], colour("ink"), 2, [7, 5]);
  context.restore();
  line(context, rows.map((row) => at(row.kl, row.cross_entropy)), colour("accent"), 3);
  for (const row of rows) {
    const [x, y] = at(row.kl, row.cross_entropy);
    context.fillStyle = colour("accent");
    context.beginPath();
    context.arc(x, y, 0.4 * text, 0, 2 * Math.PI);
    context.fill();
    const chosen = row === here, right = row.kl > 0.7 * R; // no room behind the last point
    context.font = `${chosen ? "bold " : ""}${text}px system-ui, sans-serif`;
    const style = { align: chosen ? (right ? "right" : "left") : "center", halo: 0.25 * text };
    label(context, chosen ? `β = ${row.beta}` : row.beta, x, y + (chosen ? -1.5 : 1.2) * text, style);
  }
  ring(context, ...at(here.kl, here.cross_entropy), 0.7 * text);
}

/** Grid, numbers and names of the axes. */
function paintAxes(context, box, at, text) {
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    line(context, [at(share * R, 0), at(share * R, D)], colour("faint"), 1);
    line(context, [at(0, share * D), at(R, share * D)], colour("faint"), 1);
    label(context, share * R, at(share * R, 0)[0], box.bottom + 0.8 * text);
    label(context, share * D, box.left - 0.4 * text, at(0, share * D)[1], { align: "right" });
  }
  label(context, "rate", (box.left + box.right) / 2, box.bottom + 2 * text);
  context.save();
  context.translate(0.7 * text, (box.top + box.bottom) / 2);
  context.rotate(-Math.PI / 2);
  label(context, "distortion", 0, 0);
  context.restore();
}

/** Which face: its numbers as the stops. */
const faceControl = (stops) => ({ name: "face", note: "", stops, low: 0, high: stops.length - 1, step: 1, home: 0 });

/** A view: the code of a face and one direction per attribute. z = code + Σ strength · direction. */
function facesView(net, walks) {
  const decoder = net("faces-vae-128"), names = Object.keys(walks.attributes);
  const before = walks.faces.map((code) => decoder.decode(Float32Array.from(code)));
  const originals = walks.originals.map((pixels) => inUnit(bytesOf(pixels)));
  const people = walks.faces.map((_, i) => String(i + 1));
  const strengths = names.map((name) => ({
    name: name.replaceAll("_", " ").toLowerCase(), note: "",
    low: -MAX_STRENGTH, high: MAX_STRENGTH, step: STEP, home: 0,
    random: () => 0.6 * normal(), // eight attributes at once lead far from any face
  }));
  const who = faceControl(people);
  return {
    title: "Directions in the code of a face",
    lead: "Strength 1 moves a face by the distance between the mean codes with and without the attribute.",
    canvases: {
      original: "x, a test face", before: "x̂ = decode(z)", image: "decode(z + directions)",
      gallery: "test faces to begin with",
    },
    controls: [...strengths, who], card: decoder.card, recipes: [walks.recipe],
    points: { gallery: (x) => ({ face: Math.floor(x * people.length) }) },
    draw(values, canvases) {
      const z = Float32Array.from(walks.faces[values.face]);
      drawImages(canvases.original, [originals[values.face]], decoder.shape);
      drawImages(canvases.before, [before[values.face]], decoder.shape);
      names.forEach((name, k) => {
        const strength = values[strengths[k].name];
        walks.attributes[name].forEach((step, i) => (z[i] += strength * step));
      });
      drawImages(canvases.image, [decoder.decode(z)], decoder.shape);
      drawGallery(canvases.gallery, originals, decoder.shape, values.face);
      const moved = strengths.filter(({ name }) => Math.abs(values[name]) > STEP / 2);
      const told = moved.map(({ name }) => `${name} ${written(values[name])}`).join(", ");
      return `Face ${people[values.face]}: ${told || "as it is encoded"}.`;
    },
  };
}
