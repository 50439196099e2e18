"use strict";
(() => {
  const { hover, figures } = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Set();

  function draw(plot) {
    drawn.add(plot);
    const wide = matchMedia("(min-width: 821px)").matches && !plot.closest(".slices");
    const { experiment } = plot.closest(".experiment").dataset;
    const pick = (number) => { location.hash = `experiment-${experiment}-trial-${number}`; };
    Plots.draw(plot, figures[plot.id], { hover: hover[experiment], pick, toolbar: wide });
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
  addEventListener("resize", () => drawn.forEach((plot) => plot.closest(".parallel") && draw(plot)));

  // A click on a column's head sorts by it, a second one the other way; empty cells stay last.
  const sortable = (table) => table.tHead.addEventListener("click", (event) => {
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
  document.querySelectorAll(".trials").forEach(sortable);
})();
