// Ctrl-K: every place, view and action of this page by name. It presses what is already there, so it can do no more than the page.
import { spoken } from "./names.js";

const root = document.querySelector("[data-palette]");
const input = root.querySelector("input"), list = root.querySelector("[role=listbox]"), none = root.querySelector("[data-palette-none]");
const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
let at = 0, shown = [];

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

function draw() {
  const wanted = plain(input.value).split(/\s+/).filter(Boolean);
  shown = offers().filter(({ words }) => wanted.every(word => plain(words).includes(word))).slice(0, 12);
  at = 0;
  list.replaceChildren(...shown.map(({ node, words, key }, index) => {
    const item = document.createElement("li"), label = document.createElement("span"), row = document.createElement("span");
    item.id = `palette-${index}`;
    item.role = "option";
    row.className = "place";
    label.className = "ellipsis";
    label.textContent = words;
    const picture = node.querySelector("svg.icon")?.cloneNode(true);
    row.append(...[picture, label].filter(Boolean));
    if (key) row.append(Object.assign(document.createElement("kbd"), { className: "key count", textContent: key.replace("mod+", "Ctrl ") }));
    item.append(row);
    item.addEventListener("click", () => go(index));
    return item;
  }));
  none.hidden = shown.length > 0;
  mark();
}

function mark() {
  [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
  list.children[at]?.scrollIntoView({ block: "nearest" });
  if (shown.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
  else input.removeAttribute("aria-activedescendant");
}

function go(index) {
  root.closest("dialog").close();
  shown[index]?.node.click();
}

input.addEventListener("input", draw);
input.addEventListener("keydown", event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && shown.length) { event.preventDefault(); at = (at + step + shown.length) % shown.length; mark(); }
  if (event.key === "Enter") { event.preventDefault(); go(at); }
});
root.closest("dialog").addEventListener("beforetoggle", event => { if (event.newState === "open") { input.value = ""; draw(); } });
