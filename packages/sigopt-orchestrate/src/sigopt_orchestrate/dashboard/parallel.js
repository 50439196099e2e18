"use strict";
/* Parallel coordinates in SVG: a line a trial through an axis for each parameter and metric. A
   drag along an axis selects a range there; a click on the axis takes the range away. */
const Parallel = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const TOP = 44, BOTTOM = 26, SIDE = 46;

  function svg(tag, attributes = {}, text) {
    const node = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // The colour at `rank` of a scale of [rank, colour] stops.
  function colourAt(scale, rank) {
    const after = scale.findIndex(([stop]) => stop >= rank);
    if (after <= 0) return scale[0][1];
    const [[low, from], [high, to]] = [scale[after - 1], scale[after]];
    const share = high > low ? (rank - low) / (high - low) : 1;
    return `color-mix(in srgb, ${to} ${(100 * share).toFixed(0)}%, ${from})`;
  }

  function ticksOf(dimension) {
    const [low, high] = dimension.range;
    if (dimension.tickvals) {
      return dimension.tickvals.map((at, i) => [at, dimension.ticktext[i]]);
    }
    const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw || 1));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) || power;
    const ticks = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) {
      ticks.push([at, String(Number(at.toPrecision(6)))]);
    }
    return ticks;
  }

  /* options: hover, pick, chosen (ranges by dimension's key) and choose (called with a key and a
     range, or null, after a drag; without it the selection is the plot's own). */
  function draw(place, figure, options = {}) {
    const { dimensions, ranks, trials, scale } = figure;
    const width = Math.max(place.clientWidth, 110 * dimensions.length), height = place.clientHeight;
    const chosen = new Map(Object.entries(options.chosen ?? place.parallelChosen ?? {}));
    const x = (i) => SIDE + (i * (width - 2 * SIDE)) / Math.max(1, dimensions.length - 1);
    const span = height - TOP - BOTTOM;
    const y = (dimension, value) => {
      const [low, high] = dimension.range;
      return TOP + span * (1 - (high > low ? (value - low) / (high - low) : 0.5));
    };
    const inside = (line) => dimensions.every((d) => {
      const range = chosen.get(d.key);
      return !range || (d.values[line] >= range[0] && d.values[line] <= range[1]);
    });
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "coordinates" });
    const lines = svg("g", { class: "lines" });
    root.append(lines);
    const order = [...ranks.keys()].sort((a, b) => ranks[a] - ranks[b]);
    for (const line of order) {
      let path = "", pen = "M";
      dimensions.forEach((dimension, i) => {
        const value = dimension.values[line];
        if (value === null) { pen = "M"; return; }
        path += `${pen}${x(i).toFixed(1)},${y(dimension, value).toFixed(1)}`;
        pen = "L";
      });
      const drawn = svg("path", { d: path });
      drawn.style.stroke = colourAt(scale, ranks[line]);
      drawn.classList.toggle("best", ranks[line] === 1);
      drawn.classList.toggle("out", !inside(line));
      drawn.append(svg("title", {}, `trial ${trials[line]}`));
      drawn.addEventListener("click", () => options.pick?.(trials[line]));
      lines.append(drawn);
    }
    dimensions.forEach((dimension, i) => root.append(axisOf(dimension, i)));
    place.replaceChildren(root);

    function axisOf(dimension, i) {
      const axis = svg("g", { class: "axis", transform: `translate(${x(i).toFixed(1)},0)` });
      axis.append(svg("line", { y1: TOP, y2: TOP + span }));
      const name = svg("text", { y: 18, class: "name" }, dimension.label);
      name.append(svg("title", {}, dimension.key.slice(2)));
      axis.append(name);
      for (const [at, text] of ticksOf(dimension)) {
        const place = y(dimension, at);
        axis.append(svg("line", { x1: -4, x2: 4, y1: place, y2: place }));
        axis.append(svg("text", { x: 8, y: place + 4, class: "tick" }, text));
      }
      const range = svg("rect", { x: -8, width: 16, class: "range" });
      const show = (ends) => {
        if (!ends) { range.setAttribute("height", 0); return; }
        const [bottom, top] = ends.map((end) => y(dimension, Math.min(dimension.range[1], Math.max(dimension.range[0], end))));
        range.setAttribute("y", top);
        range.setAttribute("height", Math.max(0, bottom - top));
      };
      show(chosen.get(dimension.key));
      const handle = svg("rect", { x: -14, width: 28, y: TOP - 8, height: span + 16, class: "handle" });
      const at = (event) => {
        const box = root.getBoundingClientRect();
        const share = 1 - (event.clientY - box.top - TOP) / span;
        const [low, high] = dimension.range;
        return low + Math.min(1, Math.max(0, share)) * (high - low);
      };
      let from = null;
      handle.addEventListener("pointerdown", (event) => {
        from = at(event);
        handle.setPointerCapture(event.pointerId);
      });
      handle.addEventListener("pointermove", (event) => {
        if (from !== null) show([from, at(event)].sort((a, b) => a - b));
      });
      handle.addEventListener("pointerup", (event) => {
        const ends = [from, at(event)].sort((a, b) => a - b);
        from = null;
        const [low, high] = dimension.range;
        choose(dimension.key, ends[1] - ends[0] > (high - low) / 100 ? ends : null);
      });
      axis.append(range, handle);
      return axis;
    }

    function choose(key, ends) {
      if (options.choose) { options.choose(key, ends); return; }
      if (ends) chosen.set(key, ends); else chosen.delete(key);
      place.parallelChosen = Object.fromEntries(chosen);
      draw(place, figure, options);
    }
  }

  return { draw };
})();
