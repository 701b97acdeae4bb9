// The view of a face as symbols: a codebook of K vectors, and faces whose symbols are drawn by lot.

const PLACES = 8, DRAWN_STEP = 4; // a side of the grid of symbols; the slider of those drawn by lot

/** A view: a test face as 64 symbols out of K, some of them replaced by symbols drawn uniformly. */
function symbolsView(net, sizes, { originals }, bits) {
  const models = sizes.map((K) => net(`faces-vq-${K}`)), count = PLACES * PLACES;
  const faces = originals.map((pixels) => inUnit(bytesOf(pixels)));
  const controls = [
    { name: "by lot", note: "", low: 0, high: count, step: DRAWN_STEP, home: 2 * DRAWN_STEP },
    { name: "K", note: "", stops: sizes, low: 0, high: sizes.length - 1, step: 1, home: 2 },
    faceControl(faces.map((_, i) => String(i + 1))),
  ];
  const encoded = {};
  let order, lot; // which places are replaced first; in [0, 1) for each place
  function reroll() {
    lot = Array.from({ length: count }, Math.random);
    order = lot.map((_, n) => n).sort((a, b) => lot[a] - lot[b]);
    lot = lot.map(Math.random);
  }
  reroll();
  function symbolsOf({ K, face, "by lot": drawn }) {
    const symbols = Array.from((encoded[[K, face]] ??= models[K].indices(faces[face])));
    for (const n of order.slice(0, drawn)) symbols[n] = Math.floor(lot[n] * sizes[K]);
    return symbols;
  }
  return {
    title: "How many symbols does a face need?",
    lead: "A VQ-VAE writes a face as 8 × 8 symbols out of K. Drawn by lot they make no face: what is "
      + "missing is a density of them.",
    canvases: {
      original: "x, a test face", grid: "its symbols; framed: by lot", image: "x̂, decoded from them",
      gallery: "test faces to begin with",
    },
    controls, card: models[0].card, symbolsOf, reroll,
    points: { gallery: (x) => ({ face: Math.floor(x * faces.length) }) },
    draw(values, canvases) {
      const { K, face, "by lot": drawn } = values, symbols = symbolsOf(values), x = faces[face];
      const image = models[K].decode(symbols), uniform = count * Math.log2(sizes[K]);
      drawImages(canvases.original, [x], models[K].shape);
      paintSymbols(canvases.grid, symbols, sizes[K], new Set(order.slice(0, drawn)));
      drawImages(canvases.image, [image], models[K].shape);
      drawGallery(canvases.gallery, faces, models[K].shape, face);
      const error = written(squaredError(x, image), 0);
      return `K = ${sizes[K]}: ${count} symbols of ${written(uniform / count, 0)} bits are ${uniform} bits; under a `
        + `learned density ${written(bits[sizes[K]], 0)} for a test face. ${drawn} drawn by lot; squared error ${error}.`;
    },
  };
}

/** A square for each symbol, one colour for one symbol; those of `framed` with a frame. */
function paintSymbols(canvas, symbols, K, framed) {
  const { context, width } = sharp(canvas), side = width / PLACES;
  symbols.forEach((symbol, n) => {
    const [left, top] = [(n % PLACES) * side, Math.floor(n / PLACES) * side];
    // Neighbours in the codebook are no neighbours in colour: the golden angle sets them apart.
    context.fillStyle = `hsl(${(symbol * 137.508) % 360} 60% ${30 + (40 * symbol) / K}%)`;
    context.fillRect(left, top, side - 1, side - 1);
    if (!framed.has(n)) return;
    for (const [ink, wide, inset] of [[colour("paper"), 4, 2], [colour("ink"), 2, 1]]) {
      Object.assign(context, { strokeStyle: ink, lineWidth: wide });
      context.strokeRect(left + inset, top + inset, side - 1 - 2 * inset, side - 1 - 2 * inset);
    }
  });
}
