// Buttons that copy what is in a field: data-copy names it. They are hidden until
// this script is there.

const status = document.querySelector("#copied");

// Without TLS, and but on this machine, browsers have no clipboard for scripts.
async function copy(field) {
  field.select();
  if (navigator.clipboard) return navigator.clipboard.writeText(field.value);
  if (!document.execCommand("copy")) throw new Error("the browser does not allow it");
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copy(document.getElementById(button.dataset.copy));
      label.textContent = "Copied";
      status.textContent = "Copied";
    } catch (error) {
      label.textContent = "Select and copy";
      status.textContent = `It can't be copied: ${error.message}`;
    }
    setTimeout(() => { label.textContent = "Copy"; status.textContent = ""; }, 2000);
  });
}
