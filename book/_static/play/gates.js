// State and gates over the letters, slow units on top; a gate can be held and the state forgotten,
// and what follows stands beside what the network as trained makes of the text.
window.PlayWidgets ??= {};
PlayWidgets.gates = (box, [first], text) => {
  const { NAMES, SPACE, Reader, bars, costRow, el, heard, mean, panel, range, reached, select, speaker, table, typing } = PlayWidgets.parts;
  const MOST = 60;
  const ROWS = 32; // units in a map
  const CELL = 11; // pixels of a letter
  const UNIT = 4; // pixels of a unit
  const MAPS = {
    GRU: { Z: "Update gate", R: "Reset gate", H: "State" },
    LSTM: { F: "Forget gate", I: "Input gate", O: "Output gate", C: "Memory" },
  };
  const HOLD = { trained: "as trained", open: "open, at 1", shut: "shut, at 0", mean: "at its mean" };
  let model, plain, held, maps;

  const panels = [panel("As trained", ""), panel("Changed", "")];
  const rows = [costRow("As trained"), costRow("Changed")];
  const pictures = el("div", { className: "play-maps", tabIndex: 0, role: "group", "aria-label": "Gates and state over the letters" });
  const speech = speaker();

  const numbers = (step, name) => (name === "C" ? step.layers[0].C.map(Math.tanh) : name === "H" ? step.layers[0].H : step.layers[0].gates[name]);

  function use(chosen) {
    model = chosen;
    [plain, held] = [new Reader(model), new Reader(model)];
    const named = MAPS[model.meta.layers[0].kind];
    const gates = Object.entries(named).filter(([name]) => model.means[0][name]);
    gate.control.replaceChildren(...gates.map(([value, label]) => el("option", { value }, label)));
    maps = Object.entries(named).map(([name, label]) => {
      const canvas = el("canvas", { role: "img", "aria-label": `${label}, a heat map; its numbers are in the values as text` });
      return { name, canvas, node: el("div", {}, el("p", { className: "play-small", textContent: label }), canvas) };
    });
    pictures.replaceChildren(...maps.map(({ node }) => node), el("p", {
      className: "play-small",
      textContent: "As changed. Slow units on top; blue is up to 1, orange down to −1.",
    }));
    panels[0].line.textContent = reached(model);
  }

  // What is held, as the forward pass takes it.
  function change() {
    const to = { open: 1, shut: 0, mean: model.means[0][gate.control.value] }[hold.control.value];
    return to === undefined ? undefined : { [gate.control.value]: to, layer: 0 };
  }

  function* read(indices) {
    const at = forget.control.valueAsNumber;
    const [one, other] = [
      plain.read(indices),
      held.read(indices, change, (state, i) => (i && i === at ? model.start() : state)),
    ];
    for (let open = true; open; yield) open = [one.next(), other.next()].some(({ done }) => !done);
  }

  function draw({ name, canvas }) {
    const [style, scale] = [getComputedStyle(box), devicePixelRatio];
    const units = model.order(0).filter((_, i, all) => i % Math.ceil(all.length / ROWS) === 0);
    const steps = held.steps.slice(1);
    const [width, height] = [Math.max(1, steps.length) * CELL, units.length * UNIT + 18];
    Object.assign(canvas, { width: width * scale, height: height * scale });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    steps.forEach((step, t) => {
      const values = numbers(step, name);
      units.forEach((unit, row) => {
        pen.globalAlpha = Math.abs(values[unit]);
        pen.fillStyle = style.getPropertyValue(values[unit] < 0 ? "--play-minus" : "--play-plus");
        pen.fillRect(t * CELL, row * UNIT, CELL, UNIT);
      });
      pen.globalAlpha = 1;
      pen.fillStyle = style.color;
      pen.font = `12px ${style.getPropertyValue("--pst-font-family-monospace")}`;
      pen.textAlign = "center";
      pen.fillText(input.letters[t] === " " ? SPACE : input.letters[t], (t + 0.5) * CELL, height - 5);
    });
  }

  function show() {
    const symbols = model.meta.symbols;
    const readers = [plain, held];
    const said = readers.map((reader, n) => {
      const others = n ? plain.last.probabilities : null;
      const best = bars(panels[n].list, symbols, reader.last.probabilities, others);
      rows[n].show(input.letters.slice(0, reader.steps.length - 1), reader.costs);
      return heard(symbols, reader.last.probabilities, best);
    });
    const at = forget.control.valueAsNumber;
    const done = [
      hold.control.value !== "trained" && `${gate.control.selectedOptions[0].text.toLowerCase()} ${HOLD[hold.control.value]}`,
      at && `state forgotten before letter ${at}`,
    ].filter(Boolean);
    panels[1].line.textContent = done.join(", ") || "nothing yet";
    maps.forEach(draw);
    values.fill();
    speech.say(`As trained, most likely next: ${said[0]}. Changed: ${said[1]}.`);
  }

  const again = () => {
    held.forget();
    return input.update();
  };
  const forget = range("Forget the state before letter", 0, text.length, 1, 0, (at) => (at ? `${at}, “${input?.letters[at - 1] ?? ""}”` : "none"), again);
  const hold = select("is held", HOLD, again);
  const gate = select("Gate", {}, again);
  const network = select("Network", { [first.meta.name]: NAMES[first.meta.name], ...(first.meta.name === "gru" ? { lstm: NAMES.lstm } : {}) }, async () => {
    input.note.textContent = "Loading…";
    try {
      use(await Play.load(network.control.value));
      await input.update();
    } catch (error) {
      network.control.value = model.meta.name;
      input.note.textContent = error.message;
    }
  });

  const values = table("What each letter cost in bits, and the mean of each gate over the slowest and the fastest quarter of the units", () => {
    const order = model.order(0);
    const quarter = order.length / 4;
    const of = (step, name, units) => mean(units.map((unit) => numbers(step, name)[unit])).toFixed(2);
    const gates = maps.map(({ name }) => name).filter((name) => model.means[0][name]);
    return [
      ["letter", "as trained", "changed", ...gates.flatMap((name) => [`${name}, slow`, `${name}, fast`])],
      ...held.steps.slice(1).map((step, i) => [
        input.letters[i] === " " ? "space" : input.letters[i],
        plain.costs[i].toFixed(2), held.costs[i].toFixed(2),
        ...gates.flatMap((name) => [of(step, name, order.slice(0, quarter)), of(step, name, order.slice(-quarter))]),
      ]),
    ];
  });
  const input = typing({
    text, model: first, most: MOST, label: "Your text", read,
    show() {
      forget.control.max = input.letters.length;
      forget.show();
      show();
    },
  });
  use(first);
  hold.control.value = "mean";
  new MutationObserver(() => maps.forEach(draw)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  box.append(
    input.node,
    el("div", { className: "play-controls" }, network.node, gate.node, hold.node, forget.node),
    el("div", { className: "play-panels" }, ...panels.map(({ node }) => node)),
    el("div", { className: "play-rows" }, ...rows.map(({ node }) => node)),
    pictures, values.node, speech.node,
  );
  return input.update;
};
