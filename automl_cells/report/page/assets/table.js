// The table of candidates: sorted by a click or Enter on a heading, filtered by words and comparisons.
const body = document.querySelector(".candidates tbody");
const rows = [...body.rows];
const filter = document.getElementById("filter");
const shown = document.getElementById("shown");
let sorting = { column: "trial", descending: false };
let order = rows.map((_, place) => place);
const listeners = [];
page.order = () => order;
page.onOrder = (listener) => { listeners.push(listener); listener(); };

const texts = rows.map((row) => row.textContent.toLowerCase());
const columns = Object.keys(page.data.columns);

// "accuracy>97" → a test of a place; anything else is looked for in the row. A column is known by the beginning of its
// name or of its heading, and by the words of --pareto.
const aliases = new Map([["params", "parameters"]]);
const test = (word) => {
  const parts = /^([\p{L}\d_-]+)(<=|>=|<|>|=)(.+)$/u.exec(word);
  const known = !parts ? "" : columns.includes(parts[1]) ? parts[1] : aliases.get(parts[1]) ?? parts[1];
  const matching = parts ? columns.filter((name) => name.startsWith(known) || page.title(name).toLowerCase().startsWith(known)) : [];
  const column = matching.find((name) => name === known) ?? matching[0];
  if (!column) return (place) => texts[place].includes(word);
  const bound = Number(parts[3].replace(/[,%]/g, "").replace(/k$/, "e3").replace(/m$/, "e6"));
  return (place) => {
    const value = page.value(column, place);
    if (value === null) return false;
    if (Number.isNaN(bound) || typeof value !== "number") return parts[2] === "=" && String(value).toLowerCase() === parts[3];
    return { "<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound, "=": value === bound }[parts[2]];
  };
};

const compare = (one, other) => {
  const [a, b] = [page.value(sorting.column, one), page.value(sorting.column, other)];
  if (a === null || b === null) return (a === null) - (b === null) || one - other; // nothing comes last, either way
  const difference = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return (sorting.descending ? -difference : difference) || one - other;
};

const show = () => {
  const tests = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
  order = rows.map((_, place) => place).filter((place) => tests.every((passes) => passes(place))).sort(compare);
  body.replaceChildren(...order.map((place) => rows[place]));
  shown.textContent = `${order.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")}`;
  for (const listener of listeners) listener();
};

for (const head of document.querySelectorAll(".candidates thead th")) {
  const column = head.dataset.column;
  const button = page.make("button", { type: "button" }, head.textContent);
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const numeric = page.data.columns[column].some((value) => typeof value === "number");
    const descending = sorting.column === column ? !sorting.descending : numeric && column !== "trial";
    sorting = { column, descending };
    for (const other of document.querySelectorAll(".candidates thead th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    show();
  });
}
rows.forEach((row, place) => {
  const button = page.make("button", { type: "button", "aria-label": `Trial ${page.trials[place]}: show its drawing` }, String(page.trials[place]));
  row.cells[0].replaceChildren(button);
});
body.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (row && !String(getSelection())) page.open(rows.indexOf(row));
});
let waiting;
filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, rows.length > 500 ? 150 : 0); });
