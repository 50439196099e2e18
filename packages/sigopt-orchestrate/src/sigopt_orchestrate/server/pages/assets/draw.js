// plotly.js and the shared scripts, fetched once and when they are first needed.

import { sketch } from "./sketch.js";

let scripts = null;

function script(name) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = `/ui/assets/${name}`;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${name} cannot be loaded`));
    document.head.append(element);
  });
}

// Loads what draws plots; it keeps the browser busy, so the numbers are shown first.
function ready() {
  scripts ??= Promise.all(["plotly.js", "parallel.js", "plots.js"].map(script));
  return scripts;
}

// Draws a figure of the server's into an element.
export async function draw(place, figure, options) {
  if (!window.Plotly) sketch(place, figure);
  await ready();
  if (!place.isConnected) return;
  place.querySelector(".sketch")?.remove();
  Plots.draw(place, figure, options);
}
