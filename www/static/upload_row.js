// One file in the list of the upload page: its preview, its key, how far it is, and
// what went wrong beside what it is about.
//
//   ready --> queued --> sending --> stored
//               ^           |
//               |           v
//               +-------- failed (also when the user has cancelled)

import { bytesInWords } from "./format.js";
import { isTaken, keyProblem } from "./keys.js";
import { sendFile } from "./send_file.js";

const askAfterMs = 250;

let rows = 0;

export class UploadRow {
  state = "ready";
  #aborter = new AbortController();
  #asking = new AbortController();
  #askTimer;
  #preview = new Image();

  // `template` is the <template> of a row. `onChange` is called whenever the state
  // changes, `otherKeys` tells the keys of the other rows.
  constructor(template, file, key, { bytesMax, onChange, otherKeys }) {
    this.file = file;
    this.bytesMax = bytesMax;
    this.onChange = onChange;
    this.otherKeys = otherKeys;
    this.element = template.content.firstElementChild.cloneNode(true);
    const number = ++rows;
    for (const named of this.element.querySelectorAll("[id], [for], [aria-describedby]")) {
      for (const name of ["id", "for", "aria-describedby"]) {
        const value = named.getAttribute(name);
        if (value) named.setAttribute(name, value.replaceAll("#", number));
      }
    }
    this.part = (name) => this.element.querySelector(`[data-part="${name}"]`);
    this.part("name").textContent = file.name;
    this.part("size").textContent = bytesInWords(file.size);
    for (const button of this.element.querySelectorAll("button[data-part]")) {
      button.setAttribute("aria-label", `${button.textContent}: ${file.name}`);
    }
    this.#showPreview();
    this.keyField.value = key;
    this.keyField.addEventListener("input", () => { this.#keyChanged(); });
    this.part("cancel").addEventListener("click", () => { this.cancel(); });
    this.#ask();
    this.#judgeFile();
  }

  get keyField() { return this.part("key"); }
  get isEditable() { return this.state === "ready" || this.state === "failed"; }
  get key() { return this.keyField.value; }
  get mayReplace() { return this.part("replace").checked; }
  set mayReplace(value) { this.part("replace").checked = value; }

  // Whether it can be sent; says what is in the way.
  check() {
    const problem = keyProblem(this.key)
      || (this.otherKeys(this).includes(this.key) ? "Another file here has this key." : "")
      || (this.#isKnownToBeTaken() && !this.mayReplace
        ? "This key is taken: choose another one, or replace the image." : "");
    this.#say("key", problem);
    return problem === "" && this.#judgeFile();
  }

  queue() {
    this.#aborter = new AbortController();
    this.#become("queued", "Waiting for the others…");
  }

  // REQUIRES: queued.
  async send() {
    this.#become("sending", "");
    this.#progress(0);
    try {
      await sendFile(this.file, this.key, {
        mayReplace: this.mayReplace,
        signal: this.#aborter.signal,
        onProgress: (bytes) => { this.#progress(bytes); },
      });
      this.#stored();
    } catch (error) {
      this.#failed(error);
    }
  }

  cancel() {
    const reason = new Error("Cancelled.");
    if (this.state === "queued") this.#failed(reason);
    this.#aborter.abort(reason);
  }

  remove() {
    this.#asking.abort();
    clearTimeout(this.#askTimer);
    URL.revokeObjectURL(this.#preview.src);
    this.element.remove();
  }

  #showPreview() {
    this.#preview.alt = "";
    // A file that the browser can't show may still be one that the store takes.
    this.#preview.addEventListener("error", () => { this.#preview.hidden = true; });
    this.#preview.src = URL.createObjectURL(this.file);
    this.part("preview").append(this.#preview);
  }

  #keyChanged() {
    this.#say("key", keyProblem(this.key));
    this.mayReplace = false;
    this.#showTaken(false);
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => { this.#ask(); }, askAfterMs);
    this.onChange();
  }

  async #ask() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    if (keyProblem(this.key)) return;
    try {
      const taken = await isTaken(this.key, signal);
      if (!signal.aborted && this.state !== "stored") this.#showTaken(taken);
    } catch {
      // The store says so itself when the file comes.
    }
  }

  #isKnownToBeTaken() { return !this.part("taken").hidden; }
  #showTaken(taken) {
    this.part("taken").hidden = !taken;
    this.onChange();
  }

  #judgeFile() {
    const { size } = this.file;
    let problem = "";
    if (size === 0) problem = "This file is empty.";
    if (size > this.bytesMax) {
      problem = `This file has ${bytesInWords(size)}; the most is ${bytesInWords(this.bytesMax)}.`;
    }
    this.#say("file", problem);
    return problem === "";
  }

  #say(about, problem) {
    const error = this.part(`${about}-error`);
    error.textContent = problem;
    error.hidden = problem === "";
    if (about === "key") this.keyField.setAttribute("aria-invalid", String(problem !== ""));
  }

  #progress(bytes) {
    const share = this.file.size > 0 ? Math.min(bytes / this.file.size, 1) : 0;
    this.part("progress").value = share;
    this.part("state").textContent = share < 1
      ? `${bytesInWords(bytes)} of ${bytesInWords(this.file.size)} sent`
      : "Sent; being stored…";
  }

  #stored() {
    const query = new URLSearchParams({ key_value: this.key });
    this.part("see").href = `/image?${query}`;
    this.part("open").href = `/images?key=${encodeURIComponent(this.key)}`;
    this.part("stored-key").textContent = this.key;
    this.#showTaken(false);
    this.#become("stored", "Stored");
  }

  #failed(error) {
    this.#become("failed", error.about ? "Not stored." : error.message);
    if (error.taken) {
      this.#showTaken(true);
      this.#say("key", "This key is taken: choose another one, or replace the image.");
    } else if (error.about) {
      this.#say(error.about, error.message);
    }
  }

  #become(state, text) {
    this.state = state;
    this.element.dataset.state = state;
    this.part("state").textContent = text;
    this.keyField.readOnly = !this.isEditable;
    this.part("replace").disabled = this.keyField.readOnly;
    this.onChange();
  }
}
