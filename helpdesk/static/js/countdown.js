// <span data-leaves="7.6" data-words="Leaves in %d s" data-then="About to leave">: the seconds that an answer can be taken back.
// It counts by the time since it was drawn, so a wrong clock does no harm; at its end the conversation asks how it stands.
const BEAT = 250;  // ms
const GRACE = 750; // ms that the sender needs to take it
const ends = new WeakMap();
let timer = 0;

function count(node) {
  if (!ends.has(node)) ends.set(node, performance.now() + 1000 * Number(node.dataset.leaves));
  const left = Math.ceil((ends.get(node) - performance.now()) / 1000);
  const words = left > 0 ? node.dataset.words.replace("%d", left) : node.dataset.then;
  if (node.textContent !== words) node.textContent = words;
  if (left > 0) return;
  node.removeAttribute("data-leaves");
  const part = node.closest("[data-live]");
  if (part) setTimeout(() => { if (part.isConnected) htmx.trigger(part, "live"); }, GRACE);
}

function tick() {
  const all = document.querySelectorAll("[data-leaves]");
  all.forEach(count);
  timer = all.length ? setTimeout(tick, BEAT) : 0;
}

tick();
document.addEventListener("htmx:load", () => { if (!timer) tick(); });
