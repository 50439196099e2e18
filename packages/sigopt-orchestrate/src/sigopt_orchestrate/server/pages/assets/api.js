// Requests to the server that this page came from.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(`/ui/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.message || response.statusText);
  return body;
}

export function get(path, query, signal) {
  const text = query ? new URLSearchParams(query).toString() : "";
  return send(text ? `${path}?${text}` : path, { signal });
}

export function post(path, body = {}, method = "POST") {
  return send(path, {
    method,
    headers: { "Content-Type": "application/json", "X-Orchestrate-Page": "1" },
    body: method === "DELETE" ? undefined : JSON.stringify(body),
  });
}

/* Calls `moved` whenever the server says so, but never again before the last call has ended and
   as long again has passed: a large experiment does not keep the server busy with one reader. */
export function follow(path, moved, lived) {
  const source = new EventSource(`/ui/${path}`);
  let busy = false, again = false, closed = false, first = true;
  async function run() {
    if (busy) { again = true; return; }
    busy = true;
    const began = performance.now();
    try { await moved(); } catch { /* the next event tries anew */ }
    setTimeout(() => {
      busy = false;
      if (again && !closed) { again = false; run(); }
    }, Math.max(700, performance.now() - began));
  }
  source.addEventListener("moved", () => {
    lived(true);
    if (first) { first = false; return; } // what is there has just been drawn
    if (!closed) run();
  });
  source.addEventListener("error", () => lived(false));
  return () => { closed = true; lived(false); source.close(); };
}
