// decode(z): the mean image of p(x|z), numbers in [0, 1]. The layers are those of `course_lib.models`.

/** `MLPDecoder`: d → 256 → 256 → 784. */
function mlpDecoder(tensors) {
  const layer = (i, x) => linear(x, tensors[`decoder.${i}.weight`], tensors[`decoder.${i}.bias`]);
  return {
    shape: [1, 28, 28],
    latents: tensors["decoder.0.weight"].shape[1],
    decode: (z) => sigmoid(layer(4, relu(layer(2, relu(layer(0, z)))))),
  };
}

/** The decoder of `ConvVAE`: a grid of S/8 × S/8, three convolutions, twice enlarged. */
function convDecoder(tensors) {
  const weight = (i) => tensors[`decoder.${i}.weight`], bias = (i) => tensors[`decoder.${i}.bias`];
  const places = weight(0).shape[0] / weight(3).shape[1]; // of the first grid
  const s = Math.sqrt(places);
  const channels = weight(10).shape[0] / 16;
  return {
    shape: [channels, 8 * s, 8 * s],
    latents: weight(0).shape[1],
    decode(z) {
      let h = silu(linear(z, weight(0), bias(0))); // (width, s, s)
      h = silu(convolution(h, s, s, weight(3), bias(3)));
      h = silu(convolution(h, s, s, weight(5), bias(5)));
      h = silu(pixelShuffle(convolution(h, s, s, weight(7), bias(7)), s, s, 2)); // (·, 2s, 2s)
      h = convolution(h, 2 * s, 2 * s, weight(10), bias(10));
      return sigmoid(pixelShuffle(h, 2 * s, 2 * s, 4)); // (channels, 8s, 8s)
    },
  };
}

/** The decoder that a card describes, from the base64 text of its weights. */
function buildDecoder({ card, weights }) {
  const build = { MLPDecoder: mlpDecoder, ConvVAE: convDecoder }[card.model.class];
  return { card, ...build(parseSafetensors(bytesOf(weights))) };
}
