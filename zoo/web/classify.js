// A model file → a network that is ready; pixels → the probability of every class. The work is done by onnxruntime-web,
// in WebAssembly on this machine's CPU: no GPU rounds the results.

import { InputError, expected } from "./errors.js";
import { readFacts } from "./facts.js";
import { readProperties } from "./protobuf.js";

const RUNTIME = new URL("./node_modules/onnxruntime-web/dist/", import.meta.url).href;
const MAX_THREADS = 4; // networks this small gain nothing from more

/**
 * @typedef {object} Model
 * @property {any} session of onnxruntime-web
 * @property {import("./facts.js").Facts} facts
 * @property {number | null} height null if the file leaves it open
 * @property {number | null} width
 * @property {number} channels 1 (grey) or 3 (red, green, blue)
 * @property {"float32" | "uint8"} type of the input
 */

/** @type {Promise<any> | undefined} */
let loading;

/** onnxruntime-web, loaded when it is first needed. */
function runtime() {
  loading ??= import(`${RUNTIME}ort.wasm.min.mjs`).then(
    (ort) => {
      ort.env.wasm.wasmPaths = RUNTIME; // by default it would ask a server elsewhere
      // Threads share memory, which browsers allow only to pages that have shut themselves off (COOP and COEP).
      ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency) : 1;
      return ort;
    },
    () => {
      loading = undefined;
      throw expected("onnxruntime-web beside this page (npm install in its folder)", "no such files");
    },
  );
  return loading;
}

/**
 * Make a network ready, and run it once: the first run is slow, and what does not fit shows at once.
 *
 * @param {Uint8Array} bytes an ONNX file
 * @returns {Promise<Model>}
 * @throws {InputError} not a file that this page can use
 */
export async function openModel(bytes) {
  const said = readProperties(bytes); // before the runtime, whose messages are for programmers
  const ort = await runtime();
  let session;
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  } catch (error) {
    throw expected("an ONNX file that onnxruntime-web runs", error instanceof Error ? error.message : error);
  }
  try {
    const model = describe(session, said);
    await classify(model, new Uint8ClampedArray((model.height ?? 32) * (model.width ?? 32) * model.channels), 32);
    return model;
  } catch (error) {
    await session.release();
    throw error;
  }
}

/**
 * @param {any} session
 * @param {Map<string, string>} said
 * @returns {Model}
 */
function describe(session, said) {
  const [input, output] = [session.inputMetadata[0], session.outputMetadata[0]];
  const types = ["float32", "uint8"];
  if (session.inputNames.length !== 1 || session.outputNames.length !== 1 || input.shape?.length !== 4) {
    throw expected("one batch of images as input and one output", `${session.inputNames} → ${session.outputNames}`);
  }
  if (!types.includes(input.type)) throw expected(`an input of ${types.join(" or ")}`, input.type);
  const [, height, width, channels] = input.shape;
  if (channels !== 1 && channels !== 3) throw expected("an input of 1 or 3 channels, in the last axis", channels);
  if (input.type === "uint8" && said.get("preprocessing") !== "inside") {
    throw expected("preprocessing “inside” of a uint8 input", said.get("preprocessing") ?? "nothing");
  }
  const facts = readFacts(said, channels, output.name);
  return { session, facts, height: fixed(height), width: fixed(width), channels, type: input.type };
}

/** An axis of the input: a number if it is fixed, a name if it is open. @param {number | string} axis */
function fixed(axis) {
  return typeof axis === "number" && axis > 0 ? axis : null;
}

/**
 * @param {Model} model
 * @param {Uint8ClampedArray} pixels height × width × channels, 0 black and 255 white
 * @param {number} side of the picture, where the file leaves it open
 * @returns {Promise<{probabilities: number[], milliseconds: number}>} in the order of the labels
 * @throws {InputError} the network does not give one value a label
 */
export async function classify(model, pixels, side) {
  const ort = await runtime();
  const { session, facts, channels } = model;
  const shape = [1, model.height ?? side, model.width ?? side, channels];
  const input = new ort.Tensor(model.type, normalised(model, pixels), shape);
  const start = performance.now();
  let outputs;
  try {
    outputs = await session.run({ [session.inputNames[0]]: input });
  } catch (error) {
    throw expected("pictures of a size that the network takes", error instanceof Error ? error.message : error);
  }
  const milliseconds = performance.now() - start;
  const values = Array.from(outputs[session.outputNames[0]].data, Number);
  if (values.length !== facts.labels.length) {
    throw expected(`an output for each of ${facts.labels.length} labels`, `${values.length} outputs`);
  }
  return { probabilities: facts.logits ? softmax(values) : values, milliseconds };
}

/**
 * Pixels as the network takes them: in the range of its training data, then normalised unless the network does that.
 *
 * @param {Model} model
 * @param {Uint8ClampedArray} pixels
 */
function normalised({ facts, channels, type }, pixels) {
  const { mean, std, range } = facts;
  const values = type === "uint8" ? new Uint8ClampedArray(pixels.length) : new Float32Array(pixels.length);
  for (let index = 0; index < pixels.length; index++) {
    const channel = index % channels;
    const value = range[0] + (pixels[index] / 255) * (range[1] - range[0]);
    values[index] = (value - mean[channel]) / std[channel]; // a clamped array rounds halves to even, like NumPy
  }
  return type === "uint8" ? new Uint8Array(values.buffer) : values;
}

/** @param {number[]} logits */
function softmax(logits) {
  const most = Math.max(...logits); // taken off, so that nothing overflows
  const powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
