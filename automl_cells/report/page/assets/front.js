// The candidates by two metrics, those that no other beats in both, and the best one under a limit.
const place = document.getElementById("front-chart");
const [across, up] = ["front-x", "front-y"].map((name) => document.getElementById(name));
const slider = document.getElementById("front-limit");
const output = document.getElementById("front-best");
const label = document.getElementById("front-limit-label");
const HEIGHT = 290, TOP = 26, BOTTOM = 40;
const axes = new Map(page.data.axes.map((axis) => [axis.name, axis]));
const guesses = new Set(page.data.guesses);

// An axis from the least to the largest value, logarithmic where these are far apart.
const scaleOf = (values) => {
  const low = Math.min(...values), high = Math.max(...values);
  const log = low > 0 && high > 20 * low;
  const [by, back] = log ? [Math.log10, (value) => 10 ** value] : [(value) => value, (value) => value];
  const margin = 0.04 * (by(high) - by(low)) || Math.abs(by(high)) * 0.05 || 1;
  const [from, to] = [by(low) - margin, by(high) + margin];
  const at = (value) => (by(value) - from) / (to - from);
  // Its ends are the values themselves: a logarithm and back would round them.
  const value = (share) => share <= 0 ? low : share >= 1 ? high : back(by(low) + share * (by(high) - by(low)));
  return { low, high, at, value, ticks: () => ticksOf(from, to, log) };
};

const ticksOf = (from, to, log) => {
  if (log) {
    const steps = to - from < 2.6 ? [1, 2, 5] : [1];
    const found = [];
    for (let power = Math.floor(from); power <= to; power++) for (const step of steps) {
      const value = step * 10 ** power;
      if (Math.log10(value) >= from && Math.log10(value) <= to) found.push(value);
    }
    return found;
  }
  const raw = (to - from) / 5, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= raw * 0.999);
  const found = [];
  for (let index = Math.ceil(from / step); index * step <= to; index++) found.push(Number((index * step).toPrecision(12)));
  return found;
};

// Those that no other beats, along the x axis. A candidate that was stopped early takes no part: its accuracy is a guess.
const frontOf = (points, x, y) => {
  const [left, above] = [x.maximised ? -1 : 1, y.maximised ? -1 : 1];
  const sorted = [...points].sort((one, other) => left * (one.x - other.x) || above * (one.y - other.y));
  const front = [];
  for (const point of sorted) {
    const last = front.at(-1);
    if (!last || above * point.y < above * last.y || (point.y === last.y && point.x === last.x)) front.push(point);
  }
  return front.sort((one, other) => one.x - other.x);
};

let shown = null;
const draw = () => {
  const [x, y] = [axes.get(across.value), axes.get(up.value)];
  const points = page.trials.map((trial, at) => ({ trial, at, x: page.value(x.name, at), y: page.value(y.name, at) }))
    .filter((point) => page.value("status", point.at) === "done" && !guesses.has(point.trial) && point.x !== null && point.y !== null);
  if (!points.length) {
    place.replaceChildren(page.make("p", { class: "none" }, "No candidate has both metrics."));
    shown = null;
    output.textContent = "";
    return;
  }
  const [sx, sy] = [scaleOf(points.map((point) => point.x)), scaleOf(points.map((point) => point.y))];
  const front = frontOf(points, x, y), best = new Set(front);
  const [left, top] = [(value) => `${(100 * sx.at(value)).toFixed(2)}%`, (value) => (TOP + HEIGHT * (1 - sy.at(value))).toFixed(1)];
  const words = `${points.length} candidates by ${x.title} and ${y.title}; ${front.length} of them are beaten by none in both.`;
  const svg = page.make("svg", { width: "100%", height: TOP + HEIGHT + BOTTOM, role: "img", "aria-label": words });
  for (const value of sy.ticks()) svg.append(
    page.make("line", { class: "grid", x1: 0, x2: "100%", y1: top(value), y2: top(value) }),
    page.make("text", { class: "tick y", x: -8, y: Number(top(value)) + 4 }, page.short(value)));
  for (const value of sx.ticks()) svg.append(page.make("text", { class: "tick x", x: left(value), y: TOP + HEIGHT + 17 }, page.short(value)));
  svg.append(page.make("line", { class: "axis", x1: 0, x2: "100%", y1: TOP + HEIGHT, y2: TOP + HEIGHT }));
  let d = "";
  front.forEach((point, index) => {
    const [h, v] = [(1000 * sx.at(point.x)).toFixed(1), (HEIGHT * (1 - sy.at(point.y))).toFixed(1)];
    d += !index ? `M${h} ${v}` : x.maximised ? `V${v}H${h}` : `H${h}V${v}`;
  });
  svg.append(page.make("svg", { class: "curves", x: 0, y: TOP, width: "100%", height: HEIGHT, viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none" }, page.make("path", { class: "front", d })));
  const beyond = page.make("rect", { class: "beyond", y: TOP, height: HEIGHT });
  const line = page.make("line", { class: "limit-line", y1: TOP, y2: TOP + HEIGHT });
  svg.append(beyond);
  const size = points.length <= 150 ? 4 : points.length <= 600 ? 3 : 2.3;
  for (const point of [...points.filter((point) => !best.has(point)), ...front]) {
    point.mark = page.make("circle", { class: best.has(point) ? "" : "beaten", "data-trial": point.trial, cx: left(point.x), cy: top(point.y), r: best.has(point) ? size + 1.2 : size });
    svg.append(point.mark);
  }
  const direction = (axis) => `${axis.title}, ${axis.maximised ? "higher" : "lower"} is better`;
  svg.append(line, page.make("text", { class: "title y", x: -46, y: TOP - 11 }, direction(y)), page.make("text", { class: "title x", x: "100%", y: TOP + HEIGHT + 34 }, direction(x)));
  const chart = page.make("div", { class: "chart" }, svg);
  place.replaceChildren(chart);
  page.marked(chart);
  shown = { x, y, sx, points, left, beyond, line };
  slider.value = x.maximised ? 0 : 1000;
  limit();
};

// The best one within the limit: best up, and of equal ones the better across.
const limit = () => {
  if (!shown) return;
  const { x, y, sx, points, left, beyond, line } = shown;
  const [last, bound] = [slider.value === (x.maximised ? "0" : "1000"), sx.value(slider.value / 1000)];
  const within = points.filter((point) => last || (x.maximised ? point.x >= bound : point.x <= bound));
  const [across, above] = [x.maximised ? -1 : 1, y.maximised ? -1 : 1];
  const best = within.sort((one, other) => above * (one.y - other.y) || across * (one.x - other.x))[0];
  const words = `${x.maximised ? "at least" : "at most"} ${page.number(bound > 100 ? Math.round(bound) : bound)}`;
  label.replaceChildren(`${page.named(x.name, 0)[0]} `, page.make("b", {}, last ? "without a limit" : words));
  slider.setAttribute("aria-valuetext", last ? "no limit" : words);
  for (const part of [beyond, line]) part.setAttribute("visibility", last ? "hidden" : "visible");
  for (const name of ["x1", "x2"]) line.setAttribute(name, left(bound));
  beyond.setAttribute("x", x.maximised ? "0" : left(bound));
  beyond.setAttribute("width", x.maximised ? left(bound) : `${(100 - parseFloat(left(bound))).toFixed(2)}%`);
  const inside = new Set(within);
  for (const point of points) {
    point.mark.classList.toggle("over", !inside.has(point));
    point.mark.classList.toggle("chosen", point === best);
  }
  if (!best) { output.textContent = "No candidate keeps this limit."; return; }
  const open = page.make("button", { type: "button", "data-opens": best.trial }, `trial ${best.trial}`);
  const [[top, value], [side, cost]] = [page.named(y.name, best.y), page.named(x.name, best.x)];
  output.replaceChildren("Best: ", open, ` ${top} `, page.make("b", {}, value), `, ${side} `, page.make("b", {}, cost));
};

for (const [select, wanted] of [[across, ["parameters", "flops", "seconds"]], [up, ["accuracy", "reward"]]]) {
  for (const axis of axes.values()) select.append(page.make("option", { value: axis.name }, axis.title));
  select.value = wanted.find((name) => axes.has(name)) ?? axes.keys().next().value ?? "";
  select.addEventListener("change", draw);
}
slider.addEventListener("input", limit);
if (axes.size) draw();
else {
  place.append(page.make("p", { class: "none" }, "Nothing has been measured yet."));
  for (const element of document.querySelectorAll("#front .controls, #front .limit")) element.hidden = true;
}
