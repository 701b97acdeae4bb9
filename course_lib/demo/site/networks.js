// The networks of `course_lib.models` out of their weights: encode, decode, predict the velocity.

/** Layers by the name that they have in PyTorch: dense("decoder.0", x), conv("stem.1", x, H, W). */
function layersOf(tensors) {
  const of = (name) => [tensors[`${name}.weight`], tensors[`${name}.bias`]];
  return {
    tensors,
    dense: (name, x) => linear(x, ...of(name)),
    conv: (name, x, H, W, options) => convolution(x, H, W, ...of(name), options),
    norm: (name, x) => groupNorm(x, ...of(name)),
  };
}

/** Three dense layers with ReLU between them: `mlp(d, 256, 256, D)`. */
function mlp({ dense }, part) {
  return (x) => dense(`${part}.4`, relu(dense(`${part}.2`, relu(dense(`${part}.0`, x)))));
}

/** `MLPDecoder`, and the decoder of `MLPAutoencoder`: the mean image of p(x|z), in [0, 1]. */
function mlpDecoder(layers) {
  const logits = mlp(layers, "decoder");
  return {
    shape: [1, 28, 28],
    latents: layers.tensors["decoder.0.weight"].shape[1],
    logits,
    decode: (z) => sigmoid(logits(z)),
  };
}

/** `MLPEncoder`: mean and standard deviation of q(z|x). */
function mlpEncoder(layers) {
  const encoder = mlp(layers, "encoder");
  return {
    encode(x) {
      const y = encoder(x), d = y.length / 2;
      return { mu: y.slice(0, d), sigma: y.slice(d).map((logVar) => Math.exp(logVar / 2)) };
    },
  };
}

/** The decoder of `ConvVAE` and `ConvAutoencoder`: a grid of S/8 × S/8, twice enlarged. */
function convDecoder({ tensors, dense, conv }) {
  const places = tensors["decoder.0.weight"].shape[0] / tensors["decoder.3.weight"].shape[1]; // of the first grid
  const s = Math.sqrt(places), channels = tensors["decoder.10.weight"].shape[0] / 16;
  return {
    shape: [channels, 8 * s, 8 * s],
    latents: tensors["decoder.0.weight"].shape[1],
    decode(z) {
      let h = silu(dense("decoder.0", z)); // (width, s, s)
      h = silu(conv("decoder.3", h, s, s));
      h = silu(conv("decoder.5", h, s, s));
      h = silu(pixelShuffle(conv("decoder.7", h, s, s), s, s, 2)); // (·, 2s, 2s)
      h = conv("decoder.10", h, 2 * s, 2 * s);
      return sigmoid(pixelShuffle(h, 2 * s, 2 * s, 4)); // (channels, 8s, 8s)
    },
  };
}

/** `ConvAutoencoder`: image to code to image. */
function convAutoencoder(layers) {
  const decoder = convDecoder(layers), { dense, conv } = layers, side = decoder.shape[1];
  return {
    ...decoder,
    encode(x) {
      let h = silu(conv("features.0", x, side, side, { stride: 4, margin: 2 })); // side/4
      h = silu(conv("features.2", h, side / 4, side / 4, { stride: 2 })); // side/8
      h = silu(conv("features.4", h, side / 8, side / 8));
      return dense("code", silu(conv("features.6", h, side / 8, side / 8)));
    },
  };
}

/** `VQVAE`: an image to one symbol for each place of a grid, and symbols to an image. */
function vqvae({ tensors, dense, conv }) {
  const { shape: [, d], data: vectors } = tensors["codebook.vectors"], side = Math.sqrt(tensors["encoder.8.mix.bias"].data.length);
  const places = side * side, pixels = 8 * side;
  const across = (name, h) => {
    for (let from = 0; from < h.length; from += places) {
      const row = h.subarray(from, from + places);
      add(row, dense(name, row.slice()));
    }
    return h;
  };
  const channels = tensors["encoder.0.weight"].shape[1];
  return {
    shape: [channels, pixels, pixels],
    indices(x) {
      let h = silu(conv("encoder.0", x, pixels, pixels, { stride: 4, margin: 2 }));
      h = silu(conv("encoder.2", h, 2 * side, 2 * side, { stride: 2 }));
      h = silu(conv("encoder.4", h, side, side));
      h = across("encoder.8.mix", silu(conv("encoder.6", h, side, side)));
      const z = conv("encoder.9", h, side, side); // (d, places)
      return Array.from({ length: places }, (_, n) => closest(Float32Array.from({ length: d }, (_, i) => z[i * places + n]), vectors));
    },
    decode(symbols) {
      let h = Float32Array.from({ length: d * places }, (_, k) => vectors[symbols[k % places] * d + Math.floor(k / places)]);
      h = silu(across("decoder.1.mix", conv("decoder.0", h, side, side)));
      h = silu(conv("decoder.3", h, side, side));
      h = silu(pixelShuffle(conv("decoder.5", h, side, side), side, side, 2));
      return sigmoid(pixelShuffle(conv("decoder.8", h, 2 * side, 2 * side), 2 * side, 2 * side, 4));
    },
  };
}

/** Which row of (K, d) numbers is nearest to z, (d,). */
function closest(z, rows) {
  let best = 0, least = Infinity;
  for (let k = 0; k < rows.length / z.length; k++) {
    let distance = 0;
    for (let i = 0; i < z.length; i++) distance += (z[i] - rows[k * z.length + i]) ** 2;
    if (distance < least) [best, least] = [k, distance];
  }
  return best;
}

/** `UNet`: the velocity v̂(x_t, t, y), (channels, side, side). */
function unet({ tensors, dense, conv, norm }) {
  function block(name, x, side, e) {
    const h = conv(`${name}.first.2`, silu(norm(`${name}.first.0`, x)), side, side), shift = dense(`${name}.shift`, e);
    const places = side * side;
    for (let i = 0; i < h.length; i++) h[i] += shift[Math.floor(i / places)];
    const skip = `${name}.skip.weight` in tensors ? conv(`${name}.skip`, x, side, side) : x;
    return add(conv(`${name}.second.2`, silu(norm(`${name}.second.0`, h)), side, side), skip);
  }
  function embedding(t, y) {
    const labels = tensors["label.weight"], width = labels.shape[1], half = width / 2;
    const waves = Float32Array.from({ length: width }, (_, k) => {
      const angle = t * Math.exp((-Math.log(10000) * (k % half)) / (half - 1));
      return k < half ? Math.sin(angle) : Math.cos(angle);
    });
    const time = dense("time.2", silu(dense("time.0", waves)));
    return silu(add(time, labels.data.subarray(y * width, (y + 1) * width)));
  }
  return {
    velocity(x, side, t, y) {
      const e = embedding(t, y), s = side / 2, low = s / 2, places = low * low;
      let h = conv("stem.1", pixelUnshuffle(x, side, side, 2), s, s);
      const first = block("down.0", h, s, e), second = block("down.1", first, s, e);
      h = conv("smaller", second, s, s, { stride: 2 });
      const deep = block("low.1", block("low.0", h, low, e), low, e);
      const seen = attention(conv("attention.to_qkv", norm("attention.norm", deep), low, low), places);
      h = block("middle", add(conv("attention.out", seen, low, low), deep), low, e);
      h = block("rise", joined(h, deep), low, e);
      h = pixelShuffle(conv("larger.0", h, low, low), low, low, 2);
      h = block("up.0", joined(h, second), s, e);
      h = block("up.1", joined(h, first), s, e);
      return pixelShuffle(conv("out.2", silu(norm("out.0", h)), s, s), s, s, 2);
    },
  };
}

const BUILDERS = {
  MLPDecoder: mlpDecoder, MLPEncoder: mlpEncoder, MLPAutoencoder: mlpDecoder, ConvVAE: convDecoder,
  ConvAutoencoder: convAutoencoder, UNet: unet, VQVAE: vqvae,
};

/** The network that a card describes, from the base85 text of its weights. */
function build({ card, weights }) {
  return { card, ...BUILDERS[card.model.class](layersOf(parseSafetensors(bytesOf(weights)))) };
}
