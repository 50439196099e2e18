// The views that are plots and little else.

import { draw } from "./draw.js";
import { filtersOf } from "./address.js";
import { h, show } from "./dom.js";
import { count } from "./format.js";

/* Cards with a plot each, kept from update to update so that what was zoomed stays so. */
export function plotCards(context) {
  const element = h("div", { className: "plots" });
  const cards = new Map(); // by title
  let held = null;

  function paint() {
    if (!held) return;
    held.plots.forEach(({ title, figure }) => {
      const { place } = cards.get(title);
      const wide = place.clientWidth > 700;
      draw(place, figure, { hover: held.hover, pick: context.pick, toolbar: wide, ...coordinates(context, figure) });
    });
  }

  function set(data, look) {
    held = data;
    for (const [title, { card }] of cards) {
      if (!data.plots.some((plot) => plot.title === title)) { card.remove(); cards.delete(title); }
    }
    data.plots.forEach(({ title, figure }, index) => {
      if (!cards.has(title)) {
        const place = h("div", { className: "plot", role: "img", ariaLabel: title });
        const kind = look(title, figure, index);
        const card = h("section", { className: `card ${kind.name}` }, h("h2", {}, title),
          kind.note && h("p", { className: "note" }, kind.note),
          kind.scrolls ? h("div", { className: "sideways", tabIndex: 0, role: "region", ariaLabel: title }, place) : place);
        if (kind.height) place.style.height = `${kind.height}px`;
        cards.set(title, { card, place });
      }
      element.append(cards.get(title).card);
    });
  }
  addEventListener("resize", paint);
  return { element, set, paint, close: () => removeEventListener("resize", paint) };
}

// The ranges of the address on the axes of parallel coordinates, and back.
function coordinates(context, figure) {
  if (figure.data[0].type !== "parallel") return {};
  const dimensions = figure.data[0].dimensions;
  const chosen = {};
  for (const [key, value] of filtersOf(context.place.query)) {
    const dimension = dimensions.find((d) => d.key === key);
    if (!dimension) continue;
    if (dimension.categories?.length) {
      const at = value.split(",").map((v) => dimension.categories.findIndex((c) => String(c) === v));
      chosen[key] = [Math.min(...at) - 0.3, Math.max(...at) + 0.3];
      continue;
    }
    const [low, high] = value.split("..");
    const place = (text, end) => (text === "" ? end : dimension.log ? Math.log10(Number(text)) : Number(text));
    chosen[key] = [place(low, dimension.range[0]), place(high ?? "", dimension.range[1])];
  }
  return {
    chosen,
    choose(key, ends) {
      if (!ends) { context.go({ [key]: null }); return; }
      const dimension = dimensions.find((d) => d.key === key);
      if (dimension.categories?.length) {
        const inside = dimension.categories.filter((_, i) => i >= ends[0] && i <= ends[1]);
        if (inside.length) context.go({ [key]: inside.join(",") });
        return;
      }
      const text = (end) => String(Number((dimension.log ? 10 ** end : end).toPrecision(4)));
      context.go({ [key]: `${text(ends[0])}..${text(ends[1])}` });
    },
  };
}

// A view that is one of the server's, all plots.
export function plotsView(name) {
  return (context) => {
    const cards = plotCards(context);
    const note = h("p", { className: "note" });
    const element = h("div", {}, cards.element, note);
    return {
      element,
      async update() {
        const data = await context.fetch(name, filtersOf(context.place.query));
        show(note, data.shown < data.matching
          ? `An even sample of ${count(data.shown)} of ${count(data.matching)} trials; the best and all that improved on those before are in it.`
          : "");
        if (!data.plots.length) {
          show(cards.element, h("section", { className: "card empty" }, h("p", {}, "No trial that could be drawn has completed yet.")));
          return;
        }
        cards.element.querySelector(".empty")?.remove();
        cards.set(data, (title, figure) => look(name, title, figure));
        if (element.isConnected) cards.paint();
      },
      shown: cards.paint,
      repaint: cards.paint,
      close: cards.close,
    };
  };
}

function look(name, title, figure) {
  if (name === "parallel") {
    return {
      name: "wide", scrolls: true, height: 460,
      note: "Stronger blue is better, orange the best. Drag along an axis to filter, click on it to let go; a click on a line opens the trial.",
    };
  }
  if (title === "Importance") return { name: "wide", height: 60 + 34 * figure.data[0].y.length * figure.data.length ** 0.5 };
  return { name: "slice", height: 270 };
}
