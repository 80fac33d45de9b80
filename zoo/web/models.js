// Where model files come from: a list beside the page, an address on the same server, or the visitor's disk.

import { expected } from "./errors.js";

/**
 * @typedef {object} Listed
 * @property {string} name what to show
 * @property {string} file address, relative to the page
 * @property {number} bytes
 */

/**
 * The models that the server offers in models.json; none if there is no such list.
 *
 * @returns {Promise<Listed[]>}
 */
export async function listModels() {
  try {
    const response = await fetch("models.json");
    const { models } = await response.json();
    return models.filter((/** @type {any} */ model) => typeof model.name === "string" && typeof model.file === "string");
  } catch {
    return []; // a page without a list still takes a file
  }
}

/**
 * @param {string} address of an ONNX file
 * @returns {Promise<Uint8Array>}
 * @throws {import("./errors.js").InputError} elsewhere, or not there
 */
export async function download(address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  // The page's own rules (its Content-Security-Policy) forbid others: it sends nothing anywhere, not even a question.
  if (url?.origin !== location.origin) throw expected("the address of a model on this server", address);
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw expected("a server that answers", address);
  }
  if (!response.ok) throw expected("the address of an ONNX file", `${address} (status ${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}
