// The layers of the decoders on Float32Array. Letters: d in, D out; C, H, W channels, rows, columns.

/** W x + b: (d,) to (D,). weight: (D, d), bias: (D,). */
function linear(x, weight, bias) {
  const D = bias.data.length, d = x.length, w = weight.data;
  const y = Float32Array.from(bias.data);
  for (let i = 0, at = 0; i < D; i++) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += w[at++] * x[j];
    y[i] += sum;
  }
  return y;
}

/** max(x, 0), in place. */
function relu(x) {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  return x;
}

/** x · sigmoid(x), in place. */
function silu(x) {
  for (let i = 0; i < x.length; i++) x[i] /= 1 + Math.exp(-x[i]);
  return x;
}

/** 1 / (1 + exp(−x)), in place. */
function sigmoid(x) {
  for (let i = 0; i < x.length; i++) x[i] = 1 / (1 + Math.exp(-x[i]));
  return x;
}

/**
 * A convolution of stride 1 that keeps H × W: (C, H, W) to (D, H, W). weight: (D, C, k, k), k odd.
 * The padded image is read as one long row, so that the inner loop runs over all places at once;
 * what it computes in the padding is thrown away.
 */
function convolution(x, H, W, weight, bias) {
  const [D, C, k] = weight.shape, w = weight.data;
  const margin = (k - 1) / 2, wide = W + 2 * margin, span = H * wide - 2 * margin;
  const padded = pad(x, C, H, W, margin), plane = (H + 2 * margin) * wide;
  const y = new Float32Array(D * H * W), row = new Float32Array(span);
  for (let o = 0, at = 0; o < D; o++) {
    row.fill(bias.data[o]);
    for (let c = 0; c < C; c++) {
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < k; j++) {
          const factor = w[at++], from = c * plane + i * wide + j;
          for (let p = 0; p < span; p++) row[p] += factor * padded[from + p];
        }
      }
    }
    for (let r = 0; r < H; r++) {
      y.set(row.subarray(r * wide, r * wide + W), (o * H + r) * W);
    }
  }
  return y;
}

/** Zeros around each channel: (C, H, W) to (C, H + 2m, W + 2m). */
function pad(x, C, H, W, m) {
  if (m === 0) return x;
  const wide = W + 2 * m, padded = new Float32Array(C * (H + 2 * m) * wide);
  for (let c = 0; c < C; c++) {
    for (let r = 0; r < H; r++) {
      const from = (c * H + r) * W;
      padded.set(x.subarray(from, from + W), (c * (H + 2 * m) + r + m) * wide + m);
    }
  }
  return padded;
}

/** Each group of r² channels becomes r × r pixels: (C r², H, W) to (C, H r, W r). */
function pixelShuffle(x, H, W, r) {
  const y = new Float32Array(x.length), C = x.length / (H * W * r * r);
  for (let c = 0, at = 0; c < C; c++) {
    for (let i = 0; i < r; i++) {
      for (let j = 0; j < r; j++) {
        for (let h = 0; h < H; h++) {
          for (let v = 0; v < W; v++) y[((c * H + h) * r + i) * W * r + v * r + j] = x[at++];
        }
      }
    }
  }
  return y;
}
