// Light, dark or as the system has it; kept for the next visit where the browser allows it.
const button = document.getElementById("theme");
const order = ["system", "light", "dark"];
const stored = () => { try { return localStorage.getItem("automl_cells-theme"); } catch { return null; } };
const show = (theme) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.querySelector("span").textContent = theme;
  button.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system" : theme}`);
};
let theme = order.includes(stored()) ? stored() : "system";
show(theme);
button.addEventListener("click", () => {
  theme = order[(order.indexOf(theme) + 1) % order.length];
  show(theme);
  try { localStorage.setItem("automl_cells-theme", theme); } catch { /* a page from a file may have no storage */ }
});
