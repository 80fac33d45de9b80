// Drawings, genotypes and learning curves are packed; some trials are unpacked together when one of them is looked at.
const chunks = new Map();
const inflate = async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

// → {svg, genotype, curve} of the trial at a place of the table.
page.unpacked = async (place) => {
  const index = Math.floor(place / page.data.chunk);
  if (!chunks.has(index)) chunks.set(index, inflate(page.data.packed[index]));
  const [svg, genotype, curve] = (await chunks.get(index))[place % page.data.chunk];
  return { svg, genotype, curve };
};

// An element with the drawing in it; the SVG was made by this package, with every text escaped.
page.draw = async (place, element) => {
  const { svg } = await page.unpacked(place);
  element.innerHTML = svg;
  return element;
};
