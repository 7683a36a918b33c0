// What a link leads to, shown before it is followed: an equation, a figure, a work, an entry of the
// glossary. It opens when the mouse rests on the link or the keyboard reaches it, and closes when
// they leave, and with Escape. A finger follows the link, as without this script.
const LINKS = "article a[href*='#']:not(.headerlink)";
const WAIT = 150; // ms: the mouse only passes; it is on its way from the link into the box
const box = document.createElement("div");
const file = new URL("../previews-index.js", document.currentScript.src);
let link = null;
let timer = 0;
let loading = null;

box.className = "preview";
box.id = "preview";
box.hidden = true;
box.setAttribute("role", "tooltip");

// From the same page: the target itself.
function here(id) {
  const target = document.getElementById(id);
  if (!target?.matches("div.math, figure, .citation, dt")) return null;
  return target.outerHTML + (target.matches("dt") ? definition(target).outerHTML : "");
}

function definition(term) {
  return term.nextElementSibling.matches("dd") ? term.nextElementSibling : definition(term.nextElementSibling);
}

// From another page: out of a script, which a page opened from a folder may load, too.
function elsewhere(url) {
  loading ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = file;
    script.onload = script.onerror = () => done(window.coursePreviews ?? {});
    document.head.append(script);
  });
  return loading.then((previews) => previews[url.pathname.split("/").pop() + url.hash]);
}

function find(url) {
  const own = url.pathname === location.pathname;
  return own ? here(decodeURIComponent(url.hash.slice(1))) : elsewhere(url);
}

function place(target) {
  const at = [...target.getClientRects()].pop();
  const room = document.documentElement.clientWidth - box.offsetWidth - 16;
  const below = at.bottom + box.offsetHeight + 16 < innerHeight || at.top < box.offsetHeight + 16;
  box.style.left = `${scrollX + Math.max(8, Math.min(at.left, room))}px`;
  box.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - box.offsetHeight - 6)}px`;
}

async function open(target) {
  if (target === link) return;
  const html = await find(new URL(target.href));
  if (!html || !wanted(target)) return; // or gone on meanwhile
  close();
  box.innerHTML = html;
  for (const part of box.querySelectorAll("[id]")) part.removeAttribute("id");
  for (const part of box.querySelectorAll(".headerlink, button")) part.remove();
  for (const part of box.querySelectorAll("a, [tabindex]")) part.tabIndex = -1;
  for (const image of box.querySelectorAll("img")) image.loading = "eager";
  document.body.append(box);
  link = target;
  link.setAttribute("aria-describedby", box.id);
  box.hidden = false;
  place(link);
}

function wanted(target) {
  return target.matches(":hover") || target.matches(":focus-visible");
}

function close() {
  clearTimeout(timer);
  link?.removeAttribute("aria-describedby");
  link = null;
  box.hidden = true;
}

function soon(what) {
  clearTimeout(timer);
  timer = setTimeout(what, WAIT);
}

addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse") return;
  const target = event.target.closest?.(LINKS);
  if (target) soon(() => open(target));
  else if (box.contains(event.target)) clearTimeout(timer);
  else if (link && !link.matches(":focus-visible")) soon(close);
  else clearTimeout(timer);
});
addEventListener("focusin", (event) => {
  const target = event.target.closest?.(LINKS);
  if (target?.matches(":focus-visible")) open(target);
  else if (link) close();
});
addEventListener("focusout", close);
addEventListener("keydown", (event) => {
  if (event.key === "Escape") close();
});
addEventListener("resize", close);
addEventListener("beforeprint", close);
