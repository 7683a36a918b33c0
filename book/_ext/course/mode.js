// Before the first paint: the mode that the reader chose, or else the one of the reader's system.
// The theme does the same, but later. This file stands alone in the head of every page.
const { dataset } = document.documentElement;
try {
  dataset.mode = localStorage.getItem("mode") || "auto";
} catch {
  dataset.mode = "auto"; // no storage here
}
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
dataset.theme = dataset.mode !== "auto" ? dataset.mode : dark ? "dark" : "light";
