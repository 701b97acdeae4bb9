// What a view asks before it shows, its equation, and the lines of the notebook that compute it.
// Symbols have the colour of what they are on the page: x of the drawing, z of the ring, nats of the bars.

const symbol = (kind) => (text) => `<var class="${kind}">${text}</var>`;
const [ofX, ofZ, ofRate, ofDistortion] = ["x", "z", "rate", "distortion"].map(symbol);
const KL = ofRate(`KL(q(${ofZ("z")}|${ofX("x")}) ‖ p(${ofZ("z")}))`);

const WORDS = {
  pad: {
    ask: "Where on the map will your digit land, and how large will its ellipse be?",
    equation: `−ELBO(${ofX("x")}) = ${ofDistortion(`E<sub>q</sub>[−log p(${ofX("x")}|${ofZ("z")})]`)} + ${KL}, `
      + `&nbsp; ${ofZ("z")} = μ(${ofX("x")}) + σ(${ofX("x")}) ε, &nbsp; ε ~ N(0, I)`,
    code: [
      "mu, log_var = vae.encode(x)  # 1",
      "z = reparameterize(mu, log_var, torch.randn_like(mu))  # 2",
      "bound = elbo(x, vae.logits(z), mu, log_var)  # 3 and 4, (B,)",
    ],
    notebook: "03_variational_autoencoder", section: "3.6",
  },
  bound: {
    ask: "How many of the 64 latents will your digit use, and what is left of it without all but one?",
    equation: `${KL} = Σ<sub>j</sub> ${ofRate("½ (μ<sub>j</sub>² + σ<sub>j</sub>² − 1 − log σ<sub>j</sub>²)")}, `
      + `&nbsp; a latent that is off has q(z<sub>j</sub>|${ofX("x")}) = N(0, 1) and costs ${ofRate("0")}`,
    code: [
      "q_z = vae.encode(x)",
      "return kl_divergence(q_z, losses.standard_normal(q_z.mean)).mean(0)",
    ],
    notebook: "04_beta_vae", section: "4.3",
  },
  latents: {
    ask: "What will the strongest of the latents change in the digit?",
    equation: `${ofX("x̂")} = sigmoid(f(${ofZ("z")})), &nbsp; ${ofZ("z")} ∈ R<sup>64</sup>`,
    code: ["sliders = widgets.latents(vaes[64].decode, kl_per_latent[64], shown=16, seed=seed)"],
    notebook: "03_variational_autoencoder", section: "3.7",
  },
  holes: {
    ask: "Half-way between two clouds, which of the two decoders still draws a digit?",
    equation: `autoencoder: ${ofDistortion(`−log p(${ofX("x")}|${ofZ("z")})`)}, ${ofZ("z")} = f(${ofX("x")}) `
      + `&nbsp;·&nbsp; VAE: ${ofDistortion(`E<sub>q</sub>[−log p(${ofX("x")}|${ofZ("z")})]`)} + ${KL}`,
    code: [
      "low, high = train_codes[n].min(0).values, train_codes[n].max(0).values",
      "drawn[n] = models[n].decode(low + (high - low) * torch.rand(1_000, n))  # (B, D)",
    ],
    notebook: "01_autoencoder_basics", section: "1.8",
  },
  denoise: {
    ask: "Where your digit is hidden altogether, what will the network put there?",
    equation: `E ‖${ofX("x")} − ${ofX("x̂")}(${ofX("x̃")})‖² is smallest where ${ofX("x̂")}(${ofX("x̃")}) = `
      + `E[${ofX("x")} | ${ofX("x̃")}]; so is cross-entropy, which taught this network`,
    code: ["error = denoising_loss(model, x, damage(x))  # (B,)"],
    notebook: "02_convolutional_autoencoder", section: "2.6",
  },
  diffusion: {
    ask: "After how many of the 40 steps will you know which digit it becomes?",
    equation: `${ofX("x")}<sub>t</sub> = √ᾱ<sub>t</sub> ${ofX("x")} + √(1 − ᾱ<sub>t</sub>) ε, &nbsp; `
      + `${ofX("x̂")} = √ᾱ<sub>t</sub> ${ofX("x")}<sub>t</sub> − √(1 − ᾱ<sub>t</sub>) v̂(${ofX("x")}<sub>t</sub>, t)`,
    code: [
      "runs[f\"DDIM, {steps} steps\"] = timed(lambda: diffusion.sample_ddim(",
      "    unet, y_few, steps=steps, generator=torch.Generator().manual_seed(seed)))",
    ],
    notebook: "05_generation_celeba_cifar", section: "5.6",
  },
  price: {
    ask: "When a nat of code costs ten times as much, what becomes of the samples?",
    equation: `loss = ${ofDistortion("distortion")} + β · ${ofRate("rate")}`,
    code: ["return terms.distortion + beta * terms.rate, terms"],
    notebook: "04_beta_vae", section: "4.2",
  },
  faces: {
    ask: "Which of these attributes can an arrow add to a face, and which can it not?",
    equation: `${ofZ("z′")} = ${ofZ("z")} + s · (mean of ${ofZ("z")} with − mean of ${ofZ("z")} without the attribute)`,
    code: ["edited[name] = image_of(vaes[128], z_test[bare[name]] + 2 * units[name] * vectors[name])"],
    notebook: "05_generation_celeba_cifar", section: "5.3",
  },
  symbols: {
    ask: "With how many of the 64 symbols drawn by lot is it still a face?",
    equation: `${ofZ("s<sub>n</sub>")} = argmin<sub>k</sub> ‖${ofZ("z<sub>n</sub>")}(${ofX("x")}) − e<sub>k</sub>‖², &nbsp; `
      + `rate ${ofRate("−log<sub>2</sub> p(s)")} ≤ ${ofRate("64 log<sub>2</sub> K")} bits, with equality where p is uniform`,
    code: [
      "uniform = {K: torch.randint(K, vq_codes[K][:6].shape, generator=rng) for K in Ks}",
      "\"uniform\": lambda K: vqs[K].image_of(uniform[K]),",
    ],
    notebook: "06_beyond_the_vae", section: "6.1",
  },
};
