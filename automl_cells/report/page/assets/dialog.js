// One candidate: its numbers, its drawing, its learning curve, its genotype to copy; arrows go to its neighbours.
const dialog = document.getElementById("candidate");
let opened = null;

const curveOf = (curve) => {
  if (curve.length < 2) return [];
  const low = Math.min(...curve), range = Math.max(...curve) - low || 1;
  const points = curve.map((value, epoch) => `${(1000 * epoch) / (curve.length - 1)} ${60 - (58 * (value - low)) / range}`);
  const picture = page.make("svg", { class: "curves", width: "100%", height: 62, viewBox: "0 0 1000 62", preserveAspectRatio: "none", "aria-hidden": "true" },
    page.make("path", { class: "best", d: `M${points.join("L")}` }));
  const words = `Validation accuracy after ${curve.length} epochs: ${page.number(curve[0])} % to ${page.number(curve.at(-1))} %, at most ${page.number(Math.max(...curve))} %`;
  return [page.make("p", { class: "hint" }, words), picture];
};

const fill = async (place) => {
  opened = place;
  const { genotype, curve } = await page.unpacked(place);
  const drawing = await page.draw(place, page.make("div", { class: "drawing scroll", tabindex: "0", role: "region", "aria-label": "Drawing" }));
  if (opened !== place) return;
  const facts = page.make("dl", { class: "facts" });
  for (const name of Object.keys(page.data.columns)) {
    const value = page.value(name, place);
    if (name === "trial" || value === null) continue;
    const [called, words] = page.named(name, value);
    facts.append(page.make("span", {}, page.make("dt", {}, called), page.make("dd", {}, words)));
  }
  const copy = page.make("button", { type: "button" }, "Copy the genotype");
  copy.addEventListener("click", () => page.copy(genotype, copy));
  const close = page.make("button", { type: "button", "aria-label": "Close" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    page.make("div", { class: "top" }, page.make("h2", { id: "candidate-heading" }, `Trial ${page.trials[place]}`), close),
    facts, drawing, ...curveOf(curve), page.make("div", { class: "row" }, copy));
  if (dialog.open) close.focus(); // what had the focus is gone, and keys would go elsewhere
};

page.open = async (place) => {
  await fill(place);
  if (!dialog.open) dialog.showModal();
};

dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.target.closest(".drawing")) return;
  const order = page.order();
  const next = order[order.indexOf(opened) + step];
  if (next !== undefined) fill(next);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }); // beside it
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens]");
  if (button) page.open(page.place.get(Number(button.dataset.opens)));
  // A link to a row that the filter or the drawings hide opens the candidate instead.
  const link = event.target.closest('a[href^="#trial-"]');
  if (link && !document.querySelector(link.hash)?.getClientRects().length) {
    event.preventDefault();
    page.open(page.place.get(Number(link.hash.replace("#trial-", ""))));
  }
});
