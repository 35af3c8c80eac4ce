// <ul data-live="inbox ticket:42" hx-get="…" hx-trigger="live">: asks again by its ordinary door when the server names it.
// The stream carries names only. While it is away a poll takes over, and its return refreshes what may have been missed.
const POLL = 20000;  // ms between questions while the stream is away
const RETRY = 60000; // ms until a refused stream is tried again
const CALM = 250;    // ms in which several changes of one name are one question
const waiting = new Map();
let source = null, followed = "", poll = 0, lost = false;

const parts = name => [...document.querySelectorAll("[data-live]")].filter(part => !name || part.dataset.live.split(/\s+/).includes(name));
const names = () => [...new Set(parts().flatMap(part => part.dataset.live.split(/\s+/)))].filter(Boolean).sort();

function refresh(part) {
  if (waiting.has(part)) return;
  waiting.set(part, setTimeout(() => { waiting.delete(part); if (part.isConnected) htmx.trigger(part, "live"); }, CALM));
}

function fallBack() {
  lost = true;
  poll ||= setInterval(() => { if (!document.hidden) parts().forEach(refresh); }, POLL);
}

function follow() {
  const wanted = names().map(name => `name=${encodeURIComponent(name)}`).join("&");
  if (wanted === followed && source?.readyState !== EventSource.CLOSED) return;
  source?.close();
  followed = wanted;
  if (!wanted) return;
  source = new EventSource(`${document.body.dataset.liveStream ?? "/live/"}?${wanted}`);
  source.addEventListener("changed", event => parts(event.data).forEach(refresh));
  source.addEventListener("open", () => {
    clearInterval(poll); poll = 0;
    if (lost) parts().forEach(refresh);
    lost = false;
  });
  source.addEventListener("error", () => { // CONNECTING: the browser tries by itself; CLOSED: it was refused
    fallBack();
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY);
  });
}

follow();
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("visibilitychange", () => { if (!document.hidden && lost) parts().forEach(refresh); });
addEventListener("pagehide", () => source?.close()); // a page kept by the back button must not hold one of six connections
addEventListener("pageshow", event => { if (event.persisted) { followed = ""; lost = true; follow(); } });
