// The layers of the networks on Float32Array. Letters: d in, D out; C, H, W channels, rows, columns.

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
 * A convolution: (C, H, W) to (D, H', W'). weight: (D, C, k, k), D a multiple of 4; margin: rows and
 * columns of zeros around x. It is one matrix product, of the weights with what each place sees.
 */
function convolution(x, H, W, weight, bias, { stride = 1, margin = (weight.shape[2] - 1) / 2 } = {}) {
  const [D, C, k] = weight.shape, K = C * k * k;
  const [rows, columns] = [H, W].map((side) => Math.floor((side + 2 * margin - k) / stride) + 1);
  const places = rows * columns, seen = patches(pad(x, C, H, W, margin), C, H + 2 * margin, W + 2 * margin, k, stride);
  const y = new Float32Array(D * places), tile = new Float64Array(8), w = weight.data, b = bias.data;
  for (let o = 0; o < D; o += 4) {
    for (let p = 0; p < places; p += 2) {
      products(w, o * K, seen, p * K, K, tile);
      for (let i = 0; i < 4; i++) {
        y[(o + i) * places + p] = b[o + i] + tile[2 * i];
        if (p + 1 < places) y[(o + i) * places + p + 1] = b[o + i] + tile[2 * i + 1];
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

/** What each place sees, k × k in all channels: (C, H, W) to (places, C k k), and a last row for pairs. */
function patches(x, C, H, W, k, stride) {
  const rows = Math.floor((H - k) / stride) + 1, columns = Math.floor((W - k) / stride) + 1;
  const seen = new Float32Array((rows * columns + 1) * C * k * k);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let v = 0; v < columns; v++) {
      for (let c = 0; c < C; c++) {
        for (let i = 0; i < k; i++) {
          const from = (c * H + r * stride + i) * W + v * stride;
          for (let j = 0; j < k; j++) seen[at++] = x[from + j];
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

/** r × r pixels become r² channels: (C, H, W) to (C r², H/r, W/r). */
function pixelUnshuffle(x, H, W, r) {
  const y = new Float32Array(x.length), h = H / r, w = W / r, C = x.length / (H * W);
  for (let c = 0, at = 0; c < C; c++) {
    for (let i = 0; i < r; i++) {
      for (let j = 0; j < r; j++) {
        for (let a = 0; a < h; a++) {
          for (let b = 0; b < w; b++) y[at++] = x[(c * H + a * r + i) * W + b * r + j];
        }
      }
    }
  }
  return y;
}

/** Groups of channels to mean 0 and variance 1, then · weight + bias of each channel: (C, H, W). */
function groupNorm(x, weight, bias, groups = 8) {
  const C = bias.data.length, places = x.length / C, size = x.length / groups;
  const y = new Float32Array(x.length);
  for (let g = 0; g < groups; g++) {
    let sum = 0, squares = 0;
    for (let i = g * size; i < (g + 1) * size; i++) sum += x[i];
    const mean = sum / size;
    for (let i = g * size; i < (g + 1) * size; i++) squares += (x[i] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / size + 1e-5);
    for (let i = g * size; i < (g + 1) * size; i++) {
      const c = Math.floor(i / places);
      y[i] = (x[i] - mean) * scale * weight.data[c] + bias.data[c];
    }
  }
  return y;
}

/** softmax(q k / √C) v over all pairs of places: (3 C, places), that is q, k, v, to (C, places). */
function attention(qkv, places) {
  const C = qkv.length / places / 3, y = new Float32Array(C * places), row = new Float64Array(places);
  const k = C * places, v = 2 * C * places;
  for (let p = 0; p < places; p++) {
    let most = -Infinity, total = 0;
    for (let s = 0; s < places; s++) {
      let dot = 0;
      for (let c = 0; c < C; c++) dot += qkv[c * places + p] * qkv[k + c * places + s];
      most = Math.max(most, (row[s] = dot / Math.sqrt(C)));
    }
    for (let s = 0; s < places; s++) total += row[s] = Math.exp(row[s] - most);
    for (let c = 0; c < C; c++) {
      let sum = 0;
      for (let s = 0; s < places; s++) sum += row[s] * qkv[v + c * places + s];
      y[c * places + p] = sum / total;
    }
  }
  return y;
}

/** a + b, in place of a. */
function add(a, b) {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}

/** One after the other: channels of two grids of the same size. */
function joined(a, b) {
  const y = new Float32Array(a.length + b.length);
  y.set(a);
  y.set(b, a.length);
  return y;
}
