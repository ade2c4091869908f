// Says how many of a list are ticked, ticks all of them, and lets nothing be deleted
// that is not.

const form = document.querySelector("#selection");
if (form) {
  const boxes = [...form.querySelectorAll("input[name=key]")];
  const button = form.querySelector(".danger");
  const all = form.querySelector("#select-all");
  const allBox = all.querySelector("input");

  function tell() {
    const count = boxes.filter((box) => box.checked).length;
    button.disabled = count === 0;
    allBox.checked = count === boxes.length;
    allBox.indeterminate = count > 0 && count < boxes.length;
    const images = count === 1 ? "1 image" : `${count} images`;
    document.querySelector("#selected").textContent = count === 0 ? "" : `${images} selected`;
    document.querySelector("#selected-again").textContent = images;
  }

  all.classList.remove("scripted");
  allBox.addEventListener("change", () => {
    for (const box of boxes) box.checked = allBox.checked;
    tell();
  });
  form.addEventListener("change", tell);
  tell();  // browsers keep what was ticked when one comes back
}
