// Questions: the answers stay in this browser, each under its question's name.
function kept(name) {
  try {
    return JSON.parse(localStorage.getItem("quiz:" + name));
  } catch {
    return null; // no storage here, or something else in it
  }
}

function keep(form) {
  const boxes = [...form.querySelectorAll("input")];
  const chosen = boxes.map((box) => box.checked);
  const right = boxes.every((box) => box.checked === "right" in box.closest("div").dataset);
  try {
    if (chosen.includes(true)) {
      localStorage.setItem("quiz:" + form.dataset.quiz, JSON.stringify({ chosen, right }));
    } else {
      localStorage.removeItem("quiz:" + form.dataset.quiz);
    }
  } catch {}
  score();
}

const forms = [...document.querySelectorAll("form.quiz")];

function score() {
  const board = document.querySelector(".quiz-score");
  if (!board) return;
  for (const row of board.querySelectorAll("[data-quizzes]")) {
    const names = row.dataset.quizzes.split(" ");
    const right = names.filter((name) => kept(name)?.right).length;
    row.querySelector("span").textContent = `${right} of ${names.length} right`;
  }
  const right = forms.filter((form) => kept(form.dataset.quiz)?.right);
  board.firstChild.textContent = `${right.length} of ${forms.length} right on this page.`;
}

for (const form of forms) {
  const boxes = form.querySelectorAll("input");
  const state = form.querySelector(".quiz-state");
  kept(form.dataset.quiz)?.chosen?.forEach((on, i) => boxes[i] && (boxes[i].checked = on));
  form.addEventListener("change", (event) => {
    keep(form);
    const shown = event.target.checked && event.target.closest("div").lastChild.cloneNode(true);
    if (shown) shown.querySelectorAll(".katex-html").forEach((part) => part.remove());
    state.textContent = shown ? shown.textContent : "";
  });
  form.addEventListener("reset", () =>
    setTimeout(() => {
      state.textContent = "Answer cleared.";
      keep(form);
    }),
  );
  form.addEventListener("submit", (event) => event.preventDefault());
}
document.querySelector(".quiz-forget")?.addEventListener("click", () => {
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith("quiz:")) localStorage.removeItem(name);
    }
  } catch {}
  for (const form of forms) form.reset();
  score();
});
score();
