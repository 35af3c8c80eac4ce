// A redrawn editor of conditions is as old as its request: what was typed since stays, and is counted.
const KEPT = ["redraw", "count"]; // the requests after which a row is still the same row
const editor = node => node?.closest?.("[data-conditions]");
const inputs = node => [...node.querySelectorAll("input:not([type=radio], [type=hidden]), textarea")].filter(input => input.name);
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
