// A pad to draw on with mouse, finger or pen.

import { withoutAlpha } from "./picture.js";

const STROKE = 0.085; // the width of a stroke, as part of the pad: about that of MNIST's digits

export class DrawingPad {
  #canvas;
  #context;
  #ink = "white";
  #paper = "black";
  #last = { x: 0, y: 0 };
  /** @type {number | null} the pointer that draws; other fingers wait */
  #pointer = null;
  #empty = true;
  #changed;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} changed called after each stroke
   */
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    this.#changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#end(event));
    canvas.addEventListener("pointercancel", (event) => this.#end(event));
    this.clear();
  }

  /** Nothing has been drawn since the pad was cleared. */
  get empty() {
    return this.#empty;
  }

  /** What is on the pad, in colour. @returns {import("./resize.js").Pixels} */
  get pixels() {
    return withoutAlpha(this.#context.getImageData(0, 0, this.#canvas.width, this.#canvas.height));
  }

  /**
   * White chalk on black, as the digits are drawn that grey networks learnt, or a dark pen on white.
   *
   * @param {boolean} chalk
   */
  use(chalk) {
    [this.#ink, this.#paper] = chalk ? ["white", "black"] : ["#222", "white"];
    this.clear();
  }

  /** Empty paper. */
  clear() {
    this.#context.fillStyle = this.#paper;
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#empty = true;
    this.#pointer = null;
  }

  /**
   * Show a picture in place of a drawing; the next stroke begins on empty paper.
   *
   * @param {CanvasImageSource & {width: number, height: number}} picture
   */
  show(picture) {
    this.clear();
    const { width, height } = this.#canvas;
    const scale = Math.min(width / picture.width, height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    this.#context.imageSmoothingEnabled = scale < 2; // a small picture shows its pixels
    this.#context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    if (this.#empty) this.clear(); // a picture may be shown
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId); // a stroke may leave the pad and come back
    this.#last = this.#place(event);
    this.#line(this.#last); // a dot, if nothing follows
    this.#empty = false;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.#line(this.#place(each));
  }

  /** @param {PointerEvent} event */
  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#changed();
  }

  /** Where on the canvas an event is; the page shows the canvas in another size. @param {PointerEvent} event */
  #place(event) {
    const shown = this.#canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - shown.left) * this.#canvas.width) / shown.width,
      y: ((event.clientY - shown.top) * this.#canvas.height) / shown.height,
    };
  }

  /** @param {{x: number, y: number}} to */
  #line(to) {
    const context = this.#context;
    context.strokeStyle = this.#ink;
    context.lineWidth = STROKE * this.#canvas.width;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(this.#last.x, this.#last.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.#last = to;
  }
}
