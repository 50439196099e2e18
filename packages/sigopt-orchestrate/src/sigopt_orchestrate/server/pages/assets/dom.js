// Elements without markup: text is always text.

/* An element with properties, attributes and listeners; children may be nested lists, and null,
   false and undefined ones are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

export function show(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
}

let toasts = 0;

// Says a sentence for a few seconds, to screen readers as well.
export function say(sentence, bad = false) {
  const toast = document.getElementById("toast");
  toast.textContent = sentence;
  toast.classList.toggle("bad", bad);
  toast.classList.add("shown");
  const mine = ++toasts;
  setTimeout(() => mine === toasts && toast.classList.remove("shown"), 5000);
}

// Asks before something is done; resolves to whether it is wanted.
export function confirmed(title, text, verb) {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    show(
      dialog,
      h("form", { method: "dialog" },
        h("h2", {}, title),
        h("p", {}, text),
        h("div", { className: "choices" },
          h("button", { value: "no", className: "quiet" }, "Cancel"),
          h("button", { value: "yes", className: "main", autofocus: true }, verb))),
    );
    dialog.returnValue = "no";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}
