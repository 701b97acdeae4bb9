// The view of an autoencoder beside a VAE: the same point, decoded by both.

/** A view: two maps with one point. The autoencoder's axes are rescaled, so that its codes fill the map. */
function holesView(net) {
  const autoencoder = net("mnist-autoencoder-2"), vae = net("mnist-decoder-2");
  const spreads = [0, 1].map((i) => moments(autoencoder.card.codes.map((code) => code[i])));
  const codes = {
    ae: autoencoder.card.codes.map((code) => [
      ...spreads.map(({ mean, sd }, i) => (code[i] - mean) / sd), code[2],
    ]),
    vae: net("mnist-encoder-2").card.codes,
  };
  const controls = [1, 2].map((i) => ({
    name: `z${subscript(i)}`, note: "", low: -LIMIT, high: LIMIT, step: STEP, home: 0, random: normal,
  }));
  const decoders = {
    ae: { ...vae, decode: (z) => autoencoder.decode(z.map((u, i) => spreads[i].mean + spreads[i].sd * u)) },
    vae,
  };
  const paintMap = { ae: mapPainter(decoders.ae, codes.ae), vae: mapPainter(vae, codes.vae) };
  return {
    title: "The same point: an autoencoder and a VAE",
    lead: "The autoencoder was never asked to fill the plane. Its axes are rescaled to variance 1.",
    canvases: {
      aeMap: "autoencoder: codes of test digits", image: "← decoded",
      vaeMap: "VAE: codes of test digits", vae: "decoded →",
    },
    controls, plane: true, card: autoencoder.card, toggles: { manifold: "decode everywhere" },
    points: { aeMap: pointOn(controls), vaeMap: pointOn(controls) },
    draw(values, canvases, { manifold }) {
      const z = controls.map(({ name }) => values[name]);
      const parts = { ae: [canvases.aeMap, canvases.image], vae: [canvases.vaeMap, canvases.vae] };
      for (const [name, [canvas, image]] of Object.entries(parts)) {
        const { context, width, height } = paintMap[name](canvas, manifold);
        ring(context, ...place(z, width, height), 0.6 * textSize());
        drawImages(image, [decoders[name].decode(z)], vae.shape);
      }
      const far = (name) => {
        const [a, b] = nearestCode(codes[name], ...z);
        return written(Math.hypot(a - z[0], b - z[1]), 2);
      };
      return `${controls.map(({ name }, i) => `${name} = ${written(z[i])}`).join(", ")}. The nearest code is `
        + `${far("ae")} away for the autoencoder, ${far("vae")} for the VAE.`;
    },
  };
}

function moments(numbers) {
  const mean = sum(numbers) / numbers.length;
  return { mean, sd: Math.sqrt(sum(numbers.map((x) => (x - mean) ** 2)) / numbers.length) };
}
