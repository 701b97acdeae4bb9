// The view of diffusion: from noise to a digit in steps, computed here, beside a sample of the VAE.

const TIMES = 1000, DIFFUSION_STEPS = 40; // T of the training; evaluations of the network for an image

/** ᾱ_t as in `course_lib.diffusion.noise_schedule`. */
const keptAt = (t) => {
  const angle = (u) => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Math.min(1, Math.max(1e-4, angle((t + 1) / TIMES) / angle(0)));
};

/** The steps T−1 … of `course_lib.diffusion.sampling_steps`. */
const samplingSteps = (count) => Array.from({ length: count }, (_, i) => Math.round(TIMES - (i * TIMES) / count) - 1);

/** One step of DDIM: from x_t to { clean: x̂, next: x_s }. */
function ddimStep(network, x, t, s, y) {
  const now = keptAt(t), then = s < 0 ? 1 : keptAt(s), v = network.velocity(x, SIDE, t, y);
  const clean = x.map((value, p) => Math.min(1, Math.max(-1, Math.sqrt(now) * value - Math.sqrt(1 - now) * v[p])));
  const noiseIn = (p) => (x[p] - Math.sqrt(now) * clean[p]) / Math.sqrt(1 - now);
  const next = clean.map((c, p) => Math.sqrt(then) * c + Math.sqrt(1 - then) * noiseIn(p));
  return { clean, next };
}

/** A view: x_t at each step of the way, and what the network takes the clean image for. */
function diffusionView(net, refresh) {
  const network = net("mnist-ddpm"), vae = net("mnist-decoder-64-beta-1");
  const steps = samplingSteps(DIFFUSION_STEPS), digits = Array.from({ length: DIGITS }, (_, y) => String(y));
  const controls = [
    { name: "step", note: "", low: 0, high: DIFFUSION_STEPS, step: 1, home: DIFFUSION_STEPS },
    { name: "digit", note: "", stops: digits, low: 0, high: 9, step: 1, home: 3 },
  ];
  let noise, path, z, asked, running = 0, seconds = 0;
  const draw = (n) => Float32Array.from({ length: n }, normal);
  function begin(y) {
    [path, asked] = [[{ x: noise, clean: null }], y];
    const mine = ++running, start = performance.now();
    const go = () => {
      if (mine !== running || path.length > DIFFUSION_STEPS) return;
      const i = path.length - 1, { clean, next } = ddimStep(network, path[i].x, steps[i], steps[i + 1] ?? -1, y);
      path[i].clean = clean;
      path.push({ x: next, clean });
      seconds = (performance.now() - start) / 1000;
      refresh();
      setTimeout(go);
    };
    setTimeout(go);
  }
  const reroll = () => ([noise, z, asked] = [draw(SIDE * SIDE), draw(vae.latents), null]);
  reroll();
  const grey = (x) => x.map((value) => Math.min(1, Math.max(0, (value + 1) / 2)));
  return {
    title: "From noise to a digit, step by step",
    lead: "Forty steps, each an evaluation of the network on this machine. A VAE needs one.",
    canvases: {
      image: "x_t, the image on its way", clean: "x̂, the network's guess of the end",
      sample: "a sample of the VAE, in one step", strip: "the way",
    },
    controls, card: network.card, reroll,
    points: { strip: (x) => ({ step: x * DIFFUSION_STEPS }) },
    busy: () => asked === null || path.length <= DIFFUSION_STEPS, // null: the next drawing begins a way
    left: () => (running += 1, asked = null),
    draw(values, canvases) {
      if (asked !== values.digit) begin(values.digit);
      const at = Math.min(Math.round(values.step), path.length - 1), { x, clean } = path[at], shape = [1, SIDE, SIDE];
      drawImages(canvases.image, [grey(x)], shape);
      drawImages(canvases.clean, [grey(clean ?? x)], shape);
      drawImages(canvases.sample, [vae.decode(z)], vae.shape);
      const done = path.length - 1, speed = `${written(done / Math.max(seconds, 1e-3), 0)} steps a second`;
      const stops = Array.from({ length: 9 }, (_, i) => Math.min((i * DIFFUSION_STEPS) / 8, done));
      drawGallery(canvases.strip, stops.map((i) => grey(path[i].x)), shape, Math.round((8 * at) / DIFFUSION_STEPS));
      if (done < DIFFUSION_STEPS) return `${done} of ${DIFFUSION_STEPS} steps are computed, ${speed}.`;
      const left = at === DIFFUSION_STEPS ? 1 : keptAt(steps[at]);
      return `Step ${at} of ${DIFFUSION_STEPS}: ${written(100 * left, 0)} % of the variance is image. `
        + `Computed here, ${speed}.`;
    },
  };
}
