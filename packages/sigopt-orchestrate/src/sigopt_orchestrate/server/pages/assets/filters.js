// What narrows the trials: chips for what is chosen, and a form for more.

import { filtersOf } from "./address.js";
import { h, show } from "./dom.js";
import { number } from "./format.js";

const STATES = ["completed", "failed", "running", "queued", "stopped"];

export function filterBar(bar, context, shown) {
  bar.hidden = !shown || !context.about.parameters.length;
  if (bar.hidden) return;
  const chosen = filtersOf(context.place.query);
  const chips = chosen.map(([key, value]) =>
    h("button", {
      type: "button", className: "chip", title: "Take this filter away",
      ariaLabel: `Take away the filter ${words(key, value)}`,
      onclick: () => context.go({ [key]: null, offset: null }),
    }, words(key, value), h("span", { ariaHidden: "true" }, " ×")));
  const clear = chosen.length > 1 && h("button", {
    type: "button", className: "quiet",
    onclick: () => context.go(Object.fromEntries([...chosen.map(([key]) => [key, null]), ["offset", null]])),
  }, "Clear");
  show(bar, form(context), chips, clear);
}

function words(key, value) {
  if (key === "state") return value.replace(",", " or ");
  const name = key.slice(2), [low, high] = value.split("..");
  if (high === undefined) return `${name}: ${value}`;
  if (!low) return `${name} ≤ ${number(Number(high))}`;
  if (!high) return `${name} ≥ ${number(Number(low))}`;
  return `${number(Number(low))} ≤ ${name} ≤ ${number(Number(high))}`;
}

function form(context) {
  const { about } = context;
  const options = [
    ["state", "state"],
    ...about.metrics.map((m) => [`m.${m.name}`, m.name]),
    ...about.parameters.map((p) => [`p.${p.name}`, p.name]),
  ];
  const fields = h("span", { className: "fields" });
  const pick = h("select", { ariaLabel: "What to filter by", onchange: () => draw(pick.value) },
    options.map(([value, text]) => h("option", { value }, text)));
  const details = h("details", { className: "filter" },
    h("summary", {}, "Filter"),
    h("form", {
      onsubmit: (event) => {
        event.preventDefault();
        const value = read();
        details.open = false;
        if (value !== null) context.go({ [pick.value]: value, offset: null });
      },
    }, pick, fields, h("button", { className: "main" }, "Apply")));
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) {
      details.open = false;
      details.querySelector("summary").focus();
      event.stopPropagation();
    }
  });
  let read = () => null;

  function draw(key) {
    const parameter = about.parameters.find((p) => `p.${p.name}` === key);
    if (key === "state" || parameter?.type === "categorical") {
      const values = key === "state" ? STATES : parameter.values;
      const boxes = values.map((value) => h("input", { type: "checkbox", value: String(value) }));
      show(fields, boxes.map((box) => h("label", {}, box, ` ${box.value}`)));
      read = () => boxes.filter((box) => box.checked).map((box) => box.value).join(",") || null;
      return;
    }
    const low = h("input", { type: "number", step: "any", placeholder: parameter ? number(parameter.min) : "least", ariaLabel: "At least" });
    const high = h("input", { type: "number", step: "any", placeholder: parameter ? number(parameter.max) : "most", ariaLabel: "At most" });
    show(fields, low, " to ", high);
    read = () => (low.value || high.value ? `${low.value}..${high.value}` : null);
  }
  draw("state");
  return details;
}
