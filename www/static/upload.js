// Makes the upload form a little kinder; it works without this.

const form = document.querySelector("#upload");
const key = form.querySelector("#key");
const file = form.querySelector("#file");
const error = form.querySelector("#file-error");
const bytesMax = Number(form.dataset.bytesMax);

// Offers the file's name, without its extension, as the key.
let offered = "";
file.addEventListener("change", () => {
  const chosen = file.files[0];
  if (!chosen) return;
  if (key.value === "" || key.value === offered) {
    offered = chosen.name.replace(/\.[^.]+$/, "");
    key.value = offered;
  }
  // Says so before the bytes are sent; the server checks it all the same.
  const tooLarge = chosen.size > bytesMax;
  const reason = tooLarge ? `this file has ${chosen.size} bytes; the limit is ${bytesMax}` : "";
  error.textContent = reason;
  error.hidden = !tooLarge;
  file.toggleAttribute("aria-invalid", tooLarge);
  file.setCustomValidity(reason);
});
