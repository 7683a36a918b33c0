// The trained models in the page: the forward pass of each chapter, on the weights that the build has
// taken from it. No library; a matrix is its rows one after the other. Weights are float32, as in the
// chapters, and what is computed from them is float64: the memory of an LSTM may add up small errors
// over a thousand steps. At a line that computes an equation stands its number.
//
//   const model = await Play.load("gru");               rejects with a sentence for readers
//   let result = model.after(model.read("the f").indices);
//   result = model.step(result.state, index);           a state is never changed, each step has its own
//
// tests/site/test_play.py holds logits, states and gates to PyTorch's.

const folder = new URL("models/", document.currentScript.src);
const GATES = { RNN: [], GRU: ["R", "Z"], LSTM: ["I", "F", "O"] };

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// x W is added to the sums, which have a place for each column of W.
function addProduct(sums, x, W) {
  const columns = sums.length;
  for (let i = 0, at = 0; i < x.length; i++, at += columns) {
    const factor = x[i];
    for (let j = 0; j < columns; j++) sums[j] += factor * W[at + j];
  }
  return sums;
}

// The block of the given number among the sums, each number of it through a function.
function block(sums, number, units, activation) {
  const values = new Float64Array(units);
  for (let j = 0, at = number * units; j < units; j++, at++) values[j] = activation(sums[at], j);
  return values;
}

// A gate as the reader holds it: at a number, at one for each unit, or as a function changes it.
function held(change, name, values) {
  const wanted = change?.[name];
  if (wanted === undefined) return values;
  if (typeof wanted === "function") return wanted(values) ?? values;
  return typeof wanted === "number" ? values.fill(wanted) : new Float64Array(wanted);
}

// One step of each kind of layer: from X_t and the state before to the state after, and what is
// inside. The columns of W_x and W_h, and b, have the blocks in the order of the chapters.
const cells = {
  RNN({ units, W_x, W_h, b }, X, { H }) {
    const sums = addProduct(addProduct(new Float64Array(b), X, W_x), H, W_h);
    return { H: block(sums, 0, units, Math.tanh), gates: {} }; // (1.4) eq-rnn
  },

  GRU({ units, W_x, W_h, b }, X, { H }, change) {
    const columns = 3 * units;
    const fromX = addProduct(new Float64Array(b.subarray(0, columns)), X, W_x);
    const fromH = addProduct(new Float64Array(columns), H, W_h);
    const b_hh = b.subarray(columns);
    const gate = (number) =>
      block(fromX, number, units, (x, j) => sigmoid(x + fromH[number * units + j]));
    const R = held(change, "R", gate(0)); // (2.1) eq-gru-gates
    const Z = held(change, "Z", gate(1)); // (2.1) eq-gru-gates
    let Hc = block(fromX, 2, units, (x, j) => Math.tanh(x + R[j] * (fromH[2 * units + j] + b_hh[j])));
    Hc = held(change, "Hc", Hc); // (2.2) eq-gru-candidate
    const after = H.map((h, j) => Z[j] * h + (1 - Z[j]) * Hc[j]); // (2.3) eq-gru-state
    return { H: after, gates: { R, Z, Hc } };
  },

  LSTM({ units, W_x, W_h, b }, X, { H, C }, change) {
    const sums = addProduct(addProduct(new Float64Array(b), X, W_x), H, W_h);
    const I = held(change, "I", block(sums, 0, units, sigmoid)); // (3.3) eq-lstm-gates
    const F = held(change, "F", block(sums, 1, units, sigmoid)); // (3.3) eq-lstm-gates
    const O = held(change, "O", block(sums, 3, units, sigmoid)); // (3.3) eq-lstm-gates
    const G = held(change, "G", block(sums, 2, units, Math.tanh)); // (3.4) eq-lstm-candidate
    const memory = C.map((c, j) => F[j] * c + I[j] * G[j]); // (3.5) eq-lstm-memory
    const after = O.map((o, j) => o * Math.tanh(memory[j])); // (3.6) eq-lstm-state
    return { H: after, C: memory, gates: { I, F, O, G } };
  },
};

// A layer of given weights, arrays of any kind: step(X, state, change) as above.
function build(layer) {
  const [W_x, W_h, b] = ["W_x", "W_h", "b"].map((name) => new Float32Array(layer[name]));
  const whole = { ...layer, W_x, W_h, b };
  const zeros = () => new Float64Array(layer.units);
  return {
    ...whole,
    start: () => (layer.kind === "LSTM" ? { H: zeros(), C: zeros() } : { H: zeros() }),
    step: (X, state, change) => cells[layer.kind](whole, X, state, change),
  };
}

// (1.7) eq-softmax, of logits divided by a temperature; at 0 the greatest has it all.
function softmax(logits, temperature = 1) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const raised = logits.map((o) =>
    temperature > 0 ? Math.exp((o - most) / temperature) : Number(o === most),
  );
  const total = raised.reduce((a, b) => a + b, 0);
  return raised.map((p) => p / total);
}

// The index of a symbol drawn with these probabilities.
function draw(probabilities, random = Math.random) {
  let rest = random();
  return Math.max(
    probabilities.findIndex((p) => (rest -= p) < 0),
    probabilities.indexOf(1), // after rounding nothing may be left below 0
    0,
  );
}

// Numbers from 0 to 1 that look random and are the same for the same seed.
function random(seed) {
  let x = (seed * 2654435761 + 88675123) >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

const SILENT = /[\s\p{P}\p{Z}\p{C}\p{M}\p{Sk}]/u; // left out without a word

class Model {
  constructor(meta) {
    this.meta = meta;
    this.means = [];
  }

  // What the model reads of a text: lower-case letters, a space for each run of other characters.
  read(text) {
    const { symbols } = this.meta;
    const indices = [];
    const unknown = new Set();
    const space = symbols.indexOf(" ");
    for (const character of text.toLowerCase()) {
      const index = symbols.indexOf(character);
      if (index >= 0 && index !== space) indices.push(index);
      else if (space >= 0 && indices.length && indices.at(-1) !== space) indices.push(space);
      if (index < 0 && !SILENT.test(character)) unknown.add(character);
    }
    return { indices, text: indices.map((i) => symbols[i]).join(""), unknown: [...unknown] };
  }

  check(index) {
    if (this.meta.symbols[index] === undefined) {
      throw new Error(`${index} is no symbol: there are ${this.meta.symbols.length}, from 0.`);
    }
  }

  // The result after a whole text, from the start.
  after(indices, change) {
    if (!indices.length) throw new Error("There is no letter to read: give at least one.");
    let result = { state: this.start() };
    for (const index of indices) result = this.step(result.state, index, change);
    return result;
  }

  // What each symbol costs but the first, in nats: minus the logarithm of its probability.
  cost(indices, change) {
    let result = { state: this.start() };
    return Float64Array.from(indices, (index) => {
      const cost = -Math.log(result.probabilities?.[index] ?? NaN);
      result = this.step(result.state, index, change);
      return cost;
    });
  }
}

// Embedding, layers, output layer.
class Network extends Model {
  constructor(meta, parts) {
    super(meta);
    this.embedding = parts.embedding;
    this.size = this.embedding.length / meta.symbols.length;
    this.output = { W: parts["output.W"], b: parts["output.b"] };
    this.layers = meta.layers.map((about, i) => {
      const W = parts[`${i}.W`]; // the rows for X, below them those for H
      const rows = (about.inputs * W.length) / (about.inputs + about.units);
      return build({ ...about, W_x: W.subarray(0, rows), W_h: W.subarray(rows), b: parts[`${i}.b`] });
    });
    this.means = this.layers.map(({ kind, units }, i) => {
      const all = parts[`${i}.means`]; // a row for each unit
      const names = all ? GATES[kind] : [];
      const mean = (k) => Float32Array.from({ length: units }, (_, j) => all[j * names.length + k]);
      return Object.fromEntries(names.map((name, k) => [name, mean(k)]));
    });
  }

  // The units of a layer, slow to fast: by the mean of the gate that keeps.
  order(layer = 0) {
    const { Z, F } = this.means[layer];
    const units = [...Array(this.layers[layer].units).keys()];
    return Z || F ? units.sort((i, j) => (Z ?? F)[j] - (Z ?? F)[i]) : units;
  }

  start() {
    return this.layers.map((layer) => layer.start());
  }

  copy(state) {
    return structuredClone(state);
  }

  embed(index) {
    this.check(index);
    return this.embedding.subarray(index * this.size, (index + 1) * this.size);
  }

  score(H) {
    const { W, b } = this.output;
    return addProduct(new Float64Array(b), H, W); // (1.5) eq-output
  }

  step(state, index, change) {
    let H = this.embed(index);
    const layers = this.layers.map((layer, l) => {
      const here = (change?.layer ?? l) === l ? change : undefined;
      const result = layer.step(H, state[l], here); // (4.1) eq-deep
      H = layer.residual ? result.H.map((h, j) => H[j] + h) : result.H; // (4.4) eq-deep-residual
      return result;
    });
    const logits = this.score(H);
    const next = layers.map(({ H, C }) => (C ? { H, C } : { H }));
    return { state: next, logits, probabilities: softmax(logits), layers };
  }
}

// Two layers over the whole text, one to the right, one to the left; one score for each letter.
class Tagger extends Network {
  run(indices) {
    const inputs = indices.map((index) => this.embed(index));
    const [toRight, toLeft] = this.layers.map((layer) => (all) => {
      let state = layer.start();
      return all.map((X) => (state = layer.step(X, state)).H); // (5.3) eq-bi
    });
    const right = toRight(inputs);
    const left = toLeft(inputs.toReversed()).toReversed();
    const logits = Float64Array.from(right, (H, t) => {
      const joined = new Float64Array(2 * H.length);
      joined.set(H);
      joined.set(left[t], H.length); // (5.4) eq-bi-join
      return this.score(joined)[0];
    });
    return { logits, probabilities: logits.map(sigmoid), layers: [{ H: right }, { H: left }] };
  }

  step() {
    throw new Error("This model reads in both directions: it needs the whole text, model.run(indices).");
  }
}

// Modified Kneser-Ney, counted here: the file holds the text. Each place of it has a number, whose
// digits are the symbols before it, the nearest first; when the numbers are sorted, the places with
// the same context stand side by side.
class Counting extends Model {
  constructor(meta, { bytes }) {
    super(meta);
    this.text = bytes;
    this.longest = meta.order - 1;
    this.base = meta.symbols.length + 1; // the digit 0: no symbol, before the text
    const count = bytes.length;
    const numbers = Float64Array.from(bytes, (_, i) => {
      let digits = 0;
      for (let j = 1; j <= this.longest; j++) digits = digits * this.base + 1 + (bytes[i - j] ?? -1);
      return digits * count + i;
    });
    this.numbers = numbers.sort();
    this.places = Int32Array.from(numbers, (number) => number % count);
  }

  start() {
    return { context: [] };
  }

  copy(state) {
    return structuredClone(state);
  }

  // Where the first number stands that is not below the given one.
  find(number) {
    let [low, high] = [0, this.numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The places that stand after a context.
  after_(context) {
    const digits = context.reduceRight((sum, index) => sum * this.base + index + 1, 0);
    const unit = this.base ** (this.longest - context.length) * this.places.length;
    return this.places.subarray(this.find(digits * unit), this.find((digits + 1) * unit));
  }

  // c(h, w) for each w: how often it follows, or, below the longest context, after how many symbols.
  counts(context) {
    const [k, size] = [context.length, this.base - 1];
    const counts = new Float64Array(size);
    const seen = new Uint8Array(size * size);
    for (const i of this.after_(context)) {
      const w = this.text[i];
      if (k < this.longest) {
        const pair = w * size + this.text[i - k - 1];
        if (i === k || seen[pair]) continue; // nothing stands before the text
        seen[pair] = 1;
      }
      counts[w]++;
    }
    return counts;
  }

  step(state, index) {
    this.check(index);
    const context = [...state.context, index].slice(-this.longest || Infinity);
    let p = new Float64Array(this.base - 1).fill(1 / (this.base - 1));
    let orders = 0;
    for (let k = 0; k <= context.length; k++) {
      const counts = k ? this.counts(context.slice(-k)) : (this.single ??= this.counts([]));
      const total = counts.reduce((a, b) => a + b);
      if (!total) break; // a context that never occurred: the shorter one stands
      const D = counts.map((c) => (c ? this.meta.discounts[k][Math.min(c, 3) - 1] : 0));
      const rest = D.reduce((a, b) => a + b) / total;
      p = p.map((shorter, w) => (counts[w] - D[w]) / total + rest * shorter); // (1.2) eq-kneser-ney
      orders = k;
    }
    return { state: { context }, logits: p.map(Math.log), probabilities: p, layers: [], orders };
  }
}

// A matrix of bytes as it was before it was rounded: each column has its scale.
function scaled(numbers, scales) {
  const matrix = new Float32Array(numbers.length);
  for (let i = 0; i < matrix.length; i++) matrix[i] = numbers[i] * scales[i % scales.length];
  return matrix;
}

// The parts of a file by name; d2lhelpers/export.py says how it is made up.
function parse(buffer) {
  const bytes = new Uint8Array(buffer);
  const decode = (from, to) => new TextDecoder().decode(bytes.subarray(from, to));
  if (decode(0, 4) !== "PLAY") throw new Error("it does not begin as a model does");
  const start = 8 + new DataView(buffer).getUint32(4, true);
  const meta = JSON.parse(decode(8, start));
  const rounded = ([name, shape]) => name === "bytes" || shape.length === 2;
  const size = (shape) => shape.reduce((a, b) => a * b);
  const floats = meta.parts.filter(([name]) => name !== "bytes").map(([, shape]) => shape.at(-1));
  let at = start + 4 * floats.reduce((a, b) => a + b, 0);
  const whole = at + meta.parts.filter(rounded).reduce((sum, [, shape]) => sum + size(shape), 0);
  if (whole !== bytes.length) throw new Error(`it has ${bytes.length} bytes instead of ${whole}`);
  let vector = start;
  const floatsOf = (count) => new Float32Array(buffer, (vector += 4 * count) - 4 * count, count);
  const parts = {};
  for (const part of meta.parts) {
    const [name, shape] = part;
    if (!rounded(part)) parts[name] = floatsOf(shape[0]);
    else {
      const numbers = new Int8Array(buffer, at, size(shape));
      at += numbers.length;
      parts[name] = name === "bytes" ? numbers : scaled(numbers, floatsOf(shape[1]));
    }
  }
  return { meta, parts };
}

const KINDS = { language: Network, tagger: Tagger, counting: Counting };

async function fetched(name) {
  if (location.protocol === "file:") {
    throw new Error(
      "The models can be loaded only from a server, and this page was opened from a folder. Run " +
        "“python3 -m http.server” in the folder of the site and open http://localhost:8000.",
    );
  }
  let buffer;
  try {
    const response = await fetch(new URL(`${name}.bin`, folder), {
      signal: AbortSignal.timeout(60_000),
    });
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    buffer = await response.arrayBuffer();
  } catch (error) {
    throw new Error(`The model “${name}” could not be loaded (${error.message}). Try again later.`);
  }
  try {
    const { meta, parts } = parse(buffer);
    return new KINDS[meta.kind](meta, parts);
  } catch (error) {
    throw new Error(`The file of the model “${name}” is damaged (${error.message}). Load the page anew.`);
  }
}

const loaded = new Map();

function load(name) {
  if (!loaded.has(name)) {
    const model = fetched(name);
    model.catch(() => loaded.delete(name)); // the next try asks again
    loaded.set(name, model);
  }
  return loaded.get(name);
}

window.Play = { load, build, cells, softmax, draw, random };
