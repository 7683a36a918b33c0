// The theme's buttons: what each does, by the words that stood in its `onclick`. The pages let no
// script run that stands in them; see templates/ in the extension.
const clicks = { "window.print()": () => print(), "toggleFullScreen()": () => toggleFullScreen() };
for (const button of document.querySelectorAll("[data-click]")) {
  button.addEventListener("click", clicks[button.dataset.click]);
}

// What is wider than the page scrolls inside itself: its edge fades where there is more, and the
// keyboard reaches it.
const wide = ".katex-display, .bd-article pre, .cell_output > .output, .pst-scrollable-table-container";

function showMore(box) {
  const room = box.scrollWidth - box.clientWidth;
  const right = box.scrollLeft < room - 1;
  const left = box.scrollLeft > 1;
  box.classList.toggle("more-right", room > 1 && right);
  box.classList.toggle("more-left", room > 1 && left);
  const named = box.matches(".katex-display");
  if (room > 1) {
    box.tabIndex = 0;
    if (named) box.setAttribute("role", "group");
    if (named) box.setAttribute("aria-label", "equation that scrolls sideways");
  } else {
    for (const name of ["tabindex", ...(named ? ["role", "aria-label"] : [])]) box.removeAttribute(name);
  }
}

const sizes = new ResizeObserver((changes) => changes.forEach(({ target }) => showMore(target)));
for (const box of document.querySelectorAll(wide)) {
  sizes.observe(box);
  box.addEventListener("scroll", () => showMore(box), { passive: true });
}
// A formula in its own font is not as wide as in the one that stood in for it.
document.fonts.addEventListener("loadingdone", () => {
  for (const box of document.querySelectorAll(wide)) {
    if (box.checkVisibility({ contentVisibilityAuto: true })) showMore(box);
  }
});

// The contents beside a page show where its reader is: in the last section that has begun.
const entries = new Map();
for (const link of document.querySelectorAll(".page-toc a[href^='#']")) {
  entries.set(document.getElementById(link.hash.slice(1)), link);
}
const near = new Set();
const places = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) near[isIntersecting ? "add" : "delete"](target);
    const here = [...entries.keys()].findLast((section) => near.has(section));
    for (const [section, link] of entries) {
      link.classList.toggle("active", section === here);
      link.parentElement.classList.toggle("active", section.contains(here ?? null));
    }
  },
  { rootMargin: "0px 0px -60%" },
);
for (const section of entries.keys()) places.observe(section);

// Copy buttons: the keyboard stops at one of each section, and from there the arrows lead to the
// others. All of them would be most of the stops of a page.
const copies = [...document.querySelectorAll("button.copybtn")];
const section = (button) => button.closest("article > section > section") ?? document.body;
const folded = (button) => button.closest("details:not([open])") !== null;

function stopAt(button) {
  for (const other of copies) {
    if (section(other) === section(button)) other.tabIndex = other === button ? 0 : -1;
  }
}

for (const part of new Set(copies.map(section))) {
  const inside = copies.filter((button) => section(button) === part);
  stopAt(inside.find((button) => !folded(button)) ?? inside[0]);
}
for (const button of copies) {
  button.setAttribute("aria-label", "Copy this code");
  button.setAttribute("aria-description", "The arrow keys lead to other code.");
  button.addEventListener("focus", () => stopAt(button));
  // Whoever has copied is where they were; the script that copies moves the focus away.
  button.addEventListener("click", () => setTimeout(() => button.focus({ preventScroll: true })));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const open = copies.filter((other) => !folded(other));
    open[open.indexOf(button) + step]?.focus();
  });
}

// Paper is white, and nothing on it can be opened: a page in the dark mode is printed in the light
// one, with its solutions.
const root = document.documentElement;
let mode = "";
let opened = [];
addEventListener("beforeprint", () => {
  mode = root.dataset.theme;
  root.dataset.theme = "light";
  opened = [...document.querySelectorAll("details.solution:not([open])")];
  for (const solution of opened) solution.open = true;
});
addEventListener("afterprint", () => {
  root.dataset.theme = mode;
  for (const solution of opened) solution.open = false;
});
