// All experiments, newest first.

import { follow, get } from "./api.js";
import { link } from "./address.js";
import { h, show } from "./dom.js";
import { count, moment, number } from "./format.js";

export function experimentsPage(content, session) {
  const search = h("input", {
    type: "search", placeholder: "Find by name", ariaLabel: "Find an experiment by its name",
    oninput: () => { clearTimeout(search.due); search.due = setTimeout(update, 150); },
  });
  const list = h("div", { className: "experiments" });
  const more = h("button", { type: "button", className: "quiet more", hidden: true, onclick: older }, "Older ones");
  let stop = null, shown = [];

  async function update() {
    const { experiments } = await get("experiments", search.value ? { search: search.value } : null);
    shown = experiments;
    draw();
  }

  async function older() {
    const query = { search: search.value };
    for (const kind of ["local", "api"]) {
      const ids = shown.filter((one) => one.kind === kind).map((one) => one.id);
      query[`before_${kind}`] = ids.length ? Math.min(...ids) : 1;
    }
    shown = [...shown, ...(await get("experiments", query)).experiments];
    draw();
  }

  function draw() {
    more.hidden = shown.length === 0 || shown.length % 50 !== 0;
    if (!shown.length) {
      show(list, h("section", { className: "card empty" },
        h("h2", {}, search.value ? "No experiment of this name" : "No experiments yet"),
        !search.value && h("p", {}, "Run one, and it shows up here as it goes:"),
        !search.value && h("pre", {}, session.sees_local ? "orchestrate run experiment.yml" : "sigopt optimize -e experiment.yml python train.py")));
      return;
    }
    show(list, h("ul", { className: "list" }, shown.map(row)));
  }

  return {
    async place() {
      show(document.getElementById("crumbs"));
      document.title = "orchestrate";
      if (stop) return;
      show(content, h("div", { className: "top" }, h("h1", {}, "Experiments"), search), list, more);
      await update();
      stop = follow("events", update, (on) => { document.getElementById("live").hidden = !on; });
    },
    close() { stop?.(); },
  };
}

function row(one) {
  const budget = one.budget ?? 0;
  const part = budget ? Math.min(1, one.observed / budget) : 0;
  const failed = one.counts.failed ?? 0;
  return h("li", {},
    h("a", { href: link(one.kind, one.id, "overview"), className: "card row" },
      h("span", { className: "title" },
        h("strong", {}, one.name),
        h("span", { className: "where" }, `${one.kind === "local" ? "run" : "API"} ${one.id} · ${moment(one.created_at)}`)),
      stateOf(one),
      h("span", { className: "budget" },
        h("progress", { max: 1, value: part, ariaLabel: "Part of the budget that is used" }),
        h("span", {}, budget ? `${count(one.observed)} / ${count(budget)}` : count(one.observed),
          failed ? h("em", {}, ` ${count(failed)} failed`) : null)),
      h("span", { className: "goal" }, one.objectives.length ? one.objectives.map((name) => [
        name in one.best ? h("strong", {}, number(one.best[name])) : null, h("span", {}, `${name} `)]) : "single run")));
}

export function stateOf(one) {
  const running = one.state === "running";
  const word = one.paused && running ? "paused" : one.state;
  return h("span", { className: `state ${word}` }, word);
}
