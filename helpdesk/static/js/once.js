// What was typed into a form that is to be kept is not lost by another form's button on the same page without a word.
const typed = new Set(document.querySelectorAll("form[data-keep][data-unsaved]")); // drawn again with what was typed
document.addEventListener("input", event => { if (event.target.form?.dataset.keep) typed.add(event.target.form); });

// A second click while the first is on its way does nothing. The server is safe anyway; this saves the person a surprise.
const PATIENCE = 15000; // ms, then the form may be tried again: a download never leaves the page
const writes = (form, submitter) => (submitter?.formMethod || form.method) === "post" || form.matches("[hx-post], [hx-put], [hx-patch], [hx-delete]");

function free(form) {
  delete form.dataset.sent;
  form.querySelectorAll("[data-sent]").forEach(button => { delete button.dataset.sent; button.removeAttribute("aria-disabled"); });
}

document.addEventListener("submit", event => {
  const form = event.target, button = event.submitter;
  if (!writes(form, button)) return;
  if (form.dataset.sent !== undefined) { event.preventDefault(); event.stopImmediatePropagation(); return; }
  const left = [...typed].find(other => other !== form && other.isConnected);
  if (left && !confirm(left.dataset.keep)) { event.preventDefault(); event.stopImmediatePropagation(); return; }
  form.dataset.sent = "";
  // not disabled: a disabled button would lose focus, and its name and value would be missing
  button?.setAttribute("aria-disabled", "true");
  if (button) button.dataset.sent = "";
  setTimeout(() => free(form), PATIENCE);
}, true);

document.addEventListener("htmx:afterRequest", event => { const form = event.detail.elt.closest?.("form"); if (form) free(form); });
addEventListener("pageshow", event => { if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(free); });
