// Lets every model of the site read the text that the test's server has for it, and sends there
// what it computed: for each character the logits, and of each layer state, memory and gates.
const send = (name, body) => fetch(`/numbers/${name}`, { method: "POST", body });
const SLICE = 10; // characters that are timed at once: few, for other programs take their turns

// Yields the numbers of each character, and the milliseconds that each took.
function* read(model, indices) {
  if (model.meta.kind === "tagger") {
    const start = performance.now();
    const { logits, layers } = model.run(indices);
    const time = (performance.now() - start) / indices.length;
    for (const t of indices.keys()) {
      yield [[logits.subarray(t, t + 1), ...layers.map(({ H }) => H[t])], time];
    }
    return;
  }
  let state = model.start();
  for (let at = 0; at < indices.length; at += SLICE) {
    const start = performance.now();
    const results = indices.slice(at, at + SLICE).map((index) => {
      const result = model.step(state, index);
      ({ state } = result);
      return result;
    });
    const time = (performance.now() - start) / results.length;
    for (const { logits, layers } of results) {
      const inside = layers.flatMap(({ H, C, gates }) => [H, ...(C ? [C] : []), ...Object.values(gates)]);
      yield [[logits, ...inside], time];
    }
  }
}

// Arrays one after the other, as one.
function joined(arrays) {
  const all = new Float64Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

async function all() {
  const texts = await (await fetch("/texts.json")).json();
  const times = {};
  for (const [name, indices] of Object.entries(texts)) {
    const found = [...read(await Play.load(name), indices)];
    times[name] = Math.min(...found.map(([, time]) => time));
    await send(name, joined(found.flatMap(([numbers]) => numbers)));
  }
  await send("done", JSON.stringify({ times, browser: navigator.userAgent }));
}

all().catch((error) => send("failed", String(error.stack ?? error)));
