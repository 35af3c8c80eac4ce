// Pictures that our server draws anew or fetches from elsewhere: a few at a time; one it had no room for is asked for again.
const TRIES = 5;
const tries = new WeakMap();
const isOurs = node => node instanceof HTMLImageElement && /\/tickets\/(messages\/\d+\/pictures\/\d+|files\/\d+\/picture\/\w+)\/$/.test(node.src);

function again(image) {
  const done = (tries.get(image) ?? 0) + 1;
  if (done > TRIES) return;
  tries.set(image, done);
  setTimeout(() => { if (image.isConnected) image.src = image.src; }, 1000 * done);
}

document.addEventListener("error", event => { if (isOurs(event.target)) again(event.target); }, true);
for (const image of document.images) if (isOurs(image) && image.complete && !image.naturalWidth) again(image);

// A conversation that is shown again, for something new in it or something done to it, keeps the pictures that were asked for.
document.addEventListener("htmx:configRequest", event => {
  const doing = event.detail.verb === "post" && event.target.matches("#ticket-pane form, #ticket-pane form *");
  if (!event.target.matches("[data-live]") && !doing) return;
  for (const asked of document.querySelectorAll("#ticket-pane [data-pictures]")) event.detail.formData.append("pictures", asked.value);
});
