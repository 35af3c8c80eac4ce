// A redrawn editor of conditions is as old as its request: what was typed since stays, and is counted.
const KEPT = ["redraw", "count"]; // the requests after which a row is still the same row
const editor = node => node?.closest?.("[data-conditions]");
const inputs = node => [...node.querySelectorAll("input:not([type=checkbox], [type=hidden]), textarea")].filter(input => input.name);
let sent = new Map(), typed = [];

document.addEventListener("htmx:beforeSwap", event => {
  const { target, requestConfig } = event.detail;
  if (editor(target) !== target) return;
  sent = KEPT.includes(requestConfig.formData.get("action")) ? new Map(requestConfig.formData) : new Map();
  typed = inputs(target).filter(input => sent.has(input.name) && sent.get(input.name) !== input.value);
});

document.addEventListener("htmx:afterSwap", event => {
  if (editor(event.target) !== event.target) return;
  for (const { name, value } of typed) {
    const input = inputs(event.target).find(each => each.name === name);
    if (input) input.value = value;
  }
  typed = [];
});

// by now the count listens: it asks again where it is behind
document.addEventListener("htmx:afterSettle", event => {
  if (editor(event.target) !== event.target) return;
  const newer = inputs(event.target).find(input => sent.has(input.name) && sent.get(input.name) !== input.value);
  newer?.dispatchEvent(new Event("input", { bubbles: true }));
});

// a list of choices says what is ticked, closes when one turns to something else, and on Escape
const several = node => node?.closest?.("details.several");
document.addEventListener("change", event => {
  const list = several(event.target), words = list?.querySelector("summary");
  if (!list) return;
  const ticked = [...list.querySelectorAll(":checked")].map(box => box.labels[0].textContent.trim());
  words.textContent = ticked.length ? ticked.join(", ") : list.dataset.none;
});
const close = (list, focus) => { list.open = false; if (focus) list.querySelector("summary").focus(); };
document.addEventListener("click", event => {
  for (const list of document.querySelectorAll("details.several[open]")) if (several(event.target) !== list) close(list);
});
document.addEventListener("focusin", event => {
  for (const list of document.querySelectorAll("details.several[open]")) if (several(event.target) !== list) close(list);
});
document.addEventListener("keydown", event => {
  const list = event.key === "Escape" && several(event.target);
  if (list?.open) { event.stopPropagation(); close(list, true); }
});
