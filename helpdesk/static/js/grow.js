// Where a browser does not know field-sizing: content, a textarea grows with its words.
const grow = area => { area.style.height = "auto"; area.style.height = `${area.scrollHeight + 2}px`; };
document.querySelectorAll("textarea").forEach(grow);
document.addEventListener("input", event => { if (event.target.matches("textarea")) grow(event.target); });
