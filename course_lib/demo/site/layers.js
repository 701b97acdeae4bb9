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
 * It is one matrix product, of the weights with what each place sees.
 */
function convolution(x, H, W, weight, bias) {
  const [D, C, k] = weight.shape, K = C * k * k, places = H * W;
  const seen = patches(x, C, H, W, k), w = weight.data, b = bias.data;
  const y = new Float32Array(D * places), tile = new Float64Array(8);
  for (let o = 0; o < D; o += 4) {
    for (let p = 0; p < places; p += 2) {
      products(w, o * K, seen, p * K, K, tile);
      for (let i = 0; i < 4; i++) {
        y[(o + i) * places + p] = b[o + i] + tile[2 * i];
        y[(o + i) * places + p + 1] = b[o + i] + tile[2 * i + 1];
      }
    }
  }
  return y;
}

/**
 * The scalar products of four rows of w with two rows of x, K numbers each, to `tile`: (4, 2).
 * Eight sums at once, since each number that is fetched then serves several of them.
 */
function products(w, i, x, j, K, tile) {
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  for (const end = i + K; i < end; i++, j++) {
    const u = x[j], v = x[j + K];
    a += w[i] * u, b += w[i] * v;
    c += w[i + K] * u, d += w[i + K] * v;
    e += w[i + 2 * K] * u, f += w[i + 2 * K] * v;
    g += w[i + 3 * K] * u, h += w[i + 3 * K] * v;
  }
  tile[0] = a, tile[1] = b, tile[2] = c, tile[3] = d, tile[4] = e, tile[5] = f, tile[6] = g, tile[7] = h;
}

/** What each place sees, k × k around it in all channels: (C, H, W) to (H W, C k k). */
function patches(x, C, H, W, k) {
  const m = (k - 1) / 2, wide = W + 2 * m, padded = pad(x, C, H, W, m);
  const seen = new Float32Array(H * W * C * k * k);
  for (let r = 0, at = 0; r < H; r++) {
    for (let v = 0; v < W; v++) {
      for (let c = 0; c < C; c++) {
        for (let i = 0; i < k; i++) {
          const from = (c * (H + 2 * m) + r + i) * wide + v;
          for (let j = 0; j < k; j++) seen[at++] = padded[from + j];
        }
      }
    }
  }
  return seen;
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
