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
const { dataset } = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
dataset.mode = localStorage.getItem("mode") ?? "auto";
dataset.theme = dataset.mode !== "auto" ? dataset.mode : dark ? "dark" : "light";
