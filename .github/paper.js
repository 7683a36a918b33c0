// Makes one document of the pages of the built site, to be printed. Runs in an empty page that is
// served from the site's root; `pages` are paths in the order of the contents.
async ({ pages, title, note }) => {
  const stem = (path) => path.split("/").pop().replace(/\.html$/, "");
  const place = (path, id) => (id ? `${stem(path)}--${decodeURIComponent(id)}` : stem(path));
  const make = (tag, text = "", properties = {}) =>
    Object.assign(document.createElement(tag), { textContent: text, ...properties });

  const documents = new Map();
  for (const path of pages) {
    const response = await fetch("/" + path);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    documents.set(path, new DOMParser().parseFromString(await response.text(), "text/html"));
  }

  // The style sheets of all pages, each once, before our own.
  const styles = new Set();
  for (const [path, page] of documents) {
    for (const link of page.querySelectorAll("link[rel=stylesheet]")) {
      styles.add(new URL(link.getAttribute("href"), location.origin + "/" + path).href);
    }
  }
  const loaded = [...styles].map((href) => {
    const link = make("link", "", { rel: "stylesheet", href });
    return [link, new Promise((done, fail) => Object.assign(link, { onload: done, onerror: fail }))];
  });
  document.head.prepend(...loaded.map(([link]) => link));
  await Promise.all(loaded.map(([, end]) => end));

  function adopt(path, page) {
    const base = location.origin + "/" + path;
    const article = document.adoptNode(page.querySelector("article.bd-article"));
    const useless =
      "script, button, .headerlink, .downloads, .quiz-score, [role=status], " +
      "details:is(.hide, .code-fold)"; // the code of drawings
    article.querySelectorAll(useless).forEach((e) => e.remove());
    // A link to another page leads to its place here; one to another file of the site is none.
    for (const link of article.querySelectorAll("a[href]")) {
      const target = new URL(link.getAttribute("href"), base);
      const inside = target.pathname.slice(1);
      if (target.origin !== location.origin) continue;
      if (documents.has(inside)) link.href = "#" + place(inside, target.hash.slice(1));
      else link.removeAttribute("href");
    }
    for (const part of article.querySelectorAll("[src]")) {
      part.src = new URL(part.getAttribute("src"), base).href;
      part.removeAttribute("loading");
    }
    for (const part of article.querySelectorAll("[srcset]")) part.removeAttribute("srcset");
    for (const part of article.querySelectorAll("[id]")) part.id = place(path, part.id);
    for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
      for (const part of article.querySelectorAll(`[${name}]`)) {
        const ids = part.getAttribute(name).split(/\s+/);
        part.setAttribute(name, ids.map((id) => place(path, id)).join(" "));
      }
    }
    for (const part of article.querySelectorAll("input")) part.name = place(path, part.name);
    for (const part of article.querySelectorAll("details")) part.open = true;
    article.id = place(path);
    return article;
  }

  function answered(quiz) {
    const item = make("div", "", { className: "answer", id: `${quiz.id}--answer` });
    const number = quiz.querySelector("b").textContent;
    const lead = make("p");
    lead.append(make("a", number, { href: "#" + quiz.id }));
    item.append(lead);
    const rows = [...quiz.querySelectorAll("fieldset > div:has(> label)")];
    const order = rows.sort((a, b) => ("right" in b.dataset) - ("right" in a.dataset));
    for (const row of order) {
      const said = make("p");
      said.append(...row.querySelector("label > span").cloneNode(true).childNodes);
      said.append(" ", row.querySelector("strong").cloneNode(true), " ");
      for (const part of row.querySelectorAll(":scope > div > p")) {
        said.append(...part.cloneNode(true).childNodes, " ");
      }
      item.append(said);
    }
    const again = quiz.querySelector(".quiz-reread");
    if (again) item.append(again);
    const there = make("p", "", { className: "to-answer" });
    there.append(make("a", "Answer", { href: `#${quiz.id}--answer` }));
    quiz.append(there);
    return item;
  }

  // Solutions and answers stand at the end of their chapter, so that one can think first.
  function toTheEnd(article, heading, items) {
    if (!items.length) return;
    const section = make("section", "", { className: "at-the-end" });
    section.append(make("h2", heading, { id: `${article.id}--${heading}` }), ...items);
    article.querySelector("section").append(section);
  }

  const body = make("div", "", { className: "bd-article-container" });
  for (const [path, page] of documents) {
    const article = adopt(path, page);
    const solutions = [...article.querySelectorAll(".solution[id]")];
    const number = (part) => part.textContent.match(/Exercise [\d.]+/)[0];
    for (const exercise of article.querySelectorAll(".exercise")) {
      const solution = solutions.find((one) => number(one) === number(exercise));
      if (!solution) continue;
      const there = make("p", "", { className: "to-answer" });
      there.append(make("a", "Solution", { href: "#" + solution.id }));
      exercise.append(there);
    }
    toTheEnd(article, "Answers", [...article.querySelectorAll(".quiz")].map(answered));
    toTheEnd(article, "Solutions", solutions);
    body.append(article);
  }

  const front = make("div", "", { className: "front" });
  front.append(make("p", title, { className: "title" }), make("p", note));
  const contents = make("nav");
  contents.append(make("h1", "Contents"));
  const list = make("ul");
  for (const heading of body.querySelectorAll("h1, h2")) {
    heading.id ||= `heading-${list.childElementCount}`;
    const entry = make("li", "", { className: heading.tagName.toLowerCase() });
    const link = make("a", "", { href: "#" + heading.id });
    link.append(...heading.cloneNode(true).childNodes);
    entry.append(link, make("span", "", { className: "page" }));
    list.append(entry);
  }
  contents.append(list);
  const main = make("main", "", { className: "bd-main" });
  const content = make("div", "", { className: "bd-content" });
  content.append(front, contents, body);
  main.append(content);
  document.body.append(main);
  document.documentElement.dataset.theme = "light";

  await Promise.all([...document.images].map((image) => image.decode()));
  await document.fonts.ready;
};
