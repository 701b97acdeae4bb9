// The view of the denoising autoencoder: damage the drawing, and have it repaired.

const FRAME = 2; // black pixels around an image: the network works on 32 × 32

/** A view: noise and a hole, and what the network makes of them. */
function denoiseView(net, sheet) {
  const network = net("mnist-denoiser");
  const controls = [
    { name: "noise σ", note: "", low: 0, high: 0.9, step: 0.05, home: 0.5 },
    { name: "hole", note: "", low: 0, high: 14, step: 1, home: 8 },
    { name: "column", note: "", low: 0, high: 28, step: 1, home: 14 },
    { name: "row", note: "", low: 0, high: 28, step: 1, home: 10 },
  ];
  let noise = Array.from({ length: SIDE * SIDE }, normal);
  function damaged(x, { "noise σ": level, hole, column, row }) {
    return x.map((ink, p) => {
      const x = (p % SIDE) + 0.5, y = Math.floor(p / SIDE) + 0.5;
      const inside = Math.max(Math.abs(x - column), Math.abs(y - row)) < hole / 2;
      return inside ? 0 : Math.min(1, Math.max(0, ink + level * noise[p]));
    });
  }
  function repaired(x) {
    const side = SIDE + 2 * FRAME, y = network.decode(network.encode(pad(x, 1, SIDE, SIDE, FRAME)));
    return x.map((_, p) => y[(Math.floor(p / SIDE) + FRAME) * side + (p % SIDE) + FRAME]);
  }
  return {
    title: "Damage your digit: what comes back?",
    lead: "The network learned to turn damaged digits into whole ones. It answers with the mean of all that "
      + "could have been there.",
    canvases: { drawing: "your x", damaged: "damaged: drag the hole", image: "repaired", digits: "test digits" },
    controls, drawing: true, card: network.card, damaged, repaired,
    points: { damaged: (x, y) => ({ column: SIDE * x, row: SIDE * y }) },
    reroll() { noise = Array.from({ length: SIDE * SIDE }, normal); },
    draw(values, canvases) {
      const x = sheet.image, broken = damaged(x, values), whole = repaired(broken);
      drawSheet(canvases.drawing, sheet);
      drawImages(canvases.damaged, [broken], [1, SIDE, SIDE]);
      drawImages(canvases.image, [whole], [1, SIDE, SIDE]);
      drawGallery(canvases.digits, sheet.digits, [1, SIDE, SIDE], sheet.picked);
      const [before, after] = [broken, whole].map((y) => written(squaredError(x, y)));
      return `Squared error of the damaged image ${before}, of the repaired one ${after}.`;
    },
  };
}
