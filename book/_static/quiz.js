// Questions: choose, then check. Answers stay in this browser, each under its question's name.
(() => {
  const forms = [...document.querySelectorAll("form.quiz")];
  if (!forms.length) return;
  const memory = {}; // where there is no storage

  function read(name) {
    try {
      return JSON.parse(localStorage.getItem(name));
    } catch {
      return memory[name];
    }
  }

  function write(name, value) {
    memory[name] = value;
    try {
      if (value) localStorage.setItem(name, JSON.stringify(value));
      else localStorage.removeItem(name);
    } catch {}
  }

  function make(tag, text, properties) {
    return Object.assign(document.createElement(tag), { textContent: text, ...properties });
  }

  const are = (number, one, many) => `${number} ${number === 1 ? one : many}`;

  // The wrap-up has a board with a row for each chapter, a chapter a line of its own.
  let board = document.querySelector(".quiz-score");
  if (!board) {
    board = make("div", "", { className: "quiz-score" });
    board.append(make("p", "", { role: "status" }));
    forms.at(-1).after(board);
  }
  const line = board.firstChild;
  const forget = make("button", "Clear the answers on this page", { type: "button" });
  board.append(forget);

  function summary(names) {
    const known = names.map((name) => read("quiz:" + name));
    const right = known.filter((answer) => answer?.right).length;
    const first = known.filter((answer) => answer?.first).length;
    const later = right > first ? `, ${right - first} later` : "";
    return `${first} of ${names.length} right at the first try${later}`;
  }

  function score() {
    for (const row of board.querySelectorAll("[data-quizzes]")) {
      row.lastChild.textContent = summary(row.dataset.quizzes.split(" "));
    }
    const names = forms.map((form) => form.dataset.quiz);
    const text = `On this page: ${summary(names)}.`;
    if (line.textContent !== text) line.textContent = text; // else it would be read out again
    forget.hidden = !names.some((name) => read("quiz:" + name));
  }

  function revive(form) {
    const name = "quiz:" + form.dataset.quiz;
    const status = form.querySelector("[role=status]");
    const boxes = [...form.querySelectorAll("input")];
    const rows = boxes.map((box) => box.closest("div"));
    const right = rows.map((row) => "right" in row.dataset);
    const wanted = right.filter(Boolean).length;
    const chosen = () => boxes.map((box) => box.checked);

    function verdict(answer, hits, count) {
      if (count > wanted) {
        const number = count === boxes.length ? `all ${count}` : count;
        return `You chose ${number}, but only ${are(wanted, "is", "are")} right.`;
      }
      if (hits === wanted) return answer.first ? "Right at the first try." : "Right.";
      if (wanted === 1) return "Not right: choose again.";
      const wrong = count > hits ? are(count - hits, "wrong one", "wrong ones") + " chosen, " : "";
      return `Not yet: ${wrong}${are(wanted - hits, "right one is", "right ones are")} missing.`;
    }

    // Say how right the answer is, and open the feedback to what was chosen: not to more options
    // than are right, for then it would tell which these are.
    function show(answer) {
      const count = chosen().filter(Boolean).length;
      const hits = chosen().filter((on, i) => on && right[i]).length;
      const open = answer?.checked && count <= wanted;
      form.classList.toggle("unchecked", !open);
      status.textContent = answer?.checked ? verdict(answer, hits, count) : "";
      if (!open) return;
      const heard = make("span", "", { className: "visually-hidden" });
      for (const row of rows.filter((_, i) => boxes[i].checked)) {
        const words = row.lastChild.cloneNode(true);
        words.querySelectorAll(".katex-html").forEach((part) => part.remove());
        heard.append(" ", words.textContent);
      }
      status.append(heard);
    }

    function keep(answer) {
      write(name, answer);
      show(answer);
      score();
    }

    function clear() {
      for (const box of boxes) box.checked = false;
      keep(null);
    }

    form.addEventListener("change", () => {
      const answer = { ...read(name), chosen: chosen(), checked: false };
      keep("first" in answer || chosen().includes(true) ? answer : null);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!chosen().includes(true)) {
        status.textContent = "Choose an answer first.";
        return;
      }
      const before = read(name);
      const hit = String(chosen()) === String(right);
      const first = before?.first ?? hit;
      keep({ chosen: chosen(), checked: true, first, right: before?.right || hit });
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      if (!confirm("Clear this answer, and its first try?")) return;
      clear();
      form.querySelector("input").focus();
    });
    form.querySelector("button").before(make("button", "Check"), " ");

    // Mixed by the high bits of a hash of place, question and reader.
    const hash = (text) =>
      [...text].reduce((h, sign) => Math.imul(h ^ sign.charCodeAt(), 0x9e3779b1), 7) >>> 0;
    const rank = new Map(rows.map((row, i) => [row, hash(i + name + read("quiz-seed"))]));
    if (!("fixed" in form.dataset)) {
      const mixed = [...rows].sort((a, b) => rank.get(a) - rank.get(b));
      form.querySelector("fieldset > div").after(...mixed);
    }
    const answer = read(name);
    boxes.forEach((box, i) => (box.checked = Boolean(answer?.chosen?.[i])));
    show(answer);
    return clear;
  }

  if (!read("quiz-seed")) write("quiz-seed", Math.random());
  const clearings = forms.map(revive);
  forget.addEventListener("click", () => {
    if (!confirm(`Clear your answers to all ${forms.length} questions on this page?`)) return;
    for (const clear of clearings) clear();
    line.tabIndex = -1; // the button is hidden now: the focus goes to the score
    line.focus();
  });
  score();
})();
