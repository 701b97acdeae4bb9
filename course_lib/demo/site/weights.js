// From the bytes of a .safetensors file to tensors. A tensor is { shape, data: Float32Array }.

// In order of the digits, as in Python's base64.b85encode: a sixteenth less text than base64.
const DIGITS_85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

/** Bytes of a base85 text: four of every five characters. */
function bytesOf(text) {
  const value = new Uint8Array(128);
  [...DIGITS_85].forEach((letter, i) => (value[letter.charCodeAt(0)] = i));
  const bytes = new Uint8Array(Math.ceil(text.length / 5) * 4), whole = new DataView(bytes.buffer);
  for (let at = 0; at < text.length; at += 5) {
    let number = 0;
    for (let i = at; i < at + 5; i++) number = number * 85 + (i < text.length ? value[text.charCodeAt(i)] : 84);
    whole.setUint32((at / 5) * 4, number);
  }
  return bytes.subarray(0, Math.floor((text.length * 4) / 5));
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

/** Bytes of an image as numbers in [0, 1]. */
const inUnit = (bytes) => Float32Array.from(bytes, (byte) => byte / 255);

/** ‖x − y‖². */
const squaredError = (x, y) => x.reduce((error, value, p) => error + (value - y[p]) ** 2, 0);
