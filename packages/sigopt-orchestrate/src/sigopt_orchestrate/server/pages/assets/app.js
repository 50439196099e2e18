// The page: who is signed in, what the address asks for, and the view that shows it.

import { get, post } from "./api.js";
import { here } from "./address.js";
import { h, say, show } from "./dom.js";
import { experimentPage } from "./experiment.js";
import { experimentsPage } from "./experiments.js";
import { signIn } from "./sign_in.js";

const content = document.getElementById("content");
const leave = document.getElementById("leave");
let session = null;
let page = null; // what is shown: { key, place(place), close() }

async function route() {
  const place = here();
  if (!session) {
    try {
      const found = await get("session");
      if (found.client === null) return ask();
      session = found;
    } catch (error) {
      return show(content, h("p", { className: "empty" }, error.message));
    }
  }
  leave.hidden = false;
  const key = place.kind ? `${place.kind}/${place.id}` : "list";
  if (page?.key !== key) {
    page?.close();
    page = key === "list" ? experimentsPage(content, session) : experimentPage(content, place, session);
    page.key = key;
    scrollTo(0, 0);
  }
  try {
    await page.place(place);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) { session = null; return ask(); }
    show(content, h("section", { className: "card empty" }, h("h2", {}, "Nothing to show"), h("p", {}, error.message),
      h("p", {}, h("a", { href: "#/" }, "All experiments"))));
    page?.close();
    page = null;
  }
}

function ask() {
  page?.close();
  page = null;
  leave.hidden = true;
  signIn(content, async (signedIn) => {
    session = signedIn;
    session = await get("session");
    await route();
    content.focus();
  });
}

leave.addEventListener("click", async () => {
  await post("session", {}, "DELETE").catch((error) => say(error.message, true));
  session = null;
  ask();
});

const theme = document.getElementById("theme");
const THEMES = { "": ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };
function tellTheme() {
  const [sign, words] = THEMES[document.documentElement.dataset.theme ?? ""];
  theme.textContent = sign;
  theme.setAttribute("aria-label", `Colours: ${words}`);
  theme.title = `Colours: ${words}`;
}
theme.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("theme", next); } catch { /* not kept, then */ }
  tellTheme();
  page?.repaint?.();
});
tellTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.repaint?.());

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const search = content.querySelector("input[type=search], details.filter > summary");
    if (search) { event.preventDefault(); search.focus(); }
  }
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  content.focus();
});
route();
