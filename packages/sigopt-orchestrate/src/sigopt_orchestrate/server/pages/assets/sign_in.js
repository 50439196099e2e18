// Asks for a token; the server has the browser keep it where no script can read it.

import { post } from "./api.js";
import { h, show } from "./dom.js";

export function signIn(content, done) {
  const field = h("input", {
    id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: false,
  });
  const user = h("input", { type: "text", autocomplete: "username", value: "token", hidden: true, readOnly: true });
  const said = h("p", { className: "refused", role: "alert" });
  const form = h("form", {
    className: "card sign-in",
    onsubmit: async (event) => {
      event.preventDefault();
      said.textContent = "";
      try {
        await done(await post("session", { token: field.value.trim() }));
      } catch (error) {
        said.textContent = error.message;
        field.select();
      }
    },
  },
  h("h1", {}, "Sign in"),
  h("p", {}, "With a token of this server. Its owner makes one by"),
  h("pre", {}, "orchestrate token create"),
  h("label", { htmlFor: "token" }, "Token"),
  user, field, said,
  h("button", { className: "main" }, "Sign in"));
  show(document.getElementById("crumbs"));
  show(content, form);
  field.focus();
}
