// <button data-copy="text" data-copied="Copied">: to the clipboard, and says so for a moment.
document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copyFrom ?? "");
  await navigator.clipboard.writeText(source?.value ?? source?.textContent ?? button.dataset.copy);
  const label = [...button.childNodes].findLast(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!label || !button.dataset.copied || button.dataset.was) return;
  button.dataset.was = label.textContent;
  label.textContent = button.dataset.copied;
  setTimeout(() => { label.textContent = button.dataset.was; delete button.dataset.was; }, 2000);
});
