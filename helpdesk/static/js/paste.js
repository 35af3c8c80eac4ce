// A picture pasted into an answer goes along as a file, and its name stands where the cursor was: ![picture-1.png](cid:picture-1.png).
document.addEventListener("paste", event => {
  const area = event.target.closest?.("[data-composer] textarea"), input = area?.form.elements.files;
  const pasted = [...(event.clipboardData?.files ?? [])].filter(file => file.type.startsWith("image/"));
  if (!input || !pasted.length) return;
  event.preventDefault();
  const all = new DataTransfer();
  for (const file of input.files) all.items.add(file);
  for (const file of pasted) {
    const name = `picture-${area.value.split("](cid:picture-").length}.${file.type.slice(6).replace(/\W.*/, "")}`; // every clipboard says image.png
    all.items.add(new File([file], name, { type: file.type }));
    area.setRangeText(`![${name}](cid:${name})`, area.selectionStart, area.selectionEnd, "end");
  }
  input.files = all.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  area.dispatchEvent(new Event("input", { bubbles: true }));
});
