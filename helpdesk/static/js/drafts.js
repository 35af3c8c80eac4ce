// A draft is saved when its writer pauses. What a pause has not saved yet leaves with the page; what cannot be saved says so.
const PARTS = ["csrfmiddlewaretoken", "kind", "text", "cc", "bcc", "to", "forwards", "once"];
const KEPT = "draft-left", FRESH = 10000; // ms in which the page that follows may find words faster than the server does
const FIELD = "[data-composer] textarea";
let unsaved = null, asked = "";

document.addEventListener("input", event => { if (event.target.matches(FIELD)) unsaved = event.target; });
document.addEventListener("htmx:beforeRequest", event => {
  if (event.detail.elt === unsaved) asked = unsaved.value;
  else if (event.detail.elt === unsaved?.form) unsaved = null; // they are being sent
});
document.addEventListener("htmx:afterRequest", ({ detail: { elt, successful } }) => {
  if (elt === unsaved && successful && unsaved.value === asked) unsaved = null;
  else if (!successful && elt.matches?.("[data-composer]")) unsaved = elt.elements.text; // nothing left; they are still here
});

/** Send what is not saved, also from a page that ends: browsers let 64 kB go with it. */
function flush() {
  if (!unsaved?.isConnected) return Promise.resolve();
  const typed = new FormData(unsaved.form), body = new URLSearchParams(), url = unsaved.getAttribute("hx-post");
  for (const name of PARTS) if (typed.has(name)) body.set(name, typed.get(name));
  unsaved = null;
  return fetch(url, { method: "POST", body, keepalive: true }).catch(() => {});
}

/** The page goes. The same page, loaded again, may be drawn before the server has the words: they wait for it here. */
function leave() {
  if (!unsaved?.isConnected) return;
  const left = { url: unsaved.getAttribute("hx-post"), text: unsaved.value, at: Date.now() };
  try { sessionStorage.setItem(KEPT, JSON.stringify(left)); } catch { /* private window: the server alone */ }
  flush();
}

function find() {
  let left = null;
  try { left = JSON.parse(sessionStorage.getItem(KEPT)); sessionStorage.removeItem(KEPT); } catch { return; }
  const field = document.querySelector(FIELD);
  if (!left || field?.getAttribute("hx-post") !== left.url || Date.now() - left.at > FRESH || field.value === left.text) return;
  field.value = left.text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

find();
// the pane is about to show another ticket, or this one anew: first the words, then what was asked
document.addEventListener("htmx:confirm", event => {
  const { elt, target, issueRequest } = event.detail;
  if (target?.id !== "ticket-pane" || !unsaved?.isConnected || unsaved.form.contains(elt)) return;
  event.preventDefault();
  flush().then(() => issueRequest());
});
addEventListener("beforeunload", leave);
addEventListener("pagehide", leave); // a phone does not always say beforeunload
document.addEventListener("visibilitychange", () => { if (document.hidden) flush(); });

for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(trouble, event => {
    const state = document.getElementById("draft-state");
    if (state && event.target.matches?.(FIELD)) state.textContent = document.querySelector("[data-composer]").dataset.unsaved;
  });
}
