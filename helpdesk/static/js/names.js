// What a thing on the page is called, for lists of what can be done: its own name, without its count, its key, its picture.
export const spoken = node => node.dataset.keyName || node.getAttribute("aria-label")
  || [...node.childNodes].filter(part => !part.matches?.(".key, .count, svg")).map(part => part.textContent).join("").trim().replace(/\s+/g, " ");
