// One style sheet of the rules in use, and each script in one minified file: see bundle.py, which
// runs this with node and writes to its standard input, as JSON,
//   styles   the style sheets, in their order: [{path, own}, ...], `own` for those of this book
//   words    all names that stand in the tags of the pages, or anywhere in a script
//   sheet    the style sheet to write
//   scripts  {file to write: [{path, own}, ...]}, none of whose own names another one needs
const fs = require("fs");
const path = require("path");
const esbuild = require("esbuild");
const postcss = require("postcss");
const { PurgeCSS } = require("purgecss");

const ASSETS = [".woff2", ".woff", ".ttf", ".svg", ".png"];

// The theme has rules for `data-theme="light"` and for "dark", which its script sets. Until then,
// and without scripts for ever, the attribute is "auto": the same rules by the reader's system.
function followTheSystem() {
  const media = {
    light: "print, (prefers-color-scheme: light)",
    dark: "screen and (prefers-color-scheme: dark)",
  };
  return {
    postcssPlugin: "follow-the-system",
    Rule(rule, { AtRule }) {
      for (const [mode, params] of Object.entries(media)) {
        const chosen = new RegExp(`\\[data-theme=["']?${mode}["']?\\]`, "g");
        const selectors = rule.selectors.filter((selector) => selector.search(chosen) >= 0);
        if (!selectors.length) continue;
        const auto = selectors.map((selector) => selector.replace(chosen, "[data-theme=auto]"));
        const copy = rule.clone({ selectors: auto });
        rule.after(new AtRule({ name: "media", params, nodes: [copy] }));
      }
    },
  };
}

// A font is fetched in one format only: of several in a list, browsers take the first they know.
function oneFormat() {
  return {
    postcssPlugin: "one-format",
    Declaration: {
      src(declaration) {
        declaration.value = declaration.value.split(/,(?=\s*url\()/)[0];
      },
    },
  };
}

// Several style sheets as one, with the addresses in them as seen from where it will stand.
async function join(files, sheet) {
  const folder = path.dirname(sheet);
  const result = await esbuild.build({
    stdin: {
      contents: files.map((file) => `@import ${JSON.stringify(file)};`).join("\n"),
      resolveDir: folder,
      loader: "css",
    },
    bundle: true,
    external: ASSETS.map((kind) => `${folder}/*${kind}`),
    outfile: sheet,
    write: false,
    logLevel: "error",
  });
  return result.outputFiles[0].text;
}

// Of the theme and the extensions only the rules in use; what was written for these pages, whole.
async function styleSheet({ styles, words, sheet }) {
  const files = (wanted) => styles.filter(({ own }) => own === wanted).map((style) => style.path);
  const [others, own] = [await join(files(false), sheet), await join(files(true), sheet)];
  const [purged] = await new PurgeCSS().purge({
    content: [{ raw: words, extension: "html" }],
    css: [{ raw: others }],
    fontFace: true,
    keyframes: true,
    variables: true,
    safelist: { variables: own.match(/--[\w-]+/g) ?? [] },
  });
  const plugins = [followTheSystem(), oneFormat()];
  const whole = await postcss(plugins).process(purged.css + own, { from: undefined });
  const small = await esbuild.transform(whole.css, { loader: "css", minify: true });
  fs.writeFileSync(sheet, small.code);
}

// The scripts of this book have no names in common, and a fault in one leaves the others working.
// The others find each other by name.
async function script(file, parts) {
  let all = "";
  for (const { path: source, own } of parts) {
    const text = fs.readFileSync(source, "utf-8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
    const options = own ? { format: "iife" } : {};
    const code = (await esbuild.transform(text, { minify: true, ...options })).code.trimEnd();
    all += own ? `try{${code}}catch(e){reportError(e)}\n` : `${code};\n`;
  }
  fs.writeFileSync(file, all);
}

async function main() {
  const task = JSON.parse(fs.readFileSync(0, "utf-8"));
  await styleSheet(task);
  for (const [file, parts] of Object.entries(task.scripts)) await script(file, parts);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
