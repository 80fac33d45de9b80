// Scaling pictures exactly as Pillow does (bicubic, antialiased), so that the network sees in the browser what it saw
// in the training. A canvas scales without antialiasing, or with one that differs from browser to browser.

const A = -0.5; // the constant of Pillow's cubic

/** @param {number} distance in output pixels */
function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * A;
  return 0;
}

/**
 * Which input pixels make each output pixel, and how much of each.
 *
 * @param {number} size of the input
 * @param {number} from where the part begins that becomes the output; may lie inside a pixel
 * @param {number} to where it ends
 * @param {number} count of output pixels
 * @returns {{first: number, weights: Float64Array}[]}
 */
function taps(size, from, to, count) {
  const scale = (to - from) / count;
  const stretch = Math.max(scale, 1); // when a picture shrinks, the filter grows: that is the antialiasing
  const support = 2 * stretch;
  return Array.from({ length: count }, (_, index) => {
    const centre = from + (index + 0.5) * scale;
    const first = Math.max(Math.floor(centre - support + 0.5), 0);
    const end = Math.min(Math.floor(centre + support + 0.5), size);
    const weights = Float64Array.from({ length: end - first }, (_, k) => cubic((first + k - centre + 0.5) / stretch));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/**
 * @typedef {object} Pixels
 * @property {Uint8ClampedArray} data height × width × channels
 * @property {number} width
 * @property {number} height
 * @property {number} channels
 */

/**
 * Part of a picture in another size. Rounded to 8 bits after each direction, like Pillow.
 *
 * @param {Pixels} picture
 * @param {{left: number, top: number, right: number, bottom: number}} box the part
 * @param {number} width wanted
 * @param {number} height wanted
 * @returns {Pixels}
 */
export function resize(picture, box, width, height) {
  const { data, channels } = picture;
  const columns = taps(picture.width, box.left, box.right, width);
  const rows = taps(picture.height, box.top, box.bottom, height);
  const start = rows[0].first;
  const stop = rows[height - 1].first + rows[height - 1].weights.length;

  const narrow = new Uint8ClampedArray((stop - start) * width * channels);
  for (let y = start, out = 0; y < stop; y++) {
    for (const { first, weights } of columns) {
      for (let channel = 0; channel < channels; channel++) {
        let at = (y * picture.width + first) * channels + channel;
        let sum = 0;
        for (let k = 0; k < weights.length; k++, at += channels) sum += weights[k] * data[at];
        narrow[out++] = Math.floor(sum + 0.5); // a clamped array alone would round halves to even
      }
    }
  }

  const line = width * channels;
  const result = new Uint8ClampedArray(height * line);
  rows.forEach(({ first, weights }, y) => {
    for (let x = 0; x < line; x++) {
      let at = (first - start) * line + x;
      let sum = 0;
      for (let k = 0; k < weights.length; k++, at += line) sum += weights[k] * narrow[at];
      result[y * line + x] = Math.floor(sum + 0.5);
    }
  });
  return { data: result, width, height, channels };
}

/**
 * A picture scaled until it covers the size, and cut off evenly where it overhangs (Pillow's ImageOps.fit).
 *
 * @param {Pixels} picture
 * @param {number} width wanted
 * @param {number} height wanted
 * @returns {Pixels}
 */
export function fit(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  const ratio = width / height;
  const wide = picture.width / picture.height >= ratio;
  const partWidth = wide ? ratio * picture.height : picture.width;
  const partHeight = wide ? picture.height : picture.width / ratio;
  const left = (picture.width - partWidth) / 2;
  const top = (picture.height - partHeight) / 2;
  return resize(picture, { left, top, right: left + partWidth, bottom: top + partHeight }, width, height);
}
