// What all parts share: the data, numbers as people read them, and elements made without markup in strings.
document.documentElement.classList.add("with-script");
const data = JSON.parse(document.getElementById("data").textContent);
const trials = data.columns.trial ?? [];
const page = {
  data,
  trials,
  place: new Map(trials.map((trial, place) => [trial, place])),
  value: (name, place) => data.columns[name]?.[place] ?? null,
};

const fractional = new Set(Object.keys(data.columns).filter((name) => data.columns[name].some((value) => typeof value === "number" && !Number.isInteger(value))));
const decimals = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
// A number with its digits in groups; in a column that has fractions all have two decimals.
page.number = (value, column) => {
  if (typeof value !== "number") return value ?? "";
  if (Math.abs(value) >= 1e15) return String(Number(value.toPrecision(4)));
  if (Number.isInteger(value) && !fractional.has(column)) return value.toLocaleString("en-US");
  if (value && Math.abs(value) < 0.1) return String(Number(value.toPrecision(2)));
  return value.toLocaleString("en-US", decimals);
};

page.short = (value) => {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return Number((value / size).toPrecision(3)) + letter;
  }
  return String(Number(value.toPrecision(4)));
};

page.make = (name, attributes = {}, ...children) => {
  const svg = ["svg", "circle", "line", "path", "rect", "text"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

page.title = (name) => document.querySelector(`th[data-column="${CSS.escape(name)}"]`)?.textContent ?? name;

// What a value of a column is called, and the value with its unit: ["accuracy", "97.22 %"].
page.named = (column, value) => {
  const [name, unit] = page.title(column).split(", ");
  return [name, `${page.number(value, column)}${unit ? ` ${unit}` : ""}`];
};

// "trial 12: reward 95.99, accuracy 96.13": for tooltips and for those who do not see the charts.
page.about = (place) => {
  const parts = ["reward", "accuracy", "parameters"]
    .filter((name) => page.value(name, place) !== null)
    .map((name) => `${name} ${page.number(page.value(name, place), name)}`);
  const note = page.value("note", place);
  return `trial ${page.trials[place]}, ${page.value("status", place)}\n${parts.join(", ")}${note ? `\n${note}` : ""}`;
};

globalThis.page = page;
