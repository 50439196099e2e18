// The table of trials: sorted, narrowed and cut into pages by the server.

import { filtersOf } from "./address.js";
import { h, show } from "./dom.js";
import { count, duration, number } from "./format.js";

export function trialsView(context) {
  const head = h("thead"), body = h("tbody");
  const table = h("table", { className: "trials" }, head, body);
  const foot = h("div", { className: "paging" });
  const element = h("section", { className: "card table" },
    h("div", { className: "scroll", role: "region", ariaLabel: "Trials" }, table), foot);
  body.addEventListener("keydown", move);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row?.dataset.number) context.pick(row.dataset.number);
  });

  async function update() {
    const { query } = context.place;
    const asked = Object.fromEntries([...filtersOf(query), ...["sort", "descending", "offset"].filter((k) => query.has(k)).map((k) => [k, query.get(k)])]);
    if (!query.has("sort")) Object.assign(asked, { sort: "number", descending: "1" });
    const data = await context.fetch("trials", asked);
    drawHead(data, asked);
    drawRows(data);
    drawFoot(data);
  }

  function drawHead(data, asked) {
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    show(head, h("tr", {}, data.columns.map(({ key, label }) => {
      const mine = asked.sort === key;
      const sorted = mine ? (asked.descending ? "descending" : "ascending") : null;
      const button = h("button", {
        type: "button", dataset: { key },
        onclick: () => context.go({ sort: key, descending: mine && !asked.descending ? "1" : null, offset: null }),
      }, label);
      return h("th", { scope: "col", "aria-sort": sorted }, button);
    })));
    if (focused) head.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  function drawRows(data) {
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.number : null;
    const open = context.place.query.get("trial");
    show(body, data.rows.map((row, index) => h("tr", {
      className: `${row.state}${String(row.number) === open ? " open" : ""}`,
      dataset: { number: row.number }, tabIndex: index === 0 ? 0 : -1, title: row.reason ?? "",
    },
    h("th", { scope: "row" }, String(row.number)), h("td", {}, row.state),
    row.cells.map((cell) => h("td", {}, number(cell))),
    h("td", {}, duration(row.duration_s)), h("td", {}, row.source))));
    if (focused) body.querySelector(`[data-number="${focused}"]`)?.focus();
    if (!data.rows.length) show(body, h("tr", {}, h("td", { colSpan: data.columns.length, className: "muted" }, "No trial matches.")));
  }

  function drawFoot(data) {
    const from = data.total ? data.offset + 1 : 0, to = Math.min(data.total, data.offset + data.limit);
    const turn = (text, offset, possible) => h("button", {
      type: "button", className: "quiet", disabled: !possible, onclick: () => context.go({ offset: offset || null }),
    }, text);
    show(foot, turn("Previous", data.offset - data.limit, data.offset > 0),
      h("span", {}, `${count(from)}–${count(to)} of ${count(data.total)}`),
      turn("Next", data.offset + data.limit, to < data.total));
  }

  function move(event) {
    const row = event.target.closest("tr");
    if (!row?.dataset.number) return;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: body.firstElementChild, End: body.lastElementChild }[event.key];
    if (next) {
      event.preventDefault();
      row.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      context.pick(row.dataset.number);
    }
  }

  return { element, update };
}
