// A drawing → the frame in which grey data sets of digits show theirs.
//
// Whoever collected them scaled every digit to one size and put it in the middle: MNIST into 20×20 of 28×28 pixels, with
// the centre of mass in the centre; the 8×8 digits fill their whole height. A network trained on these has never seen a
// small digit in a corner, and calls it nonsense. So a drawing gets the same frame before it is fed.

import { resize } from "./resize.js";

/** @typedef {import("./resize.js").Pixels} Pixels */

const INK = 16; // from this brightness on a pixel belongs to a stroke; below it is the soft edge of one

/**
 * White strokes on black, framed.
 *
 * @param {Pixels} drawing one channel
 * @param {number} width wanted
 * @param {number} height wanted
 * @returns {Pixels | null} null if nothing is drawn
 */
export function centred(drawing, width, height) {
  const box = inkBox(drawing);
  if (!box) return null;
  const side = frame(Math.min(width, height));
  const scale = side / Math.max(box.right - box.left, box.bottom - box.top);
  const digit = resize(
    drawing,
    box,
    Math.max(1, Math.round((box.right - box.left) * scale)),
    Math.max(1, Math.round((box.bottom - box.top) * scale)),
  );
  const mass = centreOfMass(digit);
  const left = place(width, digit.width, mass.x);
  const top = place(height, digit.height, mass.y);
  const data = new Uint8ClampedArray(width * height);
  for (let y = 0; y < digit.height; y++) {
    const row = digit.data.subarray(y * digit.width, (y + 1) * digit.width);
    data.set(row, (top + y) * width + left);
  }
  return { data, width, height, channels: 1 };
}

/** The longer side of a digit: 20 of 28 as in MNIST; all there is where there are few pixels. @param {number} side */
function frame(side) {
  return side < 16 ? side : Math.round((side * 20) / 28);
}

/**
 * Where the digit begins, so that its centre of mass lies in the middle, or as near as it can without being cut off.
 *
 * @param {number} size of the picture
 * @param {number} extent of the digit
 * @param {number} mass where the digit's centre of mass is
 */
function place(size, extent, mass) {
  return Math.min(Math.max(Math.round(size / 2 - mass), 0), size - extent);
}

/** @param {Pixels} drawing */
function inkBox({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] < INK) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  return right ? { left, top, right, bottom } : null;
}

/** @param {Pixels} digit */
function centreOfMass({ data, width, height }) {
  let [sum, sumX, sumY] = [0, 0, 0];
  data.forEach((value, index) => {
    sum += value;
    sumX += value * ((index % width) + 0.5);
    sumY += value * (Math.floor(index / width) + 0.5);
  });
  return sum ? { x: sumX / sum, y: sumY / sum } : { x: width / 2, y: height / 2 };
}
