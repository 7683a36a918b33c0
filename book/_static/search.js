// Looks up what was asked for in the text of every section; course/search.py makes the index,
//   [[address, title, [[anchor, heading, [block, ...]], ...]], ...]
// All words have to be there. Sections that have them whole stand before those where they only begin
// a word; nothing is found inside one, `not` has no hit in `cannot`.
const list = document.getElementById("search-results");
const field = document.querySelector(".bd-search-container input");
const MOST = 40; // hits that are shown
const ROOT = document.documentElement.dataset.content_root ?? "./";
const WEIGHTS = { heading: 8, title: 3, text: 1 };
const special = /[.*+?^${}()|[\]\\]/g;

// A word as it is written, or one that begins so; each counts for what it is worth.
function patterns(word) {
  const begin = `(?<![\\p{L}\\p{N}_])${word.replace(special, "\\$&")}`;
  return { whole: new RegExp(`${begin}(?![\\p{L}\\p{N}_])`, "giu"), part: new RegExp(begin, "giu") };
}

function count(text, pattern) {
  return text.match(pattern)?.length ?? 0;
}

// What a section is worth to a query: nothing where a word is missing.
function score(words, title, [, heading, blocks]) {
  const places = { heading, title, text: blocks.join("\n") };
  let [whole, sum] = [0, 0];
  for (const word of words) {
    let [best, exact] = [0, false];
    for (const [place, weight] of Object.entries(WEIGHTS)) {
      const times = count(places[place], word.whole);
      const begun = count(places[place], word.part);
      if (times && place !== "title") exact = true;
      best += weight * (Math.log2(1 + times) + 0.2 * Math.log2(1 + begun));
    }
    if (!count(places.heading, word.part) && !count(places.text, word.part)) return null;
    whole += exact;
    sum += best;
  }
  const named = names(heading).includes(words.map((word) => word.text.toLowerCase()).join(" "));
  return { whole, sum: sum + 20 * named, named };
}

// An entry of the glossary may have several names.
function names(heading) {
  return heading.toLowerCase().split(", ");
}

// Hits, best first; behind them those for the other names of what was asked for.
function find(query) {
  const words = query.split(/\s+/).filter(Boolean).map((text) => ({ text, ...patterns(text) }));
  if (!words.length) return { words, hits: [] };
  const found = look(words);
  const others = found.hits.filter((hit) => hit.named).flatMap((hit) => names(hit.section[1]));
  for (const other of others.filter((name) => name !== query.toLowerCase())) {
    const more = look(other.split(" ").map((text) => ({ text, ...patterns(text) })));
    const known = new Set(found.hits.map((hit) => hit.section));
    found.words.push(...more.words);
    found.hits.push(...more.hits.filter((hit) => !known.has(hit.section)));
  }
  return found;
}

function look(words) {
  const hits = [];
  for (const [address, title, sections] of window.courseIndex) {
    for (const section of sections) {
      const worth = score(words, title, section);
      if (worth) hits.push({ address, title, section, ...worth });
    }
  }
  hits.sort((a, b) => b.whole - a.whole || b.sum - a.sum);
  return { words, hits };
}

// The sentence with most of the words, whole ones first; of an entry that is asked for, the first.
function sentence(words, blocks, named) {
  let [best, most] = [blocks[0] ?? "", -1];
  if (named) return best;
  for (const block of blocks) {
    for (const text of block.split(/(?<=[.?!:])\s+(?=[\p{Lu}"“(])|\n/u)) {
      const found = words.reduce((n, w) => n + 2 * (count(text, w.whole) > 0) + (count(text, w.part) > 0), 0);
      if (found > most) [best, most] = [text, found];
    }
  }
  return best.trim();
}

// Puts a text into an element, with the words marked.
function mark(element, text, words) {
  const any = new RegExp(words.map((word) => `(?:${word.part.source})[\\p{L}\\p{N}_]*`).join("|"), "giu");
  let end = 0;
  for (const match of text.matchAll(any)) {
    const found = document.createElement("mark");
    found.textContent = match[0];
    element.append(text.slice(end, match.index), found);
    end = match.index + match[0].length;
  }
  element.append(text.slice(end));
}

function show() {
  const { words, hits } = find(field.value.trim());
  const pages = new Set(hits.map((hit) => hit.address)).size;
  const status = document.createElement("p");
  const items = document.createElement("ol");
  status.setAttribute("role", "status");
  if (words.length) {
    status.textContent = hits.length
      ? `${hits.length} place${hits.length > 1 ? "s" : ""} on ${pages} page${pages > 1 ? "s" : ""}`
      : "Nothing has all of these words. Try fewer, or the beginning of one.";
  }
  for (const { address, title, named, section: [anchor, heading, blocks] } of hits.slice(0, MOST)) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const context = document.createElement("p");
    link.href = ROOT + address + (anchor && `#${anchor}`);
    link.textContent = heading && heading !== title ? `${heading} · ${title}` : title;
    context.className = "context";
    mark(context, sentence(words, blocks, named), words);
    item.append(link, context);
    items.append(item);
  }
  list.replaceChildren(status, items);
}

field.value = new URLSearchParams(location.search).get("q") ?? "";
field.addEventListener("input", show);
show();
