// The drawer at the side: one trial with its parameters, learning curves and log.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { draw } from "./draw.js";
import { dollars, duration, memory, moment, number } from "./format.js";

export function drawer(element, path, act) {
  let open = null, go = null, from = null, held = null, curves = null, clock = null;

  // Anywhere on the page: a button that is drawn anew while it has the focus leaves it to nobody.
  function leave(event) {
    const asking = document.querySelector("dialog[open]");
    if (event.key === "Escape" && open !== null && !asking) go({ trial: null });
  }
  document.addEventListener("keydown", leave);

  async function update() {
    if (open === null) return;
    const asked = open;
    const trial = await get(`${path}/trials/${asked}`);
    if (asked !== open) return;
    const log = element.querySelector("pre.log");
    const atEnd = !log || log.scrollTop + log.clientHeight > log.scrollHeight - 20;
    const focused = element.contains(document.activeElement);
    held = trial;
    drawAll(trial);
    const fresh = element.querySelector("pre.log");
    if (fresh && atEnd) fresh.scrollTop = fresh.scrollHeight;
    if (focused) element.querySelector("button.close").focus();
    clearTimeout(clock);
    if (trial.state === "running") clock = setTimeout(() => update().catch(() => {}), 1500); // its log grows
  }

  function drawAll(trial) {
    const names = Object.keys(trial.curves ?? {});
    curves = names.length ? h("div", { className: "plot curve", role: "img", ariaLabel: `Learning curves of trial ${trial.number}` }) : null;
    show(element,
      h("div", { className: "top" },
        h("h2", {}, `Trial ${trial.number} `, h("span", { className: `state ${trial.state}` }, trial.state)),
        h("button", { type: "button", className: "close quiet", ariaLabel: "Close (Esc)", onclick: () => go({ trial: null }) }, "×")),
      trial.reason && h("p", { className: "reason" }, trial.reason),
      h("p", { className: "facts" },
        h("span", {}, h("strong", {}, duration(trial.duration_s))),
        h("span", {}, trial.source),
        trial.attempt > 1 && h("span", {}, `attempt ${trial.attempt}`),
        trial.usage && h("span", {}, memory(trial.usage.memory)),
        trial.cost_usd != null && h("span", {}, dollars(trial.cost_usd)),
        h("span", {}, moment(trial.started_at ?? trial.created_at))),
      Object.keys(trial.values).length ? h("dl", { className: "pairs values" }, Object.entries(trial.values).map(pair)) : null,
      h("h3", {}, "Parameters"),
      h("dl", { className: "pairs" }, Object.entries(trial.assignments).map(pair)),
      curves && h("h3", {}, "Learning curves"), curves,
      trial.log && h("h3", {}, "Log"),
      trial.log && h("pre", { className: "log", tabIndex: 0 }, (trial.log.cut ? "…\n" : "") + (trial.log.text || "It wrote nothing.")),
      trial.output && h("p", { className: "note" }, "Files: ", h("code", {}, trial.output)),
      h("div", { className: "actions" },
        trial.state === "failed" && trial.log && h("button", { type: "button", className: "quiet", onclick: () => act("retry", "Retry", `Run trial ${trial.number} once more? It adds one to the budget.`, [trial.number]) }, "Retry"),
        trial.state === "running" && trial.log && h("button", {
          type: "button", className: "danger", disabled: trial.told_to_end,
          onclick: () => act("stop-trial", "End early", `Tell trial ${trial.number} to end at its next checkpoint? What it has reported by then is its result.`, [trial.number]),
        }, trial.told_to_end ? "Told to end" : "End early")));
    paint();
  }

  function pair([name, value]) {
    return h("div", {}, h("dt", {}, name), h("dd", {}, number(value)));
  }

  function paint() {
    if (!curves || !held) return;
    const colours = ["var(--trial)", "var(--best)", "var(--muted)", "var(--scale-2)"];
    const data = Object.entries(held.curves).map(([name, { x, y }], index) => ({
      type: "scatter", mode: x.length < 40 ? "lines+markers" : "lines", name, x, y,
      line: { color: colours[index % 4], width: 2 }, marker: { size: 5 },
    }));
    const axis = { gridcolor: "var(--grid)", linecolor: "var(--grid)", zerolinecolor: "var(--grid)", automargin: true };
    draw(curves, {
      data,
      layout: {
        xaxis: { ...axis, title: { text: "step" } }, yaxis: axis, autosize: true, showlegend: data.length > 1,
        legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hovermode: "x unified",
        margin: { l: 48, r: 12, t: data.length > 1 ? 32 : 8, b: 40 }, font: { color: "var(--text)", size: 12 },
        paper_bgcolor: "var(--surface)", plot_bgcolor: "var(--surface)",
        hoverlabel: { bgcolor: "var(--surface)", font: { color: "var(--text)" } },
      },
    }, { hover: {} });
  }

  function hide() {
    const last = open;
    clearTimeout(clock);
    element.hidden = true;
    document.body.classList.remove("with-drawer");
    open = held = curves = null;
    show(element);
    const row = document.querySelector(`tr[data-number="${last}"]`); // drawn anew meanwhile
    (from?.isConnected ? from : row)?.focus();
    from = null;
  }

  return {
    update,
    repaint: paint,
    async place(place, navigate) {
      go = navigate;
      const wanted = Number(place.query.get("trial")) || null;
      for (const row of document.querySelectorAll("tr[data-number]")) {
        row.classList.toggle("open", row.dataset.number === String(wanted));
      }
      if (wanted === open) return;
      if (wanted === null) { hide(); return; }
      if (open === null) from = document.activeElement;
      open = wanted;
      element.hidden = false;
      document.body.classList.add("with-drawer");
      element.setAttribute("aria-label", `Trial ${wanted}`);
      try {
        await update();
      } catch (error) {
        show(element, h("div", { className: "top" }, h("h2", {}, `Trial ${wanted}`),
          h("button", { type: "button", className: "close quiet", ariaLabel: "Close (Esc)", onclick: () => go({ trial: null }) }, "×")), h("p", {}, error.message));
      }
      element.querySelector("button.close").focus();
    },
    close() {
      document.removeEventListener("keydown", leave);
      hide();
    },
  };
}
