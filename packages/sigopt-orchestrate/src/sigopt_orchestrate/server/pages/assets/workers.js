// What runs now, and what it uses.

import { h, show } from "./dom.js";
import { dollars, duration, memory, number } from "./format.js";

export function workersView(context) {
  const element = h("div", { className: "workers" });
  let clock = null;

  async function update() {
    const { workers, cost } = await context.fetch("workers");
    const bill = cost && h("p", { className: "note" }, `Instances so far: ${dollars(cost.usd)}, idle time included`,
      cost.unpriced > 0 && `; ${cost.unpriced} of unknown price not counted`);
    if (!workers.length) {
      show(element, bill, h("section", { className: "card empty" }, h("h2", {}, "Nothing runs"),
        h("p", {}, context.place.kind === "local" ? "Trials show up here while they run." : "Open suggestions show up here until they are observed.")));
      return;
    }
    show(element, bill, workers.map((worker) => h("article", { className: "card worker" },
      h("h2", {}, worker.number === null ? worker.state : h("a", {
        href: "#", onclick: (event) => { event.preventDefault(); context.pick(worker.number); },
      }, `Trial ${worker.number}`), h("span", { className: "state running" }, worker.number === null ? "open" : worker.state)),
      h("p", { className: "facts" },
        worker.started_at && h("span", {}, h("strong", {}, duration(Date.now() / 1000 - worker.started_at))),
        worker.memory !== null && h("span", {}, memory(worker.memory)),
        worker.cpu_s !== null && h("span", {}, `${duration(worker.cpu_s)} CPU`),
        worker.attempt > 1 && h("span", {}, `attempt ${worker.attempt}`)),
      worker.last && h("p", { className: "last" }, Object.entries(worker.last).map(([name, value]) => h("span", {}, h("em", {}, name), ` ${number(value)}`))),
      h("dl", { className: "pairs" }, Object.entries(worker.assignments).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, number(value))))))));
  }

  return {
    element,
    update: async () => {
      await update();
      clock ??= setInterval(() => update().catch(() => {}), 2000); // what they use moves no trial
    },
    close: () => clearInterval(clock),
  };
}
