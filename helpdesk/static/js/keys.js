// <a data-key="g i">, <button data-key="r">, <button data-key="mod+Enter">: the key presses the thing that is on the page.
// Single keys can be switched off (WCAG 2.1.4); the choice stays in this browser. j, k and o walk a [data-list].
import { spoken } from "./names.js";

const OFF = "keys-off";
const PATIENCE = 1000; // ms between g and the next letter
let first = "", timer = 0;

const editable = node => node.isContentEditable || node.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select");
const named = event => [event.ctrlKey || event.metaKey ? "mod" : "", event.altKey ? "alt" : "", event.shiftKey && event.key.length > 1 ? "shift" : "", event.key].filter(Boolean).join("+");
const off = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };

/** The element for a key: in the open dialog or the writer's own form first, then what can be seen, then any. */
function target(key, from) {
  const scope = document.querySelector("dialog[open]") ?? document;
  const all = [...scope.querySelectorAll("[data-key]")].filter(node => node.dataset.key === key && !node.disabled);
  const form = from.closest("form");
  return all.find(node => form?.contains(node)) ?? all.find(node => node.checkVisibility()) ?? all[0];
}

function press(node) {
  if (editable(node)) node.focus();
  else if (node.matches("[popovertarget]")) node.click();
  else { node.focus({ preventScroll: true }); node.click(); }
}

function walk(step) {
  const rows = [...document.querySelectorAll("[data-list] .row")].filter(row => row.checkVisibility());
  if (!rows.length) return false;
  const at = rows.findIndex(row => row === document.activeElement);
  const from = at >= 0 ? at : rows.findIndex(row => row.matches("[aria-current]"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, from + (from < 0 && step < 0 ? rows.length : step)))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

document.addEventListener("keydown", event => {
  if (event.defaultPrevented || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
  const here = document.activeElement ?? document.body, key = named(event);
  const combined = key.startsWith("mod+");
  if (!combined && (editable(here) || off() || event.altKey || here.closest("[popover], [role=listbox]"))) return;

  const whole = first ? `${first} ${key}` : key;
  first = ""; clearTimeout(timer);
  const node = target(whole, here);
  if (node) { event.preventDefault(); press(node); return; }
  if (document.querySelector("dialog[open]")) return;
  if (key === "j" || key === "k") { if (walk(key === "j" ? 1 : -1)) event.preventDefault(); return; }
  if (key === "o") { here.closest("[data-list] .row")?.click(); return; }
  if (!combined && document.querySelector(`[data-key^="${CSS.escape(key)} "]`)) { first = key; timer = setTimeout(() => { first = ""; }, PATIENCE); }
});

// the help is what the page can do now
const help = document.querySelector("[data-shortcuts]");
const caps = key => key.split(/[ +]/).map(part => Object.assign(document.createElement("kbd"), { className: "key", textContent: { mod: /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl", shift: "Shift" }[part] ?? part }));

help?.closest("dialog").addEventListener("beforetoggle", () => {
  help.querySelectorAll("[data-made]").forEach(line => line.remove());
  help.querySelectorAll("[data-for]").forEach(line => { line.hidden = !document.querySelector(line.dataset.for); });
  const seen = new Set();
  for (const node of document.querySelectorAll("[data-key]")) {
    if (seen.has(node.dataset.key)) continue;
    seen.add(node.dataset.key);
    const line = document.createElement("div"), term = document.createElement("dt"), keys = document.createElement("dd");
    line.dataset.made = "";
    term.textContent = spoken(node);
    caps(node.dataset.key).forEach(cap => keys.append(cap, " "));
    line.append(term, keys);
    help.append(line);
  }
});

const lever = document.querySelector("[data-keys-switch]");
if (lever) {
  lever.checked = !off();
  lever.addEventListener("change", () => { try { localStorage.setItem(OFF, lever.checked ? "0" : "1"); } catch { /* private window: for this page only */ } });
}
