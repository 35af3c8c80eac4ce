// Ctrl-K: every place, view and action of this page by name, then what the server finds in tickets, customers, campaigns and
// answers. It presses what is already there and opens what the reader may see, so it can do no more than the page.
import { spoken } from "./names.js";

const root = document.querySelector("[data-palette]"), dialog = root.closest("dialog");
const input = root.querySelector("input"), list = root.querySelector("[role=listbox]"), said = root.querySelector("[data-palette-said]");
const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const PAUSE = 150;  // ms without a key before the server is asked
let at = 0, asking = null, timer = 0, eager = false;

function offers() {
  const seen = new Set();
  return [...document.querySelectorAll(".rail .place[href], [data-key]")].flatMap(node => {
    if (node.closest("dialog, .jump") || node.matches(".jump") || node.disabled) return [];
    const words = spoken(node);
    if (!words || seen.has(words)) return [];
    seen.add(words);
    return [{ node, words, key: node.dataset.key ?? "" }];
  });
}

function option({ node, words, key }) {
  const item = document.createElement("li"), label = document.createElement("span"), row = document.createElement("span");
  item.role = "option";
  row.className = "place";
  label.className = "ellipsis";
  label.textContent = words;
  const picture = node.querySelector("svg.icon")?.cloneNode(true);
  row.append(...[picture, label].filter(Boolean));
  if (key) row.append(Object.assign(document.createElement("kbd"), { className: "key count", textContent: key.replace("mod+", "Ctrl ") }));
  item.append(row);
  item.go = () => node.click();
  return item;
}

// What the page has is there at once; what the server finds comes behind it, so that nothing moves under a finger.
function draw() {
  const wanted = plain(input.value).split(/\s+/).filter(Boolean);
  const here = offers().filter(({ words }) => wanted.every(word => plain(words).includes(word))).slice(0, 12);
  asking?.abort();
  asking = null;
  clearTimeout(timer);
  at = 0;
  eager = false;
  said.textContent = "";
  list.replaceChildren(...here.map(option));
  mark();
  if (wanted.length) {
    asking = new AbortController();
    timer = setTimeout(ask, PAUSE, input.value, asking);
  }
}

async function ask(text, mine) {
  let found = [], fault = "";
  try {
    const answer = await fetch(`${root.dataset.palette}?${new URLSearchParams({ q: text })}`, { signal: mine.signal });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    found = [...part.content.querySelectorAll("[role=option]")];
  } catch (error) {
    if (error.name === "AbortError") return;
    fault = said.dataset.away;
  }
  if (mine !== asking) return;  // a newer question is on its way
  asking = null;
  for (const item of found) item.go = () => { location.href = item.dataset.href; };
  list.append(...found);
  said.textContent = fault || (list.children.length ? "" : said.dataset.none);
  mark();
  if (eager && list.children.length) go(at);
}

function mark() {
  [...list.children].forEach((item, index) => {
    item.id = `palette-${index}`;
    item.setAttribute("aria-selected", String(index === at));
  });
  list.children[at]?.scrollIntoView({ block: "nearest" });
  if (list.children.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
  else input.removeAttribute("aria-activedescendant");
}

function go(index) {
  const item = list.children[index];
  eager = !item && asking !== null;  // Enter before the answer came: it goes to the first when it does
  if (!item) return;
  dialog.close();
  item.go();
}

input.addEventListener("input", draw);
input.addEventListener("keydown", event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], many = list.children.length;
  if (step && many) { event.preventDefault(); at = (at + step + many) % many; mark(); }
  if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); go(at); }
});
list.addEventListener("click", event => go([...list.children].indexOf(event.target.closest("[role=option]"))));
dialog.addEventListener("beforetoggle", event => {
  if (event.newState === "open") { input.value = ""; draw(); } else { asking?.abort(); asking = null; }
});
