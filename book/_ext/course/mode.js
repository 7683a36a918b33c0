// Before the first paint: the mode that the reader chose, or else the one of the reader's system.
// The theme does the same, but later. This file stands alone in the head of every page.
//
// Where a browser keeps nothing, to ask for its storage is an error that would end the theme's
// script: a storage that lasts as long as the page takes its place.
try {
  localStorage.getItem("mode");
} catch {
  const kept = new Map();
  const value = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => kept.set(name, String(text)),
    removeItem: (name) => kept.delete(name),
  };
  Object.defineProperty(window, "localStorage", { value });
}
// Lines would move when the letters of their formulas arrive: these are asked for first. What is
// read from a folder has them at once, and may not ask.
if ("formulas" in document.currentScript.dataset && location.protocol !== "file:") {
  for (const font of ["Main-Regular", "Main-Bold", "Math-Italic"]) {
    const href = new URL(`katex/fonts/KaTeX_${font}.woff`, document.currentScript.src);
    const wanted = { rel: "preload", as: "font", type: "font/woff", crossOrigin: "", href };
    document.head.append(Object.assign(document.createElement("link"), wanted));
  }
}
const { dataset } = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
dataset.mode = localStorage.getItem("mode") ?? "auto";
dataset.theme = dataset.mode !== "auto" ? dataset.mode : dark ? "dark" : "light";

// When all is loaded, the theme measures every block of code, and Bootstrap every place that a link
// leads to: a long chapter would be laid out at once. course.js does both for what comes near.
addEventListener("load", (event) => event.stopImmediatePropagation(), { once: true });
