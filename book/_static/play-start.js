// The widgets of a page. Nothing of them is fetched before a reader presses the button of one.
(() => {
  const folder = document.currentScript.src;
  const fetched = new Map();

  // A script or a style sheet in the page, once; one that did not come is asked for again.
  function fetchOnce(element, address) {
    if (!fetched.has(address)) {
      fetched.set(address, new Promise((done, fail) => {
        element[element.rel ? "href" : "src"] = new URL(address, folder);
        element.onload = done;
        element.onerror = () => {
          fetched.delete(address);
          element.remove();
          fail(new Error(`${address} did not come: are you offline? Everything else on the page is there.`));
        };
        document.head.append(element);
      }));
    }
    return fetched.get(address);
  }

  async function start(box, button, status) {
    if (status.textContent === "Loading…") return;
    status.textContent = "Loading…";
    try {
      const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet" });
      await Promise.all([
        fetchOnce(sheet, "play-widgets.css"),
        fetchOnce(document.createElement("script"), "play.js"),
      ]);
      const { name, models, text } = box.dataset;
      const loaded = await Promise.all(models.split(" ").filter(Boolean).map((model) => Play.load(model)));
      const widget = document.createElement("div");
      Object.assign(widget, { className: "play-on", tabIndex: -1 });
      widget.setAttribute("role", "group");
      widget.setAttribute("aria-label", button.ariaLabel.replace(/.*?: /, ""));
      const image = box.querySelector("img");
      const begin = PlayWidgets[name](widget, loaded, text, image.cloneNode());
      image.replaceWith(widget);
      button.remove();
      status.remove();
      begin();
      widget.focus({ preventScroll: true }); // not its field: on a phone that opens the keyboard
    } catch (error) {
      status.textContent = error.message;
      button.textContent = "Try again";
      button.ariaLabel = button.ariaLabel.replace("Start", "Try again");
    }
  }

  for (const box of document.querySelectorAll(".play")) {
    const button = box.querySelector("button");
    const status = box.querySelector("[role=status]");
    button.addEventListener("click", () => start(box, button, status));
  }
})();
