// A draft is saved when its writer pauses. What a pause has not saved yet leaves with the page; what cannot be saved says so.
const PARTS = ["csrfmiddlewaretoken", "kind", "text", "cc", "once"];
let unsaved = null, asked = "";

document.addEventListener("input", event => { if (event.target.matches("[data-composer] textarea")) unsaved = event.target; });
document.addEventListener("htmx:beforeRequest", event => { if (event.detail.elt === unsaved) asked = unsaved.value; });
document.addEventListener("htmx:afterRequest", event => {
  if (event.detail.elt === unsaved && event.detail.successful && unsaved.value === asked) unsaved = null;
});

/** Before the next page is asked for, so that it finds the draft. Browsers let 64 kB go with a page that ends. */
function flush() {
  if (!unsaved?.isConnected) return;
  const typed = new FormData(unsaved.form), body = new URLSearchParams();
  for (const name of PARTS) if (typed.has(name)) body.set(name, typed.get(name));
  fetch(unsaved.getAttribute("hx-post"), { method: "POST", body, keepalive: true }).catch(() => {});
  unsaved = null;
}

addEventListener("beforeunload", flush);
addEventListener("pagehide", flush); // a phone does not always say beforeunload
document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });

for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(trouble, event => {
    const state = document.getElementById("draft-state");
    if (state && event.target.matches?.("[data-composer] textarea")) state.textContent = document.querySelector("[data-composer]").dataset.unsaved;
  });
}
