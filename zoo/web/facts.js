// What a model file says about itself, checked: without it nobody knows how to feed the network.

import { expected } from "./errors.js";

/**
 * @typedef {object} Facts
 * @property {string} name
 * @property {string} version
 * @property {string[]} labels one a class, in the order of the outputs
 * @property {number[]} mean per channel, what to subtract from the pixels; zeros if the network does it by itself
 * @property {number[]} std per channel, what to divide by; ones if the network does it by itself
 * @property {[number, number]} range the values of black and white in the training data
 * @property {boolean} logits the outputs still need a softmax
 * @property {[string, string][]} shown what a visitor may want to know, as (term, description)
 */

/**
 * @param {Map<string, string>} said the file's metadata
 * @param {number} channels of the input
 * @param {string} output the name of the output, which says what it is where the metadata do not
 * @returns {Facts}
 * @throws {import("./errors.js").InputError} something needed is missing
 */
export function readFacts(said, channels, output) {
  if ((said.get("output") ?? output) === "features") {
    throw expected("a classifier", `${said.get("name") ?? "a model"}, whose output is features`);
  }
  const inside = said.get("preprocessing") === "inside";
  return {
    name: said.get("name") ?? "unnamed",
    version: said.get("version") ?? "",
    labels: list(said, "labels", "string"),
    mean: inside ? Array(channels).fill(0) : list(said, "input_mean", "number", channels),
    std: inside ? Array(channels).fill(1) : list(said, "input_std", "number", channels),
    range: /** @type {[number, number]} */ (said.has("pixel_range") ? list(said, "pixel_range", "number", 2) : [0, 255]),
    logits: (said.get("output") ?? output) === "logits",
    shown: shown(said),
  };
}

/**
 * A list under a key, of this type and length.
 *
 * @param {Map<string, string>} said
 * @param {string} key
 * @param {"string" | "number"} type
 * @param {number} [length]
 * @returns {any[]}
 */
function list(said, key, type, length) {
  let values;
  try {
    values = JSON.parse(said.get(key) ?? "");
  } catch {
    values = null;
  }
  const fits = Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === type);
  if (!fits || (length !== undefined && values.length !== length)) {
    throw expected(
      `a file whose metadata say how to feed it (a list of ${length ?? "one or more"} under “${key}”)`,
      said.get(key) ?? "nothing",
    );
  }
  return values;
}

/**
 * @param {Map<string, string>} said
 * @returns {[string, string][]}
 */
function shown(said) {
  /** @type {[string, string | undefined][]} */
  const rows = [
    ["Version", said.get("version")],
    ["Stored as", said.has("quantization") ? "int8" : "float32"],
    ["Accuracy", percent(said.get("accuracy_int8") ?? said.get("test_accuracy"))],
    ["Differs from Keras by", parity(said)],
    ["Genotype", said.get("genotype_sha256")?.slice(0, 12)],
    ["Operator set", said.get("opset")],
  ];
  return /** @type {[string, string][]} */ (rows.filter(([, value]) => value));
}

/** @param {string | undefined} value */
function percent(value) {
  return value && Number.isFinite(Number(value)) ? `${Number(value)} %` : value;
}

/** @param {Map<string, string>} said */
function parity(said) {
  const [difference, images] = [said.get("parity_max_abs"), said.get("parity_images")];
  return difference && `at most ${difference}${images ? ` on ${images} images` : ""}`;
}
