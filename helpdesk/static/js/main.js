// The only script a page names. A behaviour is loaded when something on the page asks for it by a data- attribute.
const behaviours = {
  "[data-dialog], dialog": () => import("./dialog.js"),
  "[popover]": () => import("./menu.js"),
  "[data-key], [data-list]": () => import("./keys.js"),
  "[data-palette]": () => import("./palette.js"),
  "form": () => import("./once.js"),
  ".toasts": () => import("./toast.js"),
  "[data-live]": () => import("./live.js"),
  "[data-show]": () => import("./panes.js"),
  "[data-list], [data-composer]": () => import("./desk.js"),
  "[data-leaves]": () => import("./countdown.js"),
  "[data-composer]": () => Promise.all([import("./answers.js"), import("./drafts.js"), import("./paste.js")]),
  "[data-conditions]": () => import("./conditions.js"),
  "[data-copy]": () => import("./copy.js"),
  "[data-pictures], .file img, .words img": () => import("./pictures.js"),
  "[data-questions]": () => import("./questions.js"),
  "[data-choose]": () => import("./choose.js"),
  ...(CSS.supports("field-sizing", "content") ? {} : { "textarea": () => import("./grow.js") }),
};

async function look() {
  const wanted = Object.keys(behaviours).filter(selector => document.querySelector(selector));
  const loading = wanted.map(selector => behaviours[selector]());
  wanted.forEach(selector => delete behaviours[selector]);
  await Promise.all(loading);
}

document.documentElement.dataset.js = "";
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });  // on a phone it may lie outside
look().then(() => { document.documentElement.dataset.js = "ready"; });
document.addEventListener("htmx:load", look);
