// A wide equation scrolls inside itself. Let the keyboard reach it, as the theme does for code.
function reachEquations() {
  for (const box of document.querySelectorAll(".katex-display")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "equation that scrolls sideways");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
document.fonts.ready.then(reachEquations);
addEventListener("resize", reachEquations);

// Paper is white: a page in the dark mode is printed in the light one.
const root = document.documentElement;
let mode = "";
addEventListener("beforeprint", () => {
  mode = root.dataset.theme;
  root.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  root.dataset.theme = mode;
});
