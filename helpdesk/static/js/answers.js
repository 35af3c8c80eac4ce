// Insert an answer: the arrows choose one, Enter takes it, and its words stand where the cursor was.
let at = 0, eager = false;
const box = () => document.querySelector("#answers[open] #answer-words");
const offered = () => [...document.querySelectorAll("#answers [data-insert]")];
/** What is offered is what was asked for: no question is on its way. */
const settled = input => document.getElementById("answers-found")?.dataset.words === input.value.trim();

function mark(input) {
  const all = offered();
  all.forEach((answer, index) => {
    answer.id = `answer-${index}`;
    answer.role = "option";
    answer.setAttribute("aria-selected", String(index === at));
  });
  all[0]?.parentElement.setAttribute("role", "listbox");
  all[at]?.scrollIntoView({ block: "nearest" });
  if (all.length) input.setAttribute("aria-activedescendant", `answer-${at}`);
  else input.removeAttribute("aria-activedescendant");
}

document.addEventListener("keydown", event => {
  const input = box(), step = { ArrowDown: 1, ArrowUp: -1 }[event.key], all = offered();
  if (!input || event.target !== input || event.isComposing) return;
  if (step && all.length) { event.preventDefault(); at = (at + step + all.length) % all.length; mark(input); }
  if (event.key !== "Enter") return;
  event.preventDefault();
  eager = !settled(input); // Enter before the answer came: it takes the first when it does
  if (!eager) all[at]?.click();
});

document.addEventListener("input", event => { if (event.target === box()) { at = 0; eager = false; } });

document.addEventListener("htmx:afterSettle", event => {
  const input = box();
  if (!input || !event.target.closest("#answers")) return;
  at = 0;
  mark(input);
  if (eager && settled(input)) { eager = false; offered()[0]?.click(); }
});

document.addEventListener("click", event => {
  const answer = event.target.closest("[data-insert]"), area = document.querySelector("[data-composer] textarea");
  if (!answer || !area) return;
  event.preventDefault();
  answer.closest("dialog")?.close();
  area.focus();
  area.setRangeText(answer.dataset.insert, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
});

// what was found last time is not what is asked for next time
document.addEventListener("close", event => { if (event.target.id === "answers") document.getElementById("answers-body").replaceChildren(); }, true);
