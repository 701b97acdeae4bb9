// From the bytes of a .safetensors file to tensors. A tensor is { shape, data: Float32Array }.

/** Bytes of a base64 text. */
function bytesOf(base64) {
  const letters = atob(base64), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** The number that 16 bits stand for: sign, 5 bits of exponent, 10 of fraction (IEEE 754). */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const HALVES = Float32Array.from({ length: 2 ** 16 }, (_, bits) => half(bits));

/**
 * All tensors of a file by name. The format: 8 bytes with the length of a JSON header, the header
 * with type, shape and place of each tensor, then the numbers, little-endian.
 */
function parseSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  delete header.__metadata__;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(header)) {
    if (dtype !== "F16") throw new Error(`${name} is ${dtype}, not F16`);
    const data = new Float32Array((end - start) / 2);
    for (let i = 0; i < data.length; i++) {
      data[i] = HALVES[view.getUint16(8 + length + start + 2 * i, true)];
    }
    tensors[name] = { shape, data };
  }
  return tensors;
}
