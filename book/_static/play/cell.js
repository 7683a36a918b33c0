// One step of the GRU with numbers in its drawing: one unit, the weights of the chapter's steps by
// hand. The places are those of draw_gru_cell in d2lhelpers/drawings/cells.py, in inches; the drawing
// has a margin around it.
window.PlayWidgets ??= {};
PlayWidgets.cell = (box, models, text, image) => {
  const { button, el, range } = PlayWidgets.parts;
  const [WIDTH, HEIGHT, MARGIN] = [5.96, 5.6, 0.1];
  const W_x = [-1, 1, 0.5]; // reset, update, candidate
  const W_h = [1.25, 0.5, -1.5];
  const layer = Play.build({ kind: "GRU", inputs: 1, units: 1, W_x, W_h, b: [0, 0, 0, 0] });
  const two = (value) => value.toFixed(2).replace("-", "−");
  const signed = (value) => (value < 0 ? two(value) : `+ ${two(value)}`).replace("−", "− ");
  const share = (inches, side) => `${(100 * (inches + MARGIN)) / (side + 2 * MARGIN)}%`;
  let [x, h, stage] = [1, 0.8, 0];

  function computed() {
    const { H, gates } = layer.step(Float32Array.of(x), { H: Float32Array.of(h) });
    const [xr, xz, xh] = W_x.map((w) => w * x);
    const [hr, hz, hh] = W_h.map((w) => w * h);
    const [r, z, c] = [gates.R[0], gates.Z[0], gates.Hc[0]];
    return { xr, xz, xh, hr, hz, hh, r, z, c, next: H[0] };
  }

  // For each stage the sentence, and the numbers that come with it: their places and values.
  const stages = [
    () => [`The state is ${two(h)}, the input ${two(x)}.`, [[0.46, 4.13, h], [0.46, 0.72, x]]],
    ({ xr, xz, xh, hr, hz, hh }) => [
      "The input and the state are each multiplied by three weights.",
      [[1.32, 1.45, xr], [2.54, 1.42, xh], [3.76, 1.45, xz], [1.32, 3.35, hr], [2.54, 3.35, hh], [3.76, 3.35, hz]],
    ],
    ({ xr, hr, r }) => [`The reset gate: σ(${two(xr)} ${signed(hr)}) = ${two(r)}.`, [[1.32, 2.5, xr + hr], [1.95, 2.15, r]]],
    ({ xz, hz, z }) => [`The update gate: σ(${two(xz)} ${signed(hz)}) = ${two(z)}.`, [[3.76, 2.5, xz + hz], [4.36, 2.15, z]]],
    ({ xh, hh, r, c }) => [
      `The candidate: tanh(${two(xh)} ${signed(r * hh)}) = ${two(c)}; of the past, ${two(hh)}, the reset gate lets ${two(r * hh)} in.`,
      [[2.98, 2.85, r * hh], [2.12, 1.75, xh + r * hh], [3.21, 1.4, c]],
    ],
    ({ z, c, next }) => [
      `The new state: ${two(z)} · ${two(h)} ${signed((1 - z) * c)} = ${two(next)}; of the old one the update gate keeps ${two(z * h)}.`,
      [[5.45, 2.4, 1 - z], [4.95, 1.4, (1 - z) * c], [4.95, 4.88, z * h], [4.8, 5.25, next]],
    ],
  ];

  const places = el("div", { className: "play-cell" }, image);
  const line = el("p", { role: "status", className: "play-sentence" });

  function show() {
    const found = computed();
    const shown = stages.slice(0, stage + 1).map((say) => say(found));
    line.textContent = `${stage + 1} of ${stages.length}. ${shown.at(-1)[0]}`;
    const chips = shown.flatMap(([, numbers], n) => numbers.map(([left, bottom, value]) => {
      const chip = el("span", { textContent: two(value), className: n === stage ? "play-fresh" : "" });
      Object.assign(chip.style, { left: share(left, WIDTH), bottom: share(bottom, HEIGHT) });
      return chip;
    }));
    places.replaceChildren(image, ...chips);
    const end = stage === stages.length - 1;
    next.textContent = end ? "Go on from the new state" : "Next";
    back.setAttribute("aria-disabled", stage === 0);
  }

  const next = button("Next", () => {
    if (stage < stages.length - 1) stage++;
    else {
      [h, stage] = [computed().next, 0];
      state.control.value = h;
      state.show();
    }
    show();
  });
  const back = button("Back", () => {
    stage = Math.max(0, stage - 1);
    show();
  });
  const input = range("Input x", -2, 2, 0.1, x, two, () => {
    x = input.control.valueAsNumber;
    show();
  });
  const state = range("State h", -1, 1, 0.01, h, two, () => {
    h = state.control.valueAsNumber;
    show();
  });
  box.append(el("div", { className: "play-controls" }, next, back, input.node, state.node), line, places);
  return show;
};
