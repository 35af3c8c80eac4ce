// On a narrow screen one pane at a time: <button data-show="customer"> changes which; Escape goes back to the conversation.
document.addEventListener("click", event => {
  const button = event.target.closest("[data-show]");
  if (button) { event.preventDefault(); show(button.closest("[data-open]") ?? document.querySelector("[data-open]"), button.dataset.show); }
});
document.addEventListener("keydown", event => {
  const desk = document.querySelector("[data-open=customer]");
  if (event.key === "Escape" && desk && !document.querySelector("dialog[open], :popover-open")) show(desk, "ticket");
});

function show(desk, pane) {
  const back = desk.dataset.open === pane ? "ticket" : pane; // the same button closes what it opened
  desk.dataset.open = back;
  const there = desk.querySelector(`[data-pane="${back}"]`);
  there?.setAttribute("tabindex", "-1");
  there?.focus({ preventScroll: true });
}
