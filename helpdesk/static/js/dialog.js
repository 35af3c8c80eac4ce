// <button data-dialog="id"> opens <dialog id="id">; without it, or without script, a link goes where it points.
document.addEventListener("click", event => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog && !dialog.open) {
    event.preventDefault();
    opener.closest("[popover]:popover-open")?.hidePopover();
    dialog.showModal();
    return;
  }
  const open = event.target.closest("dialog");
  if (!open) return;
  // the dialog itself is only hit outside its content: that is the veil
  if (event.target.closest("[data-close]") || (event.target === open && outside(open, event))) open.close();
});

function outside(dialog, { clientX: x, clientY: y }) {
  const box = dialog.getBoundingClientRect();
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}
