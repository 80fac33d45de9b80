// The candidates as drawings, in the order of the table; each is drawn when it comes into view.
const gallery = document.getElementById("drawings-view");
const buttons = { table: document.getElementById("view-table"), drawings: document.getElementById("view-drawings") };
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    page.draw(Number(target.dataset.place), target.querySelector(".drawing"));
  }
}, { root: gallery, rootMargin: "300px" });

const miniature = (place) => {
  const reward = page.value("reward", place);
  const right = page.value("status", place) === "failed" ? "failed" : reward === null ? "" : page.number(reward, "reward");
  const card = page.make("button", { type: "button", class: "miniature", "data-opens": page.trials[place], "data-place": place },
    page.make("span", {}, page.make("b", {}, `Trial ${page.trials[place]}`), page.make("span", {}, right)),
    page.make("span", { class: "drawing" }));
  seen.observe(card);
  return card;
};

const fill = () => { if (!gallery.hidden) { seen.disconnect(); gallery.replaceChildren(...page.order().map(miniature)); } };
const choose = (view) => {
  gallery.hidden = view !== "drawings";
  document.getElementById("table-view").hidden = view !== "table";
  for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === view));
  fill();
};
buttons.table.addEventListener("click", () => choose("table"));
buttons.drawings.addEventListener("click", () => choose("drawings"));
page.onOrder(fill);
