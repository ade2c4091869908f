// The upload page: files that are chosen, dropped or pasted become rows of a list, and
// the form sends all of them, a few at a time. Without this script the form sends one.

import { proposeKey } from "./keys.js";
import { UploadRow } from "./upload_row.js";

const atATimeMax = 3;

const form = document.querySelector("#upload");
const chooser = form.querySelector("#file");
const chooserError = form.querySelector("#file-error");
const list = form.querySelector("#uploads");
const button = form.querySelector("#send");
const summary = form.querySelector("#summary");
const template = document.querySelector("#upload-row");
const bytesMax = Number(form.dataset.bytesMax);

// What the link to this page asked for: of the first file. Who comes to replace an image
// need not be asked whether he means to.
let wantedKey = form.querySelector("#key").value;
const wanted = form.querySelector("#wanted");
wanted.querySelector(".key").textContent = wantedKey;
wanted.hidden = wantedKey === "";
form.querySelector("#single-key").remove();
form.noValidate = true;
chooser.multiple = true;

let rows = [];
const inState = (state) => rows.filter((row) => row.state === state);

function showSummary() {
  const waiting = inState("ready").length + inState("failed").length;
  button.textContent = waiting > 1 ? `Upload ${waiting} images` : "Upload";
  button.disabled = rows.length > 0 && waiting === 0;
  const stored = inState("stored").length;
  const sending = inState("queued").length + inState("sending").length;
  const failed = inState("failed").length;
  summary.textContent = stored + sending + failed === 0 ? "" : [
    `${stored} of ${rows.length} stored`,
    sending > 0 ? `${sending} on the way` : "",
    failed > 0 ? `${failed} failed` : "",
  ].filter((part) => part !== "").join(", ");
}

function add(files) {
  for (const file of files) {
    const taken = rows.map((row) => row.key);
    const key = wantedKey || proposeKey(file.name, taken);
    const row = new UploadRow(template, file, key, {
      bytesMax,
      onChange: () => { showSummary(); },
      otherKeys: (asking) => rows.filter((other) => other !== asking).map((other) => other.key),
    });
    row.mayReplace = wantedKey !== "";
    wantedKey = "";
    wanted.hidden = true;
    row.part("remove").addEventListener("click", () => { remove(row); });
    row.part("retry").addEventListener("click", () => { send([row]); });
    rows.push(row);
    list.append(row.element);
  }
  showChooserError("");
  showSummary();
}

function remove(row) {
  const at = rows.indexOf(row);
  rows = rows.filter((other) => other !== row);
  row.remove();
  showSummary();
  // The focus goes to what can be removed next, not to the top of the page.
  const next = [...rows.slice(at), ...rows.slice(0, at).reverse()].find((other) => other.isEditable);
  (next?.part("remove") ?? chooser).focus();
}

// Sends what can be sent; what can't says why, and the first of that gets the focus.
function send(chosen) {
  const good = chosen.filter((row) => row.check());
  chosen.find((row) => !good.includes(row))?.keyField.focus();
  good.forEach((row) => { row.queue(); });
  pump();
}
function pump() {
  const free = atATimeMax - inState("sending").length;
  inState("queued").slice(0, free).forEach((row) => { row.send().then(pump); });
}

function showChooserError(text) {
  chooserError.textContent = text;
  chooserError.hidden = text === "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (rows.length === 0) {
    showChooserError("Choose an image first.");
    chooser.focus();
    return;
  }
  send([...inState("ready"), ...inState("failed")]);
});

chooser.addEventListener("change", () => {
  add(chooser.files);
  chooser.value = "";  // the same file can be chosen again
});

document.addEventListener("paste", (event) => {
  const { files } = event.clipboardData;
  if (files.length === 0) return;
  event.preventDefault();
  add(files);
});

// Anywhere on the page: a file dropped beside the frame would otherwise replace the page.
const hasFiles = (event) => event.dataTransfer.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  form.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) form.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  form.classList.remove("dropping");
  if (!hasFiles(event)) return;
  event.preventDefault();
  add(event.dataTransfer.files);
});

// Leaving would break off what is on its way.
window.addEventListener("beforeunload", (event) => {
  if (inState("sending").length > 0) event.preventDefault();
});
