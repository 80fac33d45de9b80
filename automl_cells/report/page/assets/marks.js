// Marks of the charts: a tooltip under the pointer, a click opens the candidate; with the keyboard, arrows go along a chart.
const tip = document.getElementById("tip");
let pointed = null;

const point = (mark) => {
  pointed?.classList.remove("pointed");
  document.querySelectorAll(".curves .shown").forEach((curve) => curve.classList.remove("shown"));
  pointed = mark;
  tip.hidden = !mark;
  if (!mark) return;
  const trial = Number(mark.dataset.trial ?? mark.dataset.curve);
  mark.classList.add("pointed");
  document.querySelectorAll(`.curves [data-curve="${trial}"]`).forEach((curve) => curve.classList.add("shown"));
  tip.textContent = page.about(page.place.get(trial));
  const box = mark.getBoundingClientRect();
  tip.hidden = box.bottom < 0 || box.top > innerHeight;
  const left = Math.min(box.right + 10, innerWidth - tip.offsetWidth - 8);
  tip.style.translate = `${Math.max(8, left)}px ${Math.max(8, Math.min(box.top - tip.offsetHeight - 6, innerHeight - tip.offsetHeight - 8))}px`;
};

const nearest = (chart, event) => {
  let found = null, least = 18 ** 2; // pixels
  for (const mark of chart.querySelectorAll("[data-trial]")) {
    const box = mark.getBoundingClientRect();
    const distance = (box.x + box.width / 2 - event.clientX) ** 2 + (box.y + box.height / 2 - event.clientY) ** 2;
    if (distance < least) [found, least] = [mark, distance];
  }
  return found;
};

const marksOf = (chart) => [...chart.querySelectorAll("[data-trial]")].sort((one, other) =>
  one.getBoundingClientRect().x - other.getBoundingClientRect().x || Number(one.dataset.trial) - Number(other.dataset.trial));

page.marked = (chart) => {
  chart.tabIndex = 0;
  chart.setAttribute("role", "application");
  chart.setAttribute("aria-roledescription", "chart");
  chart.setAttribute("aria-label", `${chart.querySelector("svg").getAttribute("aria-label")} Arrows go from mark to mark, Enter opens one.`);
  let frame = 0;
  chart.addEventListener("pointermove", (event) => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => { const mark = nearest(chart, event); if (mark !== pointed) point(mark); });
  });
  chart.addEventListener("pointerleave", () => { cancelAnimationFrame(frame); point(null); });
  chart.addEventListener("blur", () => point(null));
  chart.addEventListener("click", (event) => {
    const mark = nearest(chart, event);
    if (mark) page.open(page.place.get(Number(mark.dataset.trial)));
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (step) {
      const marks = marksOf(chart), now = marks.indexOf(pointed);
      point(marks[now < 0 ? (step > 0 ? 0 : marks.length - 1) : Math.max(0, Math.min(marks.length - 1, now + step))] ?? null);
      event.preventDefault();
    } else if (event.key === "Home" || event.key === "End") {
      point(marksOf(chart).at(event.key === "Home" ? 0 : -1) ?? null);
      event.preventDefault();
    } else if (event.key === "Enter" && pointed) {
      page.open(page.place.get(Number(pointed.dataset.trial)));
    } else if (event.key === "Escape") {
      point(null);
    }
  });
};
// What the keyboard has pointed at keeps its words: a chart that gets the focus may still be scrolling into view.
addEventListener("scroll", () => point(pointed?.closest(".chart") === document.activeElement ? pointed : null), { passive: true });
for (const chart of document.querySelectorAll("#search-chart, #learning-chart")) page.marked(chart);
