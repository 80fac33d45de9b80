// Buttons that copy the text of an element, or what a part of the page gives them.
page.copy = async (text, button) => {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed here, or a page that is not from a secure place
    const area = page.make("textarea", { readonly: "", "aria-hidden": "true" });
    area.value = text;
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copies]");
  if (button && button.textContent !== "Copied") page.copy(document.getElementById(button.dataset.copies).textContent, button);
});
