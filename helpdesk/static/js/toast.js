// Toasts leave after some seconds, not while someone points at or stands in them; troubles stay until closed.
const SECONDS = 8;
const region = document.querySelector(".toasts");

function arm(toast) {
  if (toast.dataset.mood === "late" || toast.dataset.stay !== undefined) return;
  let timer = 0;
  const wait = () => { clearTimeout(timer); timer = setTimeout(() => toast.remove(), 1000 * (Number(toast.dataset.for) || SECONDS)); };
  const hold = () => clearTimeout(timer);
  for (const enter of ["pointerenter", "focusin"]) toast.addEventListener(enter, hold);
  for (const leave of ["pointerleave", "focusout"]) toast.addEventListener(leave, wait);
  wait();
}

region.querySelectorAll(".toast").forEach(arm);
new MutationObserver(changes => changes.forEach(({ addedNodes }) => addedNodes.forEach(node => { if (node.matches?.(".toast")) arm(node); }))).observe(region, { childList: true });
document.addEventListener("click", event => { if (event.target.closest("[data-dismiss]")) event.target.closest(".toast")?.remove(); });
