// Sends one file to the store, and tells how far it is.

const stalledMs = 30_000;

// Why a file was not stored. `about`: "key", "file", or "" when it is neither's fault;
// `taken`: there is an image under this key, and it may not be replaced.
export class SendError extends Error {
  constructor(message, { about = "", taken = false } = {}) {
    super(message);
    this.about = about;
    this.taken = taken;
  }
}

function errorOf(xhr) {
  if (xhr.status === 412) {
    return new SendError("This key is taken.", { about: "key", taken: true });
  }
  const about = [400, 413, 415].includes(xhr.status) ? "file" : "";
  let message = `The server answers ${xhr.status}.`;
  try {
    const said = JSON.parse(xhr.responseText).error.message;
    message = `${said[0].toUpperCase()}${said.slice(1)}.`;
  } catch {
    // Not ours: something in between has answered.
  }
  return new SendError(message, { about });
}

// Resolves when the file is stored, and rejects with a SendError. `onProgress` is told
// how many bytes have gone. An abort of `signal` ends it: the promise then rejects with
// the signal's reason.
export function sendFile(file, key, { mayReplace, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    let stall;
    const fail = (error) => {
      clearTimeout(stall);
      reject(error);
    };
    const moved = () => {
      clearTimeout(stall);
      stall = setTimeout(() => {
        fail(new SendError("Nothing has moved for half a minute."));
        xhr.abort();
      }, stalledMs);
    };
    xhr.upload.addEventListener("progress", (event) => {
      moved();
      onProgress(event.loaded);
    });
    xhr.addEventListener("load", () => {
      if (xhr.status !== 200 && xhr.status !== 201) {
        fail(errorOf(xhr));
        return;
      }
      clearTimeout(stall);
      resolve();
    });
    xhr.addEventListener("error", () => {
      fail(new SendError("The connection broke before the image was stored."));
    });
    signal.addEventListener("abort", () => {
      fail(signal.reason);
      xhr.abort();
    });
    // In the query, where no key can be taken for a path that could be shorter.
    xhr.open("PUT", `/images?key=${encodeURIComponent(key)}`);
    if (!mayReplace) xhr.setRequestHeader("If-None-Match", "*");
    moved();
    xhr.send(file);
  });
}
