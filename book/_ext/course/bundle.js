// One style sheet of the rules in use, and each script in one minified file: see bundle.py, which
// runs this with node and writes to its standard input, as JSON,
//   styles   the style sheets, in their order
//   words    all names that stand in the tags of the pages, or anywhere in a script
//   sheet    the style sheet to write
//   scripts  {file to write: [{path, own}, ...]}, `own` for scripts whose names no other one needs
const fs = require("fs");
const path = require("path");
const esbuild = require("esbuild");
const postcss = require("postcss");
const { PurgeCSS } = require("purgecss");

const ASSETS = [".woff2", ".woff", ".ttf", ".svg", ".png"];

// The theme has rules for `data-theme="light"` and for "dark", which its script sets. Until then,
// and without scripts for ever, the attribute is "auto": the same rules by the reader's system.
function followTheSystem() {
  const media = { light: "print, (prefers-color-scheme: light)", dark: "screen and (prefers-color-scheme: dark)" };
  const pattern = /\[data-theme=["']?(light|dark)["']?\]/g;
  return {
    postcssPlugin: "follow-the-system",
    Rule(rule, { AtRule }) {
      const mode = pattern.exec(rule.selector)?.[1];
      pattern.lastIndex = 0;
      if (!mode || rule.parent.params === media[mode]) return;
      const copy = rule.clone({ selector: rule.selector.replace(pattern, "[data-theme=auto]") });
      const query = new AtRule({ name: "media", params: media[mode], nodes: [copy] });
      rule.after(query);
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

async function styleSheet({ styles, words, sheet }) {
  const folder = path.dirname(sheet);
  const imports = styles.map((file) => `@import ${JSON.stringify(file)};`).join("\n");
  const bundled = await esbuild.build({
    stdin: { contents: imports, resolveDir: folder, loader: "css" },
    bundle: true,
    external: ASSETS.map((kind) => `${folder}/*${kind}`),
    outfile: sheet,
    write: false,
    logLevel: "error",
  });
  const [purged] = await new PurgeCSS().purge({
    content: [{ raw: words, extension: "html" }],
    css: [{ raw: bundled.outputFiles[0].text }],
    fontFace: true,
    keyframes: true,
    variables: true,
  });
  const whole = await postcss([followTheSystem(), oneFormat()]).process(purged.css, { from: undefined });
  const small = await esbuild.transform(whole.css, { loader: "css", minify: true });
  fs.writeFileSync(sheet, small.code);
}

async function script(file, parts) {
  let all = "";
  for (const { path: source, own } of parts) {
    const options = own ? { format: "iife" } : {};
    const text = fs.readFileSync(source, "utf-8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
    all += (await esbuild.transform(text, { minify: true, ...options })).code.trimEnd() + ";\n";
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
