// The settings form follows changes that are made elsewhere, in another tab or by
// another person, as long as nobody has begun to change it here.

const form = document.querySelector("#settings");
const notice = document.querySelector("#changed-elsewhere");

const isTouched = (field) =>
  field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;

document.addEventListener("refreshed", ({ detail: page }) => {
  const fresh = page.querySelector("#settings");
  if (!form || !fresh) return;
  const fields = [...form.querySelectorAll("input")];
  const news = fields.filter((field) => {
    const now = fresh.querySelector(`#${field.id}`);
    return now.defaultValue !== field.defaultValue || now.defaultChecked !== field.defaultChecked;
  });
  // What was refused stays as it was typed.
  if (news.length === 0 || form.querySelector("[aria-invalid]")) return;
  if (fields.some(isTouched) || form.contains(document.activeElement)) {
    notice.hidden = false;
    return;
  }
  for (const field of news) {
    const now = fresh.querySelector(`#${field.id}`);
    field.defaultValue = now.defaultValue;
    field.defaultChecked = now.defaultChecked;
    field.value = now.value;
    field.checked = now.checked;
  }
});
