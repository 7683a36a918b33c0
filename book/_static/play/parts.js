// What the widgets share: pieces of a page, a text that is read letter by letter, long work in
// slices, and the ways to show what a model says.
(window.PlayWidgets ??= {}).parts = (() => {
  const SLICE = 12; // ms of work before the page may do something else
  const SPACE = "␣";
  const NAMES = {
    counting: "Counting", rnn: "RNN", gru: "GRU", lstm: "LSTM",
    six: "Six layers, stuck", residual: "Six layers, mended", tagger: "Tagger",
  };

  // --- Pieces of a page.

  function el(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  // A control inside its label, which is what a reader hears.
  const labelled = (text, control) => el("label", {}, el("span", { textContent: text }), control);

  // A range whose value stands beside it in words.
  function range(text, min, max, step, value, words, onInput) {
    const control = el("input", { type: "range" });
    Object.assign(control, { min, max, step, value });
    const output = el("span", { "aria-hidden": "true" });
    const show = () => {
      output.textContent = words(control.valueAsNumber);
      control.setAttribute("aria-valuetext", output.textContent);
    };
    control.addEventListener("input", () => {
      show();
      onInput();
    });
    show();
    return { control, show, node: el("div", { className: "play-range" }, labelled(text, control), output) };
  }

  function select(text, options, onChange) {
    const control = el("select", { onchange: onChange });
    for (const [value, label] of Object.entries(options)) control.append(el("option", { value }, label));
    return { control, node: labelled(text, control) };
  }

  const button = (text, onclick) => el("button", { type: "button", textContent: text, onclick });
  const percent = (p) => (p > 0 && p < 0.005 ? "< 1 %" : `${Math.round(100 * p)} %`);

  // The figure space of a list; by name for who hears it.
  function symbol(sign) {
    if (sign !== " ") return el("b", { textContent: sign });
    return el("b", {}, el("span", { textContent: SPACE, "aria-hidden": "true" }), el("span", { className: "visually-hidden", textContent: "space" }));
  }

  // Numbers on demand: a fold with a table, which is filled when it is open.
  function table(caption, rows) {
    const body = el("tbody");
    const head = el("thead");
    const fold = el(
      "details", {},
      el("summary", { textContent: "Values as text" }),
      el("div", { className: "play-scroll", tabIndex: 0, role: "group", "aria-label": caption },
        el("table", { className: "table" }, el("caption", { textContent: caption }), head, body)),
    );
    const line = (cells, tag) =>
      el("tr", {}, ...cells.map((cell, i) => el(i ? tag : "th", { textContent: cell, scope: i && tag === "th" ? "col" : "row" })));
    function fill() {
      if (!fold.open) return;
      const [first, ...rest] = rows();
      head.replaceChildren(line(first, "th"));
      body.replaceChildren(...rest.map((row) => line(row, "td")));
    }
    fold.addEventListener("toggle", fill);
    return { node: fold, fill };
  }

  // --- Work that takes long.

  // Does steps, a generator, in slices; what is begun anew ends what was going on. Says whether it
  // came to its end: "done", "stopped" by the reader, or "replaced".
  function worker() {
    let current = null;
    const work = {
      async run(steps, pause = 0) {
        const own = (current = {});
        let end = performance.now() + SLICE;
        for (const step of steps) {
          if (!pause && performance.now() < end) continue;
          await new Promise((done) => setTimeout(done, pause));
          if (current !== own) return own.stopped ? "stopped" : "replaced";
          end = performance.now() + SLICE;
        }
        current = null;
        return "done";
      },
      stop() {
        if (current) current.stopped = true;
        current = null;
      },
    };
    return work;
  }

  // Says a line, once things have been quiet for a while.
  function speaker() {
    const node = el("p", { role: "status", className: "visually-hidden" });
    let timer = 0;
    return {
      node,
      say(text, wait = 900) {
        clearTimeout(timer);
        timer = setTimeout(() => {
          if (node.textContent !== text) node.textContent = text;
        }, wait);
      },
    };
  }

  // --- A text that a reader types.

  // The field, what was wrong with what is in it, and a button that stops what takes too long.
  // `changed(indices)` is a generator that reads; `show(end)` draws what has been read.
  function typing({ text, model, most, label, read, show, word }) {
    const field = el("textarea", { rows: 2, value: text, spellcheck: false, autocapitalize: "off", autocomplete: "off" });
    field.setAttribute("autocorrect", "off");
    const note = el("p", { className: "play-note", role: "alert" });
    const work = worker();
    const stop = button("Stop reading", () => work.stop());
    stop.hidden = true;
    const self = { field, note, work, indices: [], letters: "" };

    // Of what is typed, what the models know; the rest gets a clear word.
    function clean() {
      const long = field.value.length;
      if (long > most) field.value = field.value.slice(0, most);
      const found = model.read(field.value);
      const said = [];
      if (long > most) said.push(`That was a text of ${long.toLocaleString("en")} characters: the first ${most} are kept.`);
      if (found.unknown.length) {
        const shown = found.unknown.slice(0, 4).map((sign) => `“${sign}”`).join(" ");
        said.push(`The models do not know ${shown}${found.unknown.length > 4 ? " and others" : ""}: ${word ?? "read as a space"}.`);
      }
      if (note.textContent !== said.join(" ")) note.textContent = said.join(" ");
      self.letters = found.text;
      self.indices = found.indices;
    }

    async function reread() {
      clean();
      const late = setTimeout(() => (stop.hidden = false), 300);
      const end = await work.run(read(self.indices, self.letters));
      clearTimeout(late);
      if (end === "replaced") return;
      if (document.activeElement === stop) field.focus();
      stop.hidden = true;
      show(end);
    }

    self.update = () => (self.ready = reread());
    field.addEventListener("input", self.update);
    self.node = el("div", { className: "play-field" }, labelled(label, field), note, stop);
    return self;
  }

  // A model that reads a text; what it had read before it does not read again. A space is read
  // first, so that the first letter begins a word.
  class Reader {
    constructor(model) {
      this.model = model;
      this.name = NAMES[model.meta.name] ?? model.meta.name;
      this.space = model.meta.symbols.indexOf(" ");
      this.forget();
    }

    forget() {
      this.indices = [];
      this.steps = [];
    }

    *read(indices, change = () => undefined, before = (state) => state) {
      const all = [this.space, ...indices];
      let same = 0;
      while (same < this.steps.length && all[same] === this.indices[same]) same++;
      this.steps.length = same;
      this.indices = all;
      for (let i = same; i < all.length; i++) {
        const state = i ? this.steps[i - 1].state : this.model.start();
        this.steps.push(this.model.step(before(state, i), all[i], change()));
        yield;
      }
    }

    get last() {
      return this.steps.at(-1);
    }

    // What each letter but the first space cost, in bits, as far as it was read.
    get costs() {
      return this.steps.slice(1).map((_, i) => -Math.log2(this.steps[i].probabilities[this.indices[i + 1]]));
    }
  }

  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  // --- What a model says.

  // The most likely letters as bars with numbers; a mark where each stood in `others`.
  function bars(list, symbols, probabilities, others, most = 6) {
    const best = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, most);
    list.replaceChildren(...best.map((i) => {
      const bar = el("span", { className: "play-bar" }, el("i"));
      bar.style.setProperty("--p", probabilities[i]);
      if (others) bar.append(el("u"));
      if (others) bar.style.setProperty("--q", others[i]);
      return el("li", {}, symbol(symbols[i]), bar, el("span", { textContent: percent(probabilities[i]) }));
    }));
    return best;
  }

  // A named box for a model, with its most likely letters.
  function panel(name, note) {
    const list = el("ol", { "aria-label": `${name}, most likely next` });
    const line = el("span", { className: "play-small", textContent: note });
    return { list, line, node: el("div", { className: "play-panel" }, el("p", {}, el("b", { textContent: name }), " ", line), list) };
  }

  const reached = ({ meta }) => `${meta.measure} ${meta.value.toFixed(2)}`;

  // Letters in a row, with a bar over each. `classes` marks some of them.
  function letters(row, text, heights, classes = () => "") {
    row.replaceChildren(...[...text].map((sign, i) => {
      const box = el("span", { textContent: sign === " " ? SPACE : sign, className: classes(i) });
      box.style.setProperty("--h", Math.min(1, heights[i] ?? 0));
      return box;
    }));
  }

  // A named row of letters, with what each cost a model.
  function costRow(name) {
    const line = el("span", { className: "play-small" });
    const row = el("div", { className: "play-letters", role: "img" });
    return {
      node: el("div", {}, el("p", {}, el("b", { textContent: name }), " ", line), row),
      show(text, costs, classes) {
        line.textContent = costs.length ? `${mean(costs).toFixed(2)} bits a letter` : "";
        row.setAttribute("aria-label", `${name}: ${text || "no text"}; ${line.textContent}`);
        letters(row, text, costs.map((cost) => cost / 8), classes);
      },
    };
  }

  // Which letters a list names, for the ear.
  const heard = (symbols, probabilities, best) =>
    best.slice(0, 2).map((i) => `${symbols[i] === " " ? "space" : symbols[i]} ${percent(probabilities[i])}`).join(", ");

  return { NAMES, SPACE, Reader, bars, button, costRow, el, heard, labelled, letters, mean, panel, percent, range, reached, select, speaker, symbol, table, typing, worker };
})();
