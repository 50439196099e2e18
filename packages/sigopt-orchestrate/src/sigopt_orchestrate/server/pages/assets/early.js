"use strict";
// Before the first paint, so that the page never flashes in the wrong colours.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* no storage: as the system */ }
// What draws plots is megabytes: fetched beside the page's modules where plots are asked for.
if (/^#\/(local|api)\//.test(location.hash)) {
  const link = document.createElement("link");
  Object.assign(link, { rel: "preload", as: "script", href: "/ui/assets/plotly.js" });
  document.head.append(link);
}
