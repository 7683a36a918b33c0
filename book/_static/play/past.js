// How far back: the models know the last k letters alone, and start from nothing before them.
window.PlayWidgets ??= {};
PlayWidgets.past = (box, models, text) => {
  const { Reader, bars, el, heard, letters, panel, percent, range, speaker, table, typing } = PlayWidgets.parts;
  const MOST = 60;
  const readers = models.map((model) => new Reader(model));
  const symbols = models[0].meta.symbols;
  const panels = readers.map((reader) => panel(reader.name, ""));
  const row = el("div", { className: "play-letters play-plain play-wide", role: "img" });
  const speech = speaker();
  let known = []; // what each model says with the last letters alone

  function* read(indices) {
    for (const reader of readers) yield* reader.read(indices);
    const k = back.control.valueAsNumber;
    const now = readers.map((reader) => reader.last);
    if (k < indices.length) {
      for (const [n, model] of models.entries()) {
        let step = null;
        for (const index of indices.slice(-k)) {
          step = model.step(step ? step.state : model.start(), index);
          yield;
        }
        now[n] = step;
      }
    }
    known = now;
  }

  function show() {
    const n = input.letters.length;
    const k = Math.min(back.control.valueAsNumber, n);
    letters(row, input.letters, [], (i) => (i < n - k ? "play-past" : ""));
    row.setAttribute("aria-label", n ? `Known: ${input.letters.slice(n - k)}; not known: ${input.letters.slice(0, n - k) || "nothing"}` : "no text");
    const said = readers.map((reader, m) => {
      const [now, all] = [known[m].probabilities, reader.last.probabilities];
      const best = bars(panels[m].list, symbols, now, all);
      const top = all.indexOf(Math.max(...all));
      const sign = symbols[top] === " " ? "space" : symbols[top];
      panels[m].line.textContent = `“${sign}” ${percent(now[top])} instead of ${percent(all[top])}`;
      return `${reader.name}: ${heard(symbols, now, best)}`;
    });
    values.fill();
    speech.say(`Knowing ${back.control.getAttribute("aria-valuetext")}. ${said.join(". ")}.`);
  }

  let back = null;
  const words = (k) => (k >= Number(back?.control.max ?? text.length) ? "all letters" : k === 1 ? "the last letter" : `the last ${k} letters`);
  back = range("Known", 1, text.length, 1, 3, words, () => input.update());
  const values = table("Chance of each letter to come next, in per cent", () => [
    ["letter", ...readers.flatMap(({ name }) => [name, "with all letters"])],
    ...[...symbols].map((sign, i) => [
      sign === " " ? "space" : sign,
      ...readers.flatMap((reader, m) => [known[m].probabilities, reader.last.probabilities].map((p) => (100 * p[i]).toFixed(1))),
    ]),
  ]);
  const input = typing({
    text, model: models[0], most: MOST, label: "Your text", read,
    show(end) {
      back.control.max = Math.max(1, input.letters.length);
      back.show();
      if (end === "done") show();
    },
  });
  box.append(
    input.node, el("div", { className: "play-controls" }, back.node), row,
    el("div", { className: "play-panels" }, ...panels.map(({ node }) => node)),
    values.node, speech.node,
  );
  return input.update;
};
