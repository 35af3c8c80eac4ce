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
  "[data-copy]": () => import("./copy.js"),
  "[data-choose]": () => import("./choose.js"),
  ...(CSS.supports("field-sizing", "content") ? {} : { "textarea": () => import("./grow.js") }),
};

function look() {
  for (const [selector, load] of Object.entries(behaviours)) {
    if (!document.querySelector(selector)) continue;
    delete behaviours[selector];
    load();
  }
}

document.documentElement.dataset.js = "";
look();
document.addEventListener("htmx:load", look);
