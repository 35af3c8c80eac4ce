// A native popover opens by itself; this puts it beside its button and lets the arrow keys walk it.
const GAP = 4;
let invoker = null;

document.addEventListener("click", event => {
  invoker = event.target.closest("[popovertarget]") ?? invoker;
  const item = event.target.closest(".menu[popover] a, .menu[popover] button");
  if (item && !item.closest("[data-choose]")) item.closest("[popover]").hidePopover();
}, true);

function place(menu) {
  const anchor = invoker?.getAttribute("popovertarget") === menu.id ? invoker : document.querySelector(`[popovertarget="${menu.id}"]`);
  if (!anchor) return;
  const at = anchor.getBoundingClientRect(), { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(at.left, innerWidth - width - 2 * GAP);
  const below = at.bottom + GAP + height <= innerHeight;
  menu.dataset.placed = "";
  menu.style.left = `${Math.max(2 * GAP, left)}px`;
  menu.style.top = `${below ? at.bottom + GAP : Math.max(2 * GAP, at.top - GAP - height)}px`;
}

document.addEventListener("beforetoggle", event => {
  const menu = event.target;
  if (!menu.matches(".menu") || event.newState !== "open") return;
  menu.style.visibility = "hidden"; // its size is known only after it opens
  queueMicrotask(() => requestAnimationFrame(() => {
    place(menu);
    menu.style.visibility = "";
    menu.querySelector("a, button")?.focus({ preventScroll: true });
  }));
}, true);

document.addEventListener("keydown", event => {
  const menu = document.activeElement?.closest(".menu[popover]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || !step) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll("a, button")];
  items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
});
