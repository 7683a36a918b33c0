// Type and see: models side by side, what each expects next and what each letter cost it; each
// writes on as it would. `deep` is the same for stacks of layers, and shows how much each layer moves.
window.PlayWidgets ??= {};
PlayWidgets.type = (box, models, text, image, below = () => {}) => {
  const { Reader, bars, button, costRow, el, heard, panel, range, reached, speaker, table, typing, worker } = PlayWidgets.parts;
  const MOST = 240; // letters that are read
  const WRITTEN = 120; // letters that are written at a time
  const PAUSE = 60; // ms from one to the next

  const readers = models.map((model) => new Reader(model));
  const symbols = models[0].meta.symbols;
  const panels = readers.map((reader) => panel(reader.name, reached(reader.model)));
  const rows = readers.map((reader) => costRow(reader.name));
  const extras = readers.map(() => el("div"));
  const speech = speaker();
  const pen = worker();
  let pages = []; // what each has written: letters, their costs, and the step after them

  const values = table("What each letter cost, in bits", () => [
    ["letter", ...readers.map((reader) => reader.name)],
    ...[...input.letters].map((sign, i) => [sign === " " ? "space" : sign, ...readers.map((reader) => reader.costs[i]?.toFixed(2) ?? "not read")]),
  ]);

  function* read(indices) {
    pen.stop();
    const all = readers.map((reader) => reader.read(indices));
    for (let open = true; open; ) {
      open = false;
      for (const one of all) open = !one.next().done || open;
      yield;
    }
  }

  function showRows() {
    readers.forEach((reader, n) => {
      const known = input.letters.slice(0, reader.steps.length - 1);
      const { letters, costs } = pages[n];
      rows[n].show(known + letters, [...reader.costs, ...costs], (i) => (i < known.length ? "" : "play-new"));
    });
  }

  // A new page for each, after the text.
  function turn() {
    pages = readers.map((reader) => ({ letters: "", costs: [], at: reader.last }));
  }

  function show(end) {
    turn();
    const said = readers.map((reader, n) => {
      const best = bars(panels[n].list, symbols, reader.last.probabilities);
      below(extras[n], reader);
      return `${reader.name}: ${heard(symbols, reader.last.probabilities, best)}`;
    });
    showRows();
    values.fill();
    speech.say(end === "stopped" ? "Stopped. The rest was not read." : `Most likely next. ${said.join(". ")}.`);
  }

  function* write(temperature, shown) {
    for (let n = 0; n < WRITTEN; n++) {
      pages.forEach((page, k) => {
        const i = Play.draw(Play.softmax(page.at.logits, temperature));
        page.letters += symbols[i];
        page.costs.push(-Math.log2(page.at.probabilities[i]));
        page.at = models[k].step(page.at.state, i);
      });
      if (shown) showRows();
      yield;
    }
  }

  async function toggle() {
    if (go.textContent === "Stop") return pen.stop();
    await input.ready;
    go.textContent = "Stop";
    turn();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const end = await pen.run(write(heat.control.valueAsNumber, !calm), calm ? 0 : PAUSE);
    showRows();
    go.textContent = "Write on";
    speech.say(pages.map((page, n) => `${readers[n].name} wrote: ${page.letters}`).join(". "), 0);
  }

  const heat = range("Temperature", 0, 1.5, 0.1, 0.5, (value) => value.toFixed(1), () => {});
  const go = button("Write on", toggle);
  const input = typing({ text, model: models[0], most: MOST, label: "Your text", read, show });
  box.append(
    input.node,
    el("div", { className: "play-panels" }, ...panels.map(({ node }, n) => (node.append(extras[n]), node))),
    el("div", { className: "play-controls" }, go, heat.node),
    el("div", { className: "play-rows" }, ...rows.map(({ node }) => node)),
    values.node, speech.node,
  );
  return input.update;
};

// How much the state of each layer moves at the last letter that was read: bars of powers of ten.
PlayWidgets.deep = (box, models, text, image) =>
  PlayWidgets.type(box, models, text, image, (place, reader) => {
    const { el } = PlayWidgets.parts;
    const before = reader.steps.at(-2);
    if (!before) return place.replaceChildren();
    const moves = reader.last.layers.map(({ H }, l) => H.reduce((sum, h, j) => sum + Math.abs(h - before.layers[l].H[j]), 0) / H.length);
    place.replaceChildren(
      el("p", { className: "play-small", textContent: "How far the last letter moved each layer" }),
      el("ol", { reversed: true, "aria-label": `${reader.name}, change of each layer, the top one first` }, ...moves.map((move, l) => {
        const bar = el("span", { className: "play-bar" }, el("i"));
        bar.style.setProperty("--p", Math.max(0, 1 + Math.log10(move + 1e-9) / 5));
        return el("li", {}, el("b", { textContent: l + 1 }), bar, el("span", { textContent: move < 1e-5 ? "< 0.00001" : move.toPrecision(1) }));
      }).reverse()),
    );
  });
