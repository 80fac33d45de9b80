// The page: which model, which picture, and what comes out.

import { centred } from "./centre.js";
import { classify, openModel } from "./classify.js";
import { DrawingPad } from "./drawing.js";
import { InputError, expected } from "./errors.js";
import { download, listModels } from "./models.js";
import { decode, grey, inverted, toImageData } from "./picture.js";
import { fit } from "./resize.js";
import { showClasses, showFacts } from "./results.js";

/** @template {HTMLElement} T @param {string} id @returns {T} */
const get = (id) => /** @type {T} */ (document.getElementById(id));

const page = {
  alert: get("alert"),
  status: get("status"),
  models: /** @type {HTMLSelectElement} */ (get("models")),
  modelFile: /** @type {HTMLInputElement} */ (get("model-file")),
  pictureFile: /** @type {HTMLInputElement} */ (get("picture-file")),
  clear: get("clear"),
  invert: /** @type {HTMLInputElement} */ (get("invert")),
  side: /** @type {HTMLInputElement} */ (get("side")),
  facts: /** @type {HTMLDListElement} */ (get("facts")),
  classes: /** @type {HTMLOListElement} */ (get("classes")),
  seen: /** @type {HTMLCanvasElement} */ (get("seen")),
  time: get("time"),
};

/** @type {import("./classify.js").Model | null} */
let model = null;
/** @type {import("./resize.js").Pixels | null} a chosen picture, in colour; null for what is drawn */
let picture = null;
/** @type {Map<string, File>} model files from the visitor's disk */
const files = new Map();
const pad = new DrawingPad(/** @type {HTMLCanvasElement} */ (get("pad")), () => {
  picture = null;
  update();
});

/** Tasks run one after the other, since a session takes one picture at a time; of a kind only the newest is run. */
let queue = Promise.resolve();
/** @type {Record<string, number>} */
const newest = { model: 0, picture: 0, classes: 0 };

/** @param {"model" | "picture" | "classes"} kind @param {() => Promise<void>} task */
function enqueue(kind, task) {
  const number = ++newest[kind];
  queue = queue.then(async () => {
    if (number !== newest[kind]) return;
    try {
      await task();
    } catch (error) {
      complain(error);
    }
  });
}

/** @param {unknown} error */
function complain(error) {
  if (!(error instanceof InputError)) console.error(error);
  page.alert.textContent = error instanceof Error ? error.message : String(error);
  page.alert.hidden = false;
  page.status.textContent = "";
}

/** @param {string} text */
function say(text) {
  page.alert.hidden = true;
  page.status.textContent = text;
}

/** The pixels for the network; null if there is nothing to classify. @param {number} width @param {number} height */
function prepared(width, height) {
  const isGrey = model?.channels === 1;
  if (!picture) {
    if (pad.empty) return null;
    return isGrey ? centred(grey(pad.pixels), width, height) : fit(pad.pixels, width, height);
  }
  const fitted = fit(isGrey ? grey(picture) : picture, width, height);
  return isGrey && page.invert.checked ? inverted(fitted) : fitted;
}

/** Classify what is on the page now. */
function update() {
  enqueue("classes", async () => {
    if (!model) return;
    const side = page.side.valueAsNumber;
    if (!page.side.checkValidity()) throw expected("a side from 8 to 1024 pixels", page.side.value || "nothing");
    const pixels = prepared(model.width ?? side, model.height ?? side);
    if (!pixels) return blank();
    page.seen.width = pixels.width;
    page.seen.height = pixels.height;
    page.seen.getContext("2d")?.putImageData(toImageData(pixels), 0, 0);
    const { probabilities, milliseconds } = await classify(model, pixels.data, side);
    const first = showClasses(page.classes, model.facts.labels, probabilities);
    page.time.textContent = `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms for one inference`;
    document.body.dataset.state = "classified";
    say(`Most likely: ${first}.`);
  });
}

/** Nothing to show yet. */
function blank() {
  page.classes.replaceChildren();
  page.time.textContent = "";
  page.seen.width = page.seen.width; // setting it, even to the same, empties a canvas
  document.body.dataset.state = model ? "ready" : "empty";
  say(model ? "Ready: draw, or choose a picture." : "");
}

/** @param {string} name @param {() => Promise<Uint8Array>} read */
function useModel(name, read) {
  document.body.dataset.state = "loading";
  say(`Loading ${name} …`);
  enqueue("model", async () => {
    const old = model;
    model = null;
    await old?.session.release();
    blank();
    showFacts(page.facts, []);
    document.body.dataset.state = "empty";
    const opened = await openModel(await read());
    const chalk = opened.channels === 1;
    if (!picture && (!old || (old.channels === 1) !== chalk)) pad.use(chalk); // a drawing of the other kind is lost
    model = opened;
    const open = opened.height === null || opened.width === null;
    get("side-row").hidden = !open;
    get("invert-row").hidden = !chalk;
    const size = open ? "any size" : `${opened.width} × ${opened.height}`;
    showFacts(page.facts, [
      ["Name", opened.facts.name],
      ["Pictures", `${size}, ${chalk ? "grey" : "colour"}`],
      ["Classes", String(opened.facts.labels.length)],
      ...opened.facts.shown,
    ]);
    update();
  });
}

/** @param {File} file */
function useModelFile(file) {
  const value = `file:${file.name}`;
  if (!files.has(value)) page.models.append(new Option(`${file.name} (from your disk)`, value));
  files.set(value, file);
  page.models.value = value;
  useModel(file.name, async () => new Uint8Array(await file.arrayBuffer()));
}

/** @param {File} file */
function usePicture(file) {
  enqueue("picture", async () => {
    const decoded = await decode(file);
    const shown = new OffscreenCanvas(decoded.width, decoded.height);
    shown.getContext("2d")?.putImageData(toImageData(decoded), 0, 0);
    pad.show(shown);
    picture = decoded;
    if (!model) say("Now choose a model.");
    update();
  });
}

/** @param {File | undefined | null} file dropped, pasted or chosen */
function useFile(file) {
  if (!file) return;
  if (file.name.toLowerCase().endsWith(".onnx")) useModelFile(file);
  else usePicture(file);
}

/** @param {HTMLInputElement} input @param {(file: File) => void} use */
function whenChosen(input, use) {
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // so that the same file can be chosen again
    if (file) use(file);
  });
}

function listen() {
  page.models.addEventListener("change", () => {
    const { value } = page.models;
    const file = files.get(value);
    if (file) return useModelFile(file);
    history.replaceState(null, "", `?${new URLSearchParams({ model: value })}`); // the address names what is shown
    useModel(value, () => download(value));
  });
  whenChosen(page.modelFile, useModelFile);
  whenChosen(page.pictureFile, usePicture);
  page.invert.addEventListener("change", update);
  page.side.addEventListener("change", update);
  page.clear.addEventListener("click", () => {
    picture = null;
    pad.clear();
    update();
  });
  document.addEventListener("dragover", (event) => event.preventDefault()); // else the browser opens what is dropped
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    useFile(event.dataTransfer?.files[0]);
  });
  document.addEventListener("paste", (event) => useFile(event.clipboardData?.files[0]));
}

async function start() {
  listen();
  const listed = await listModels();
  page.models.replaceChildren(
    ...listed.map(({ name, file, bytes }) => new Option(bytes ? `${name} · ${(bytes / 1e6).toFixed(1)} MB` : name, file)),
  );
  const wanted = new URLSearchParams(location.search).get("model") ?? listed[0]?.file;
  if (!wanted) {
    page.models.append(new Option("none yet", ""));
    return say("Choose an ONNX file.");
  }
  if (![...page.models.options].some((option) => option.value === wanted)) page.models.append(new Option(wanted));
  page.models.value = wanted;
  useModel(wanted, () => download(wanted));
}

start();
