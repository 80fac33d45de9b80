// A reader for the one part of an ONNX file that onnxruntime-web keeps to itself: ModelProto.metadata_props.
//
// An ONNX file is one protobuf message: (field number, wire type) keys, each followed by its value. Everything but
// field 14 is skipped by its length, so a file of many megabytes is read in a few dozen steps.

import { expected } from "./errors.js";

const METADATA_PROPS = 14; // of ModelProto: repeated StringStringEntryProto
const GRAPH = 7; // of ModelProto; a file without a graph is no model
const KEY = 1; // of StringStringEntryProto
const VALUE = 2;

/**
 * The metadata of an ONNX file.
 *
 * @param {Uint8Array} bytes the whole file
 * @returns {Map<string, string>}
 * @throws {import("./errors.js").InputError} not an ONNX file
 */
export function readProperties(bytes) {
  const properties = new Map();
  let graph = false;
  for (const { field, value } of fields(bytes)) {
    graph ||= field === GRAPH && value !== null;
    if (field !== METADATA_PROPS || value === null) continue;
    const entry = new Map([...fields(value)].map((part) => [part.field, part.value]));
    properties.set(text(entry.get(KEY)), text(entry.get(VALUE)));
  }
  if (!graph) throw notOnnx("a file without a graph");
  return properties;
}

/**
 * The fields of a message in order; `value` is null for numbers, which nobody here asks for.
 *
 * @param {Uint8Array} bytes
 * @returns {Generator<{field: number, value: Uint8Array | null}>}
 */
function* fields(bytes) {
  let at = 0;
  /** A number in the base 128, lowest digits first; multiplied, since shifts end at 32 bits. */
  const varint = () => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      if (at >= bytes.length) throw notOnnx("a file that ends too early");
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw notOnnx("a file of another format");
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (field === 0 || ![0, 1, 2, 5].includes(wire)) throw notOnnx("a file of another format");
    if (wire === 0) {
      varint();
      yield { field, value: null };
      continue;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : varint();
    if (at + length > bytes.length) throw notOnnx("a file that ends too early, or of another format");
    yield { field, value: wire === 2 ? bytes.subarray(at, at + length) : null };
    at += length;
  }
}

/** @param {Uint8Array | null | undefined} bytes */
function text(bytes) {
  return bytes ? new TextDecoder().decode(bytes) : "";
}

/** @param {string} received */
function notOnnx(received) {
  return expected("an ONNX file", received);
}
