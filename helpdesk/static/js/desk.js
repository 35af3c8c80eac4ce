// The inbox as one page: the row that is open, the pane a phone shows, what one writes, files by name.
const desk = document.querySelector(".desk");

function mark() {
  document.querySelectorAll("[data-list] .row[hx-get]").forEach(row => {
    const here = row.pathname === location.pathname;
    row.toggleAttribute("aria-current", here);
    if (here) { row.setAttribute("aria-current", "true"); row.removeAttribute("data-unread"); }
  });
  place();
}

/** Which row of the list is open, and how many there are; the steps press its neighbours. */
function place() {
  const rows = [...document.querySelectorAll("[data-list] .row")], at = rows.findIndex(row => row.matches("[aria-current]"));
  const steps = document.querySelector("[data-steps]");
  if (!steps) return;
  steps.hidden = at < 0;
  const position = steps.querySelector("[data-position]");
  position.textContent = `${at + 1} ${position.dataset.of} ${rows.length}`;
  steps.querySelectorAll("[data-step]").forEach(button => { button.disabled = !rows[at + Number(button.dataset.step)]; });
}

document.addEventListener("click", event => {
  const step = event.target.closest("[data-step]");
  const rows = [...document.querySelectorAll("[data-list] .row")], at = rows.findIndex(row => row.matches("[aria-current]"));
  if (step) rows[at + Number(step.dataset.step)]?.click();
});

/** What arrives while nothing is typed has been seen: an answer begun now is an answer to it. */
function see() {
  const form = document.querySelector("[data-composer]"), thread = document.querySelector(".thread[data-last]");
  if (form && thread && !form.elements.text.value.trim()) form.elements.seen.value = thread.dataset.last;
}

mark();
document.addEventListener("htmx:oobBeforeSwap", event => {
  if (event.detail.target.querySelector(":popover-open")) event.detail.shouldSwap = false; // somebody is choosing there
});
document.addEventListener("htmx:afterSettle", event => {
  see();
  if (event.detail.target?.dataset?.pane === "ticket" || event.target.id === "ticket-pane") {
    desk.dataset.open = "ticket";
    document.querySelectorAll("dialog[open]").forEach(dialog => dialog.close());
    if (event.detail.requestConfig?.triggeringEvent?.type === "click") document.getElementById("ticket-pane").focus({ preventScroll: true });
  }
  mark();
});
document.addEventListener("htmx:pushedIntoHistory", mark);
document.addEventListener("htmx:historyRestore", () => location.reload()); // the page as it is now, not as it was

/** What one writes first: of a forward, to whom. */
const first = fields => fields.kind.value === "forward" && !fields.to.value ? fields.to : fields.text;

document.addEventListener("click", event => {
  const kind = event.target.closest("[data-composer] .choice > *");
  if (kind && (event.target === kind || event.detail > 0)) setTimeout(() => first(kind.closest("form").elements).focus()); // after the label has had its own way
});

document.addEventListener("change", event => {
  const list = document.getElementById(event.target.dataset?.files ?? "");
  if (list) list.textContent = [...event.target.files].map(file => file.name).join(", ");
});
