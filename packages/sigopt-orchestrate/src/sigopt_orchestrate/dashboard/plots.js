"use strict";
/* Draws the figures that figures.py makes, in the page's colours; the report and the server's
   dashboard share it. Needs Plotly, and Parallel for parallel coordinates. */
const Plots = (() => {
  const touch = matchMedia("(pointer: coarse)").matches;

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

  /* Draws a figure into an element, or draws it anew there.
     options: hover (text by trial number), pick (called with a trial's number), toolbar,
     and what Parallel.draw takes. */
  function draw(place, figure, options = {}) {
    const colours = getComputedStyle(document.documentElement);
    const { data, layout } = painted(figure, colours);
    if (data[0].type === "parallel") {
      Parallel.draw(place, data[0], options);
      return;
    }
    for (const trace of data) {
      if (trace.customdata) {
        trace.hovertext = trace.customdata.map((number) => options.hover[number]);
      }
    }
    layout.font.family = getComputedStyle(document.body).fontFamily;
    if (touch) layout.dragmode = false; // else a finger on a plot could not scroll the page
    const toolbar = options.toolbar && [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
    const fresh = !place.classList.contains("js-plotly-plot");
    Plotly.react(place, data, layout, {
      responsive: true,
      displaylogo: false,
      displayModeBar: toolbar ? "hover" : false,
      modeBarButtons: toolbar || [],
    });
    if (!fresh) return;
    place.on("plotly_click", ({ points }) => {
      const number = points[0].customdata;
      if (number !== undefined) options.pick?.(number);
    });
  }

  return { draw };
})();
