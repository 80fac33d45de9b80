// An image file → pixels as the network wants them: upright, opaque, grey or colour.

import { expected } from "./errors.js";

const MAX_PIXELS = 89_478_485; // of one picture; more than that is more than a browser's memory deserves

/** @typedef {import("./resize.js").Pixels} Pixels */

/**
 * The pixels of an image file, in colour.
 *
 * @param {Blob} file
 * @returns {Promise<Pixels>}
 * @throws {import("./errors.js").InputError} not a picture that this browser reads
 */
export async function decode(file) {
  const name = file instanceof File ? file.name : "data that is none";
  let bitmap;
  try {
    // Turned upright as the camera noted; the numbers in the file, not the colours of this screen.
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw expected("a picture (PNG, JPEG, WebP, …)", name);
  }
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS) {
    throw expected(`at most ${MAX_PIXELS.toLocaleString("en")} pixels`, `${width} × ${height} in ${name}`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true }) // kept off the GPU, which may round
  );
  context.fillStyle = "white"; // what is transparent lies on white, as in the training
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return withoutAlpha(context.getImageData(0, 0, width, height));
}

/**
 * @param {ImageData} image opaque
 * @returns {Pixels} three channels
 */
export function withoutAlpha({ data, width, height }) {
  const colour = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    colour[to++] = data[from];
    colour[to++] = data[from + 1];
    colour[to++] = data[from + 2];
  }
  return { data: colour, width, height, channels: 3 };
}

/**
 * The brightness of a colour picture, with Pillow's weights (ITU-R 601-2) and rounding.
 *
 * @param {Pixels} picture three channels
 * @returns {Pixels} one channel
 */
export function grey({ data, width, height }) {
  const result = new Uint8ClampedArray(width * height);
  for (let to = 0, from = 0; to < result.length; to++, from += 3) {
    result[to] = (data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000) >> 16;
  }
  return { data: result, width, height, channels: 1 };
}

/**
 * The negative of a picture.
 *
 * @param {Pixels} picture
 * @returns {Pixels}
 */
export function inverted(picture) {
  return { ...picture, data: picture.data.map((value) => 255 - value) };
}

/**
 * A picture as a canvas shows it.
 *
 * @param {Pixels} picture one or three channels
 * @returns {ImageData}
 */
export function toImageData({ data, width, height, channels }) {
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let k = 0; k < 3; k++) image.data[4 * pixel + k] = data[channels * pixel + (channels === 1 ? 0 : k)];
    image.data[4 * pixel + 3] = 255;
  }
  return image;
}
