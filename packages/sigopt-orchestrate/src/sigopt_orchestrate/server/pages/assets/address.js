// What is shown, as the address says it: #/local/3/trials?sort=m.accuracy&state=failed&trial=7

export function here() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const [kind, id, view] = path.split("/").filter(Boolean);
  const number = /^\d+$/.test(id ?? "") ? Number(id) : null;
  const known = (kind === "local" || kind === "api") && number !== null;
  return {
    kind: known ? kind : null,
    id: known ? number : null,
    view: view || "overview",
    query: new URLSearchParams(query || ""),
  };
}

export function link(kind, id, view, query) {
  const text = query?.toString();
  return `#/${kind}/${id}/${view}${text ? `?${text}` : ""}`;
}

/* The address of a view with its query changed; null takes a key away. `trial` and the place in
   the table belong to one view and are not carried over to another. */
export function changed(place, changes, view = place.view) {
  const query = new URLSearchParams(place.query);
  if (view !== place.view) for (const key of ["trial", "offset"]) query.delete(key);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) query.delete(key);
    else query.set(key, value);
  }
  return link(place.kind, place.id, view, query);
}

// The part of the query that narrows the trials.
export function filtersOf(query) {
  return [...query].filter(([key]) => key === "state" || /^[pm]\./.test(key));
}
