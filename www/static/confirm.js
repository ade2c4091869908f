// Asks before a form does what can't be undone.
//
// A form with data-confirm="ID" leads to a page that asks; with this script the
// <dialog> of that id asks in its place. A button inside of the dialog that belongs
// to the form (form="...") goes ahead, anything with data-close does not.

document.addEventListener("submit", (event) => {
  const dialog = document.getElementById(event.target.dataset.confirm);
  if (!dialog || dialog.contains(event.submitter)) return;
  event.preventDefault();
  dialog.showModal();
});

document.addEventListener("click", (event) => {
  const close = event.target.closest("dialog [data-close]");
  if (!close) return;
  event.preventDefault();
  close.closest("dialog").close();
});
