"use strict";
(() => {
  const { hover, figures } = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const drawn = new Set();

  // A copy of a figure's part with the page's colours for "var(--name)".
  function painted(part, colours) {
    if (Array.isArray(part)) return part.map((child) => painted(child, colours));
    if (part && typeof part === "object") {
      const entries = Object.entries(part).map(([key, child]) => [key, painted(child, colours)]);
      return Object.fromEntries(entries);
    }
    const variable = typeof part === "string" && part.match(/^var\((--[a-z0-9-]+)\)$/);
    return variable ? colours.getPropertyValue(variable[1]).trim() : part;
  }

  function draw(plot) {
    const colours = getComputedStyle(document.documentElement);
    const { data, layout } = painted(figures[plot.id], colours);
    for (const trace of data) {
      if (trace.customdata) trace.hovertext = trace.customdata.map((number) => hover[number]);
    }
    if (data[0].type === "parcoords" && !document.createElement("canvas").getContext("webgl")) {
      plot.textContent = "This plot needs WebGL, which this browser does not offer.";
      return;
    }
    layout.font.family = getComputedStyle(document.body).fontFamily;
    if (touch) layout.dragmode = false; // else a finger on a plot could not scroll the page
    const wide = matchMedia("(min-width: 821px)").matches && !plot.closest(".slices, .parallel");
    const toolbar = wide && [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
    Plotly.react(plot, data, layout, {
      responsive: true,
      displaylogo: false,
      displayModeBar: toolbar ? "hover" : false,
      modeBarButtons: toolbar || [],
    });
    if (drawn.has(plot)) return;
    drawn.add(plot);
    plot.on("plotly_click", ({ points }) => {
      const number = points[0].customdata;
      if (number !== undefined) location.hash = `trial-${number}`;
    });
  }

  // Plots are drawn when they come near the screen, so that many of them do not delay the first.
  const plots = document.querySelectorAll(".plot");
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      if (!drawn.has(target)) draw(target);
    }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => near.observe(plot));
  dark.addEventListener("change", () => drawn.forEach(draw));
  addEventListener("beforeprint", () => plots.forEach(draw));

  // A click on a column's head sorts by it, a second one the other way; empty cells stay last.
  const table = document.querySelector(".trials");
  table?.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    const key = (row) => {
      const cell = row.cells[head.cellIndex];
      const text = cell.querySelector("data")?.value ?? cell.textContent;
      return text === "" ? null : isNaN(text) ? text : Number(text);
    };
    const compare = (a, b) =>
      typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    const rows = Array.from(table.tBodies[0].rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return ascending ? compare(a, b) : compare(b, a);
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
})();
