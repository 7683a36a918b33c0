// Where does a word end? The tagger reads in both directions; each letter that arrives may change
// what it made of those before.
window.PlayWidgets ??= {};
PlayWidgets.tagger = (box, [model], text) => {
  const { SPACE, el, letters, percent, range, speaker, table, typing } = PlayWidgets.parts;
  const MOST = 60;
  let runs = []; // by the number of letters read: the chance of an end after each
  let read = "";

  const row = el("div", { className: "play-letters play-wide", role: "img" });
  const cut = el("p", { className: "play-cut" });
  const changes = el("ol", { className: "play-changes" });
  const speech = speaker();

  // The first letters of a text as a run cuts them; the last of them is not decided.
  const cutAt = (p, end = p.length) => [...read.slice(0, end)].map((sign, i) => sign + (i < end - 1 && p[i] > 0.5 ? " " : "")).join("");

  function* tag(indices, typed) {
    let same = 0;
    while (same < read.length && read[same] === typed[same]) same++;
    runs.length = Math.min(runs.length, same + 1);
    read = typed;
    while (runs.length <= typed.length) {
      runs.push(runs.length ? model.run(indices.slice(0, runs.length)).probabilities : []);
      yield;
    }
  }

  // What a run changed about the letters that the run before it had decided on.
  function changed(k) {
    if (k < 3) return null;
    const [was, is] = [cutAt(runs[k - 1]), cutAt(runs[k], k - 1)];
    return was === is ? null : { letter: read[k - 1], was, is };
  }

  function show() {
    const known = runs.length - 1;
    const k = Math.min(upTo.control.valueAsNumber, known);
    const p = runs[k];
    letters(row, read, [...p].map((chance, i) => (i < k - 1 ? chance : 0)), (i) =>
      i >= k ? "play-past" : i < k - 1 && p[i] > 0.5 ? "play-end" : "");
    cut.textContent = k ? cutAt(p) : "Type letters.";
    row.setAttribute("aria-label", `Read as: ${cut.textContent}`);
    const found = [];
    for (let n = 3; n <= k; n++) if (changed(n)) found.push(changed(n));
    changes.replaceChildren(...found.map(({ letter, was, is }) =>
      el("li", {}, el("b", { textContent: letter }), " came: ", el("s", { textContent: was }), " became ", el("span", { textContent: is }))));
    if (!found.length) changes.append(el("li", { textContent: "None yet." }));
    values.fill();
    const last = changed(k);
    speech.say(last ? `${last.letter} came: ${last.was} became ${last.is}.` : `Read as: ${cut.textContent}.`);
  }

  let upTo = null;
  upTo = range("Letters read", 0, text.length, 1, text.length, (n) => `${n} of ${upTo?.control.max ?? text.length}`, show);
  const values = table("The chance that a word ends after a letter", () => {
    const k = Math.min(upTo.control.valueAsNumber, runs.length - 1);
    return [["letter", "chance of an end"], ...[...runs[k]].map((p, i) => [read[i], i < k - 1 ? percent(p) : "not asked"])];
  });
  const input = typing({
    text, model, most: MOST, label: "Your letters, without spaces", word: "left out", read: tag,
    show() {
      Object.assign(upTo.control, { max: read.length });
      upTo.control.value = read.length;
      upTo.show();
      show();
    },
  });
  box.append(
    input.node, el("div", { className: "play-controls" }, upTo.node), row,
    el("p", {}, el("b", { textContent: "Read as " }), cut),
    el("p", {}, el("b", { textContent: "What later letters changed " })), changes,
    values.node, speech.node,
  );
  return input.update;
};
