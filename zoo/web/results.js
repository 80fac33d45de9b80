// What the page says about a picture and a model: bars, and a list of facts.

const TOP = 5;

/** @param {number} share from 0 to 1 */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/**
 * The most likely classes as bars.
 *
 * @param {HTMLOListElement} list
 * @param {string[]} labels
 * @param {number[]} probabilities in the order of the labels
 * @returns {string} the first class in words
 */
export function showClasses(list, labels, probabilities) {
  const order = probabilities.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]);
  list.replaceChildren(
    ...order.slice(0, TOP).map((index) => {
      const item = document.createElement("li");
      item.dataset.label = labels[index];
      item.dataset.probability = String(probabilities[index]);
      const bar = element("span", "bar", "");
      bar.style.inlineSize = `${100 * probabilities[index]}%`;
      const track = element("span", "track", "");
      track.append(bar);
      item.append(element("span", "label", labels[index]), element("span", "share", percent(probabilities[index])), track);
      return item;
    }),
  );
  return `${labels[order[0]]}, ${percent(probabilities[order[0]])}`;
}

/**
 * @param {HTMLDListElement} list
 * @param {[string, string][]} rows
 */
export function showFacts(list, rows) {
  list.replaceChildren(
    ...rows.map(([term, fact]) => {
      const pair = element("div", "", "");
      pair.append(element("dt", "", term), element("dd", "", fact));
      return pair;
    }),
  );
}

/**
 * @param {string} tag
 * @param {string} name of the class
 * @param {string} text
 */
function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}
