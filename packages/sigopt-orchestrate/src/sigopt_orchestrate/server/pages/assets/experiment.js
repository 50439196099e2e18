// One experiment: its head and actions, the filters, and one of its views below.

import { follow, get, post } from "./api.js";
import { changed, filtersOf } from "./address.js";
import { confirmed, h, say, show } from "./dom.js";
import { stateOf } from "./experiments.js";
import { filterBar } from "./filters.js";
import { count, duration, moment } from "./format.js";
import { overviewView } from "./overview.js";
import { plotsView } from "./plot_views.js";
import { drawer } from "./trial.js";
import { trialsView } from "./trials.js";
import { workersView } from "./workers.js";

const VIEWS = {
  overview: ["Overview", overviewView],
  parallel: ["Parallel", plotsView("parallel")],
  parameters: ["Parameters", plotsView("parameters")],
  trials: ["Trials", trialsView],
  workers: ["Running", workersView],
};

export function experimentPage(content, { kind, id }, session) {
  const path = `experiments/${kind}/${id}`;
  const head = h("div", { className: "head" });
  const tabs = h("nav", { className: "tabs", ariaLabel: "Views of the experiment" });
  const filters = h("div", { className: "filters" });
  const body = h("div", { className: "body" });
  const trial = drawer(document.getElementById("drawer"), path, act);
  let place = null, about = null, view = null, stop = null, asked = null;

  const context = {
    path,
    get place() { return place; },
    get about() { return about; },
    fetch: (name, query) => get(`${path}/${name}`, query, asked?.signal),
    go: (changes, to) => { location.hash = changed(place, changes, to); },
    pick: (number) => context.go({ trial: number }),
    act,
  };

  async function update() {
    about = await get(`${path}/head`);
    drawHead();
    await Promise.all([view?.update(), trial.update()]);
  }

  function drawHead() {
    document.title = `${about.name} · orchestrate`;
    show(document.getElementById("crumbs"), h("a", { href: "#/" }, "Experiments"), h("span", {}, " / "),
      h("span", { ariaCurrent: "page" }, about.name));
    const failed = about.counts.failed ?? 0;
    const budget = about.budget ? ` / ${count(about.budget)}` : "";
    show(head,
      h("div", { className: "top" },
        h("div", {},
          h("p", { className: "eyebrow" }, `${kind === "local" ? "orchestrate run" : "API experiment"} ${id} · ${moment(about.created_at)} `, stateOf(about)),
          h("h1", {}, about.name),
          about.reason && h("p", { className: "reason" }, about.reason)),
        h("div", { className: "actions" }, actions())),
      h("p", { className: "facts" },
        h("span", {}, h("strong", {}, count(about.observed)), `${budget} observed`),
        failed ? h("span", { className: "bad" }, h("strong", {}, count(failed)), " failed") : null,
        h("span", {}, h("strong", {}, count(about.running)), ` running, ${about.parallel} at a time`),
        h("span", {}, h("strong", {}, duration(about.spent_s)), " of compute")));
    const current = (name) => name === place.view && { "aria-current": "page" };
    show(tabs, Object.entries(VIEWS).map(([name, [title]]) =>
      h("a", { href: changed(place, {}, name), ...current(name) }, title,
        name === "workers" && about.running ? h("span", { className: "badge" }, count(about.running)) : null)));
  }

  function actions() {
    if (kind !== "local" || session.scope === "read") return [];
    const running = about.state === "running";
    const buttons = [];
    if (running && !about.paused) buttons.push(["pause", "Pause", "Start no further trials? Those that run go on to their end."]);
    if (!running || about.paused) {
      const rest = about.budget - about.observed;
      if (rest > 0) buttons.push(["resume", "Resume", "Go on with the experiment? Its trials run on the server's machine."]);
    }
    if (running) buttons.push(["stop", "Stop", "End the trials that run? They run again when the experiment is resumed."]);
    if (about.counts.failed) buttons.push(["retry", "Retry failed", `Run ${count(about.counts.failed)} failed trials once more? Each adds one to the budget.`]);
    return buttons.map(([action, title, question]) =>
      h("button", { type: "button", className: action === "stop" ? "danger" : "quiet", onclick: () => act(action, title, question) }, title));
  }

  async function act(action, title, question, trials = []) {
    if (!(await confirmed(`${title}: ${about.name}`, question, title))) return;
    try {
      say((await post(`${path}/actions/${action}`, { trials })).said);
      await update();
    } catch (error) {
      say(error.message, true);
    }
  }

  return {
    async place(next) {
      const before = place;
      place = next;
      if (!VIEWS[place.view]) place.view = "overview";
      asked?.abort();
      asked = new AbortController();
      if (!before) {
        show(content, head, tabs, filters, body);
        body.classList.add("loading");
      }
      const other = before?.view !== place.view;
      const narrowed = JSON.stringify(filtersOf(before?.query ?? new URLSearchParams())) !== JSON.stringify(filtersOf(place.query));
      if (other || !view) {
        view?.close?.();
        view = VIEWS[place.view][1](context);
      }
      const first = view.update(); // beside the head, not after it
      first.catch(() => {}); // if the head fails, too, that is what is said
      if (!about || other || narrowed) {
        about = about && !other ? about : await get(`${path}/head`);
        filterBar(filters, context, place.view !== "workers");
      }
      drawHead();
      await first;
      body.classList.remove("loading");
      if (other || !body.firstChild) show(body, view.element);
      view.shown?.();
      await trial.place(place, (changes) => context.go(changes));
      stop ??= follow(`${path}/events`, update, (on) => { document.getElementById("live").hidden = !on; });
    },
    repaint() { view?.repaint?.(); trial.repaint(); },
    close() { stop?.(); asked?.abort(); view?.close?.(); trial.close(); },
  };
}
