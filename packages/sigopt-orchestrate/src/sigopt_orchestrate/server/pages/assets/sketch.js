// A figure's points and lines without axes: what there is to see while plotly.js, which keeps the
// browser busy for a second, is being read.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Where a value of an axis lies between two pixels; the ends are plotly's, nearly.
function scale({ type, range }, values, from, to) {
  const place = (value) => (type === "log" ? Math.log10(value) : value);
  let [low, high] = range ?? [Infinity, -Infinity];
  if (!range) {
    for (const value of values) {
      if (value === null) continue;
      low = Math.min(low, place(value));
      high = Math.max(high, place(value));
    }
    [low, high] = [low - 0.06 * (high - low), high + 0.06 * (high - low)];
  }
  const step = high > low ? (to - from) / (high - low) : 0;
  return (value) => (from + (place(value) - low) * step).toFixed(1);
}

function path({ x, y, mode, line = {}, marker = {} }, across, up) {
  const lines = mode.startsWith("lines");
  const steps = [];
  x.forEach((value, index) => {
    if (y[index] === null) return;
    const [right, down] = [across(value), up(y[index])];
    if (!lines) steps.push(`M${right} ${down}h0`); // a round cap and no length: a dot
    else if (!steps.length) steps.push(`M${right} ${down}`);
    else steps.push(line.shape === "hv" ? `H${right}V${down}` : `L${right} ${down}`);
  });
  // A hollow or crossed mark has the colour of its line.
  const [colour, width] = lines ? [line.color, line.width]
    : marker.color ? [marker.color, marker.size] : [marker.line.color, marker.line.width];
  return svg("path", {
    d: steps.join(""), fill: "none", "stroke-linecap": "round", "stroke-width": width ?? 2,
    style: `stroke: ${colour ?? "var(--trial)"}; opacity: ${marker.opacity ?? 1}`,
  });
}

export function sketch(place, { data, layout }) {
  place.querySelector(".sketch")?.remove();
  const traces = data.filter((trace) => trace.type === "scatter" && trace.x.length);
  const { clientWidth: width, clientHeight: height } = place;
  if (!traces.length || !width) return;
  const { l, r, t, b } = layout.margin;
  const across = scale(layout.xaxis, traces.flatMap((trace) => trace.x), l, width - r);
  const up = scale(layout.yaxis, traces.flatMap((trace) => trace.y), height - b, t);
  const drawn = svg("svg", { class: "sketch", width, height, "aria-hidden": "true" });
  drawn.append(...traces.map((trace) => path(trace, across, up)));
  place.append(drawn);
}
