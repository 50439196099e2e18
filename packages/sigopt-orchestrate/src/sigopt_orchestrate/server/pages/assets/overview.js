// The first view: the best so far, and how it came about.

import { filtersOf } from "./address.js";
import { h, show } from "./dom.js";
import { count, number } from "./format.js";
import { plotCards } from "./plot_views.js";

export function overviewView(context) {
  const cards = plotCards(context);
  const tiles = h("div", { className: "tiles" });
  const best = h("section", { className: "card best" });
  const note = h("p", { className: "note" });
  const outcome = h("div", { className: "outcome" }, tiles, best);
  const element = h("div", {}, outcome, cards.element, note);
  return {
    element,
    async update() {
      const data = await context.fetch("overview", filtersOf(context.place.query));
      drawTiles(tiles, data, context);
      drawBest(best, data, context);
      const one = data.best.length <= 1; // beside its value; a whole front goes below the plots
      outcome.classList.toggle("one", data.best.length === 1);
      (one ? outcome : element).append(best);
      cards.set(data, () => ({ name: "wide", height: 380 }));
      show(note, data.shown < data.matching && data.plots.length
        ? `The cloud is an even sample of ${count(data.shown)} of ${count(data.matching)} trials; the lines and the best are exact.` : "");
      if (element.isConnected) cards.paint();
    },
    shown: cards.paint,
    repaint: cards.paint,
    close: cards.close,
  };
}

function drawTiles(tiles, data, context) {
  const made = [];
  const metrics = context.about?.metrics ?? [];
  const objectives = metrics.length ? metrics.filter((m) => m.strategy === "optimize") : Object.keys(data.best[0]?.values ?? {}).slice(0, 1).map((name) => ({ name }));
  objectives.forEach((metric, index) => {
    const trial = index === 0 ? data.best[0] : data.best.at(-1);
    const value = trial?.values[metric.name];
    if (value === undefined) return;
    const gained = trial.gains[metric.name];
    made.push(h("p", {}, h("span", {}, `best ${metric.name}`), h("strong", {}, number(value)),
      h("span", {}, gained ? `${gained} than the defaults` : `trial ${trial.number}`)));
  });
  if (data.front_size > 1) {
    made.push(h("p", {}, h("span", {}, "Pareto front"), h("strong", {}, count(data.front_size)), h("span", {}, "trials that none beats in both")));
  }
  show(tiles, made);
}

function drawBest(best, data, context) {
  if (!data.best.length) {
    show(best, h("h2", {}, "No result yet"), h("p", { className: "muted" }, data.matching ? "No trial has completed so far." : "No trial matches."));
    return;
  }
  const one = data.best.length === 1;
  const names = Object.keys(data.best[0].assignments), metrics = Object.keys(data.best[0].values);
  const open = (trial) => h("a", { href: "#", onclick: (event) => { event.preventDefault(); context.pick(trial.number); } }, `trial ${trial.number}`);
  const title = h("h2", {}, one ? "Best configuration" : "Pareto front");
  if (one) {
    const [trial] = data.best;
    const pairs = [...metrics.map((name) => [name, trial.values[name], "metric"]), ...names.map((name) => [name, trial.assignments[name], ""])];
    show(best, title, h("p", { className: "muted" }, open(trial), `, ${trial.source}`),
      h("dl", { className: "pairs" }, pairs.map(([name, value, kind]) => h("div", { className: kind }, h("dt", {}, name), h("dd", {}, number(value))))));
    return;
  }
  show(best, title, h("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Pareto front" },
    h("table", {},
      h("thead", {}, h("tr", {}, ["trial", ...metrics, ...names].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, data.best.map((trial) => h("tr", {}, h("th", { scope: "row" }, open(trial)),
        metrics.map((name) => h("td", {}, number(trial.values[name]))), names.map((name) => h("td", {}, number(trial.assignments[name])))))))));
}
