// A form whose questions appear after certain answers: they show and hide at once, and the form says which it showed.
const form = document.querySelector("[data-questions]"), rows = [...form.querySelectorAll("[data-when]")];
const held = name => new FormData(form).getAll(name).filter(value => typeof value === "string" && value);

function look() {
  for (const row of rows) {  // in their order, so that one behind a hidden one hides with it
    const { of, values } = JSON.parse(row.dataset.when), source = form.elements.namedItem(of);
    const away = !source || (source.closest ? source : source[0]).closest("[data-question][hidden]");
    const given = away ? [] : held(of);
    row.hidden = !(values.length ? given.some(value => values.includes(value)) : given.length);
  }
  form.elements.shown.value = [...form.querySelectorAll("[data-question]:not([hidden])")].map(row => row.dataset.question).join(" ");
}

form.addEventListener("input", look);
form.addEventListener("change", look);
look();
form.dataset.ready = "1";
